import { join } from 'node:path';
import { repositoryRoot } from './paths.ts';
import { parentOf, readProcesses, startTimeNow } from './read-processes.ts';
import type { SeenProcess } from './seen-process.ts';

/** The signs by which the oracle counts a process as part of a test. */
export interface OracleScope {
  /** Real paths: the working directory, the program or any open file of the process is inside one of them. */
  readonly folders: readonly string[];
  /** Whole environment entries, `NAME=value`. */
  readonly environment: readonly string[];
}

export interface Oracle {
  /** The processes of services: without devctl itself and without bystanders. */
  processes(): SeenProcess[];
  /** Every process that has to do with the test, devctl and bystanders too. Never this process or its ancestors. */
  everything(): SeenProcess[];
}

/** Marks an innocent bystander in its environment, and with it its children. */
export const BYSTANDER_MARK = 'DEVCTL_TEST_BYSTANDER=1';

/**
 * Opens an eye on the machine that knows nothing of devctl's records, sessions, groups or cookies.
 *
 * A process belongs to the test if any of these holds, because each alone has a hole:
 * - It has a file of the folder open. Fixture programs hold `.marker` and hand it to their children as an
 *   inherited descriptor, which survives setsid, a double fork, `env -i` and `cd /`; Node programs of
 *   others get it from the preload `fixtures/marker.cjs`; the log files of a service count as well. Hole:
 *   a native program that closes its descriptors.
 * - Its working directory or its program is inside the folder (npm, sh, turbo, esbuild, vite).
 * - Its environment has one of the marks. Hole: a cleared environment.
 *
 * A process that is older than the eye cannot belong to the test, because the folder is fresh. The open files of devctl
 * itself and of a vitest worker do not count, because both read the records of all projects: for that moment the oracle
 * would take a command of another test for one of its own, and end it.
 */
export function openOracle(scope: OracleScope): Oracle {
  const since = startTimeNow();
  const everything = () => {
    const spared = ancestors(process.pid);
    return readProcesses(since)
      .filter((one) => !one.zombie && !spared.has(one.pid) && isInScope(one, scope))
      .map((one) => ({ ...one }));
  };
  return {
    everything,
    processes: () => {
      const all = everything();
      const tools = findTools(all);
      return all.filter((one) => !isDevctl(one) && !isBystander(one) && !tools.has(one));
    },
  };
}

function isInScope(seen: SeenProcess, scope: OracleScope): boolean {
  return (
    scope.environment.some((entry) => seen.environment.includes(entry)) ||
    scope.folders.some((folder) => placesOf(seen).some((file) => isInside(file, folder)))
  );
}

function placesOf(seen: SeenProcess): readonly string[] {
  const readsOthers = isDevctl(seen) || seen.argv.slice(1).some((word) => READER.test(word));
  if (!readsOthers) return seen.files;
  return seen.cwd === null ? [] : [seen.cwd];
}

/** The programs of devctl, wherever a copy of it is, and of a vitest worker. */
const READER =
  /\/(bin\/devctl\.js|dist\/supervisor\/(main\.js|guard\.cjs)|vitest\/dist\/workers\/\w+\.js)$/;

function isInside(file: string, folder: string): boolean {
  return file === folder || file.startsWith(`${folder}/`);
}

/** True for the command line, the supervisor (from this repository or installed, by the exact place of the program) and a guard. */
function isDevctl(seen: SeenProcess): boolean {
  if (/^devctl\b/.test(seen.argv[0] ?? '') || isGuard(seen)) return true;
  return seen.argv
    .slice(1, 4)
    .some(
      (argument) =>
        /\/node_modules\/(devctl\/(bin|dist)\/|\.bin\/devctl$)/.test(argument) ||
        ['bin/', 'dist/'].some((folder) => argument.startsWith(join(repositoryRoot, folder))),
    );
}

/** True for the process that keeps the orphans of a supervisor that has died: a sleep of 68 years. */
export function isGuard({ argv }: SeenProcess): boolean {
  return /^(sleep|devctl-guard) 2147483647$/.test(argv.join(' '));
}

/** Finds `ps` and other tools that devctl runs for itself: they are in its own group, and no service ever is. `lsof` forks. */
function findTools(all: readonly SeenProcess[]): ReadonlySet<SeenProcess> {
  const tools = new Set<SeenProcess>();
  for (const head of all.filter(isDevctl)) {
    const heads = [head];
    for (let above = heads.pop(); above; above = heads.pop()) {
      const { pid } = above;
      const below = all.filter((one) => one.ppid === pid && one.pgid === head.pgid);
      for (const tool of below) if (!isDevctl(tool)) tools.add(tool);
      heads.push(...below.filter((one) => !isDevctl(one)));
    }
  }
  return tools;
}

/** True for an innocent bystander of a test, and for a process that one has started. */
export function isBystander(seen: SeenProcess): boolean {
  return seen.environment.includes(BYSTANDER_MARK);
}

/** This process and all above it: a shell that stands in the project folder is not part of the test. */
function ancestors(pid: number): Set<number> {
  const chain = new Set<number>();
  for (let next = pid; next && !chain.has(next); next = parentOf(next)) chain.add(next);
  return chain;
}
