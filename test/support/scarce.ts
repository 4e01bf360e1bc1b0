import { execFileSync } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

/** A user without processes, so that only the processes of a test count for it. */
export const SOMEBODY = 2_000_000 + process.pid;

const isRoot = process.platform === 'linux' && process.getuid?.() === 0;

/** True where we may run Node as another user with its own process limit. */
export const canLimit =
  isRoot && works('setpriv', asUser(SOMEBODY, 1_000, [process.execPath, '-e', '0']));

/** A command line for setpriv(1), for this user and its limit of processes and threads. */
export function asUser(uid: number, limit: number, command: readonly string[]): string[] {
  const user = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
  return [...user, 'prlimit', `--nproc=${limit}:${limit}`, ...command];
}

/** Counts the processes and threads of a user as RLIMIT_NPROC does (getrlimit(2)). */
export function tasksOf(uid: number): number {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => readStatus(pid))
    .filter((status) => Number(/^Uid:\s+(\d+)/m.exec(status)?.[1]) === uid)
    .reduce((sum, status) => sum + Number(/^Threads:\s+(\d+)/m.exec(status)?.[1] ?? 1), 0);
}

/** The hierarchy in which a group can limit processes; null where there is none. */
export const pidsHierarchy: string | null = isRoot ? findPidsHierarchy() : null;

/** A control group with a limit of processes and threads. */
export interface PidsGroup extends Disposable {
  /** A command line for sh(1) that runs a command inside. */
  inside(command: readonly string[]): string[];
  readonly current: () => number;
  limit(count: number | 'max'): void;
}

/** @param hierarchy where it is made; removed on disposal, when it is empty */
export function pidsGroup(hierarchy: string): PidsGroup {
  const folder = join(hierarchy, `devctl-test-${process.pid}`);
  mkdirSync(folder);
  const procs = join(folder, 'cgroup.procs');
  return {
    inside: (command) => ['-c', 'echo $$ > "$0" && exec "$@"', procs, ...command],
    current: () => Number(readFileSync(join(folder, 'pids.current'), 'utf8')),
    limit: (count) => writeFileSync(join(folder, 'pids.max'), String(count)),
    [Symbol.dispose]: () => rmdirSync(folder),
  };
}

function findPidsHierarchy(): string | null {
  const [v1, v2] = ['/sys/fs/cgroup/pids', '/sys/fs/cgroup'];
  if (isWritable(join(v1, 'cgroup.procs'))) return v1;
  const control = join(v2, 'cgroup.subtree_control');
  if (!existsSync(control) || !readFileSync(control, 'utf8').includes('pids')) return null;
  return isWritable(join(v2, 'cgroup.procs')) ? v2 : null;
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function readStatus(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'latin1');
  } catch {
    return '';
  }
}

function works(file: string, args: readonly string[]): boolean {
  try {
    execFileSync(file, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
