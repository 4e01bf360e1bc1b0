import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { signalExactly } from './end-processes.ts';
import { isBystander, isGuard } from './oracle.ts';
import { fixture } from './paths.ts';
import { readProcesses, startOf } from './read-processes.ts';
import type { SeenProcess } from './seen-process.ts';
import type { TemporaryProject } from './temporary-project.ts';
import { until } from './until.ts';

/** A manifest's service that is a program of `fixtures/`, ready when it says so. */
export function service(name: string, args: readonly string[] = [], more: object = {}): object {
  return { command: fixture(name, ...args), ready: { log: '^ready$' }, ...more };
}

/**
 * True where every descendant is certain to stay below the supervisor. Else no evidence finds a process that clears its
 * environment and leaves its session between two looks.
 */
export const hasSubreaper =
  process.platform === 'linux' &&
  process.env.DEVCTL_NATIVE !== 'off' &&
  process.env.DEVCTL_PROCESS_TABLE !== 'portable';

/** The living supervisors of this project, as the oracle sees them, without bystanders with that name. */
export function supervisorsOf(project: TemporaryProject): SeenProcess[] {
  const all = project.oracle
    .everything()
    .filter((one) => isSupervisor(one.argv) && !isBystander(one));
  // Between fork and exec, a child of a supervisor still shows the arguments of the supervisor.
  const isForked = ({ ppid, argv }: SeenProcess): boolean =>
    all.some((parent) => parent.pid === ppid && parent.argv.join(' ') === argv.join(' '));
  return all.filter((one) => !isForked(one));
}

function isSupervisor(argv: readonly string[]): boolean {
  // Flags for Node come before the program.
  return argv.slice(1, 3).some((word) => word.endsWith('/dist/supervisor/main.js'));
}

/** The guards, which adopt the orphans of killed supervisors. */
export function guardsOf(project: TemporaryProject): SeenProcess[] {
  return project.oracle.everything().filter(isGuard);
}

/** Removes the records as `rm -rf .pids` does. */
export function removeRecords(project: TemporaryProject): Promise<void> {
  return removeAll(project.file('.pids'));
}

/** Removes a folder as `rm -rf` does: again, where a supervisor writes into it meanwhile. */
export async function removeAll(path: string): Promise<void> {
  await until(() => {
    rmSync(path, { recursive: true, force: true });
    return true;
  });
}

/** Waits until the ledgers have every process of the services, of whichever service or as unattributed. */
export async function untilWitnessed(project: TemporaryProject): Promise<void> {
  const folder = project.file('.pids/ledger');
  await until(() => {
    const ledgers = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
    return project.oracle
      .processes()
      .every(({ pid }) => ledgers.some((text) => text.includes(`,${pid},`)));
  });
}

/** Sends the supervisor of a project a signal. */
export async function signalSupervisor(
  project: TemporaryProject,
  signal: NodeJS.Signals,
): Promise<SeenProcess> {
  const [supervisor] = supervisorsOf(project);
  if (!supervisor) throw new Error('There is no supervisor');
  signalExactly(supervisor, signal);
  if (signal === 'SIGKILL') await until(() => !isRunning(supervisor));
  return supervisor;
}

/** Ends a process of a project at once and waits until it is gone. */
export async function killAtOnce(target: SeenProcess): Promise<void> {
  signalExactly(target, 'SIGKILL');
  await until(() => !isRunning(target));
}

/** True while exactly this process is alive. A zombie is not. */
function isRunning({ pid, started }: SeenProcess): boolean {
  if (startOf(pid) !== started) return false;
  return readProcesses().some((one) => one.pid === pid && !one.zombie);
}
