import { DevctlError } from '../../errors.ts';
import { type Lease, readLeases } from '../../leases/file.ts';
import { leasesAt } from '../../leases/status.ts';
import { describeCommand } from '../../processes/describe.ts';
import type { Host } from '../../processes/host.ts';
import { isGone } from '../../processes/snapshot.ts';
import { msToTicks } from '../../processes/ticks.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import { holdingFolder } from '../../project/place/hold-folder.ts';
import { findEnclosingRun } from '../../tracking/enclosing-run.ts';
import { readProjectState } from '../../tracking/project-state.ts';
import { stopProject } from '../stop/stop-project.ts';
import { stopEverythingRequest, unattendedStop } from '../stop/unattended.ts';

/** The lease that the user asks for. */
export interface RequestedLease {
  /** Null: the lease has no time limit. */
  readonly ttlMs: number | null;
  /** Everything runs for as long as these processes live. */
  readonly pids: readonly number[];
}

/**
 * Makes a lease. Each pid becomes an identity now, because another process may have the pid later.
 *
 * @returns null when the user asks for no lease
 * @throws DevctlError 'usage' for a process that is not alive
 */
export async function toLease(host: Host, { ttlMs, pids }: RequestedLease): Promise<Lease | null> {
  if (ttlMs === null && pids.length === 0) return null;
  const snapshot = await host.snapshot();
  return {
    endsAtTicks: ttlMs === null ? null : snapshot.nowTicks + Math.ceil(msToTicks(ttlMs)),
    ttlMs,
    processes: [...new Set(pids)].map((pid) => {
      const process = snapshot.byPid.get(pid);
      if (!process || isGone(process)) throw noProcess(pid, process !== undefined);
      return { identity: process.identity, command: describeCommand(snapshot, process) };
    }),
  };
}

function noProcess(pid: number, isZombie: boolean): DevctlError {
  const what = isZombie ? 'that process has ended already' : 'there is no such process';
  return new DevctlError('usage', `--while-pid ${pid}: ${what}`, {
    hint: 'nothing was started; give it a process that lives, such as your shell: --while-pid $$',
  });
}

/**
 * Stops everything if the last lease has ended and no supervisor was there to stop it. Otherwise the next supervisor
 * would end the services of this start at once.
 *
 * @throws DevctlError as `stopProject`, except 'locked', because the start itself waits for the other command
 */
export async function stopIfLeaseEnded(
  host: Host,
  folder: ProjectFolder,
  manifest: string,
  warn: (line: string) => void,
): Promise<void> {
  // Most projects have no lease, which costs one read here.
  if (readLeases(folder).kind !== 'record') return;
  const state = readProjectState(folder);
  const snapshot = await host.snapshot();
  const verdict = leasesAt(state.lease, snapshot);
  if (verdict.kind !== 'ended') return;
  const { service, oneOffs } = findEnclosingRun(state, snapshot, await host.self(), process.env);
  // This process would end itself half way. The supervisor stops everything when this command is done.
  if (service !== null || oneOffs.length > 0) return;
  warn(`${verdict.why}: stopping everything first`);
  const options = unattendedStop(stopEverythingRequest(folder, manifest));
  try {
    await holdingFolder(folder, (held) =>
      stopProject(host, held, { ...options, why: verdict.why }),
    );
  } catch (error) {
    if (!(error instanceof DevctlError && error.code === 'locked')) throw error;
  }
}
