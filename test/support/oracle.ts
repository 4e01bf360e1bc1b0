import { join } from 'node:path';
import { repositoryRoot } from './paths.ts';
import { readProcesses } from './read-processes.ts';
import type { Sighting } from './sighting.ts';

/** What makes a process part of a test, in the oracle's eyes. */
export interface OracleScope {
  /** Real paths. Counts: the working directory, the program or any open file is inside. */
  readonly folders: readonly string[];
  /** Whole environment entries, `NAME=value`. */
  readonly environment: readonly string[];
}

export interface Oracle {
  /** What services are running: without devctl itself and without bystanders. */
  processes(): Sighting[];
  /** Whatever has to do with the test, devctl and bystanders too. Never this process or its ancestors. */
  everything(): Sighting[];
}

/** A process with this variable is an innocent bystander, and so are its children. */
export const BYSTANDER_MARK = 'DEVCTL_TEST_BYSTANDER=1';

/**
 * Opens an eye on the machine that knows nothing of devctl's records, sessions, groups or cookies.
 *
 * A process belongs to the test if any of these holds, because each alone has a hole:
 * - it has a file of the folder open. Fixture programs hold `.marker` and hand it to their children as an
 *   inherited descriptor, which survives setsid, a double fork, `env -i` and `cd /`; Node programs of
 *   others get it from the preload `fixtures/marker.cjs`; the log files of a service count as well. Hole:
 *   a native program that closes its descriptors.
 * - its working directory or its program is inside the folder (npm, sh, turbo, esbuild, vite).
 * - its environment has one of the marks. Hole: a cleared environment.
 */
export function openOracle(scope: OracleScope): Oracle {
  const everything = () => {
    const all = readProcesses();
    const spared = ancestors(all, process.pid);
    return all.filter((one) => !one.zombie && !spared.has(one.pid) && isInScope(one, scope));
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

function isInScope(sighting: Sighting, scope: OracleScope): boolean {
  return (
    scope.folders.some((folder) => sighting.files.some((file) => isInside(file, folder))) ||
    scope.environment.some((entry) => sighting.environment.includes(entry))
  );
}

function isInside(file: string, folder: string): boolean {
  return file === folder || file.startsWith(`${folder}/`);
}

/** The CLI or the supervisor, from this repository or installed, by the exact place of its program; a guard. */
function isDevctl(sighting: Sighting): boolean {
  if (/^devctl\b/.test(sighting.argv[0] ?? '') || isGuard(sighting)) return true;
  return sighting.argv
    .slice(1, 4)
    .some(
      (argument) =>
        /\/node_modules\/(devctl\/(bin|dist)\/|\.bin\/devctl$)/.test(argument) ||
        ['bin/', 'dist/'].some((folder) => argument.startsWith(join(repositoryRoot, folder))),
    );
}

/** What keeps the orphans of a supervisor that has died: a sleep of 68 years. */
export function isGuard({ argv }: Sighting): boolean {
  return /^(sleep|devctl-guard) 2147483647$/.test(argv.join(' '));
}

/** `ps` and its like, run by devctl for itself: in its own group, which no service ever is. `lsof` forks. */
function findTools(all: readonly Sighting[]): ReadonlySet<Sighting> {
  const tools = new Set<Sighting>();
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

/** Is it, or was it started by, an innocent bystander of a test? */
export function isBystander(sighting: Sighting): boolean {
  return sighting.environment.includes(BYSTANDER_MARK);
}

/** This process and all above it: a shell that stands in the project folder is not part of the test. */
function ancestors(all: readonly Sighting[], pid: number): Set<number> {
  const parents = new Map(all.map((sighting) => [sighting.pid, sighting.ppid]));
  const chain = new Set<number>();
  for (let next: number | undefined = pid; next && !chain.has(next); next = parents.get(next)) {
    chain.add(next);
  }
  return chain;
}
