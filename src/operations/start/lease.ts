import { DevctlError } from '../../errors.ts';
import { type Lease, readLeases } from '../../leases/file.ts';
import { leasesAt } from '../../leases/status.ts';
import { describeCommand } from '../../processes/describe.ts';
import type { Host } from '../../processes/host.ts';
import { isGone } from '../../processes/snapshot.ts';
import { msToTicks } from '../../processes/ticks.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import { findEnclosingRun } from '../../tracking/enclosing-run.ts';
import { readProjectState } from '../../tracking/project-state.ts';
import { stopProject } from '../stop/stop-project.ts';
import { stopEverythingRequest, unattendedStop } from '../stop/unattended.ts';

export interface LeaseWish {
  /** Null: its time has no end. */
  readonly ttlMs: number | null;
  /** The processes for as long as which everything is to run. */
  readonly pids: readonly number[];
}

/**
 * Makes a lease of what somebody asks for. A process is taken by its identity, now: its number may be somebody
 * else's by the time that it counts.
 *
 * @returns null where nothing is asked for
 * @throws DevctlError 'usage' for a process that does not live
 */
export async function toLease(host: Host, { ttlMs, pids }: LeaseWish): Promise<Lease | null> {
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
 * Stops everything, where the last lease is over and no supervisor has lived to see to it: what is started
 * next begins anew, instead of being stopped as soon as there is a supervisor again.
 *
 * @throws DevctlError as `stopProject`, but for 'locked': whoever is at work is waited for by the start
 */
export async function stopIfLeaseEnded(
  host: Host,
  folder: ProjectFolder,
  manifest: string,
  warn: (line: string) => void,
): Promise<void> {
  // Most projects have no lease: one read tells that.
  if (readLeases(folder).kind !== 'record') return;
  const state = readProjectState(folder);
  const snapshot = await host.snapshot();
  const verdict = leasesAt(state.lease, snapshot);
  if (verdict.kind !== 'ended') return;
  const { service, oneOffs } = findEnclosingRun(state, snapshot, await host.self(), process.env);
  // It would end itself half way: the supervisor does it when this command is done.
  if (service !== null || oneOffs.length > 0) return;
  warn(`${verdict.why}: stopping everything first`);
  const options = unattendedStop(stopEverythingRequest(folder, manifest));
  try {
    await stopProject(host, folder, { ...options, why: verdict.why }, { state, snapshot });
  } catch (error) {
    if (!(error instanceof DevctlError && error.code === 'locked')) throw error;
  }
}
