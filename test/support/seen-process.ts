/** The facts that the oracle reads about one process, whatever devctl thinks of it. */
export interface SeenProcess {
  readonly pid: number;
  /** The start time in the units of the platform; with the pid, an identity. Only compared for equality. */
  readonly started: string;
  readonly ppid: number;
  readonly pgid: number;
  readonly sid: number;
  /** True for a process that only waits to be reaped. */
  readonly zombie: boolean;
  readonly rssBytes: number;
  readonly argv: readonly string[];
  readonly cwd: string | null;
  /** The paths of its file descriptors, its program and its working directory. */
  readonly files: readonly string[];
  /** The environment it was started with, as `NAME=value`; empty where we may not look. */
  readonly environment: readonly string[];
}

/** Names a process in test output. */
export function describeSeen(seen: SeenProcess): string {
  const { pid, ppid, pgid, sid, argv, cwd } = seen;
  return `pid ${pid} (parent ${ppid}, group ${pgid}, session ${sid}) ${argv.join(' ')} [${cwd}]`;
}
