import { DevctlError, errnoOf, inWords } from '../errors.ts';
import { type ProgramEnd, runToEnd, runToEndSync } from './spawn.ts';

/** Ctrl-C reaches the whole foreground group of a terminal: devctl, which goes on, and its `ps`. */
const TRIES = 3;

/**
 * Runs a tool of the system (`ps`, `lsof`, `mkfifo`) to its end. Exit codes of `ps` and `lsof` say little (1: "one of
 * these is gone"), so they are the caller's to judge.
 *
 * @returns null when the tool is not installed
 * @throws DevctlError 'tool-failed' when it cannot be run, for want of a process mostly
 */
export async function runTool(
  file: string,
  args: readonly string[],
  tries = TRIES,
): Promise<ProgramEnd | null> {
  const end = await runToEnd(file, args, toolEnvironment());
  if (errnoOf(end.error) === 'ENOENT') return null;
  if (end.exitCode !== undefined) return end;
  if (end.error === undefined && tries > 1) return runTool(file, args, tries - 1);
  throw cannotRun(file, end.error);
}

function cannotRun(file: string, error: unknown): DevctlError {
  const errno = errnoOf(error);
  const why = errno ?? (error === undefined ? 'a signal ends it' : inWords(error));
  // fork(2): the process limit, of the user or of the control group.
  const hint = 'no more processes can be made: end one by hand, or become root';
  return new DevctlError('tool-failed', `${file} cannot be run: ${why}`, {
    ...(errno === 'EAGAIN' ? { hint } : {}),
    cause: error,
  });
}

/**
 * Runs a tool at once, for the rare question that is asked in the middle of a decision.
 *
 * @returns its output; null where it cannot be run
 */
export function runToolSync(file: string, args: readonly string[]): string | null {
  const { error, stdout } = runToEndSync(file, args, toolEnvironment());
  return error === undefined ? stdout : null;
}

/**
 * C for dates and numbers, UTF-8 so that no byte of a path is printed as "?", UTC because a local hour happens twice
 * in autumn.
 */
function toolEnvironment(): NodeJS.ProcessEnv {
  const { LC_ALL: _, ...env } = process.env;
  const LC_CTYPE = process.platform === 'darwin' ? 'UTF-8' : 'C.UTF-8';
  return { ...env, LANG: 'C', LC_TIME: 'C', LC_NUMERIC: 'C', LC_CTYPE, TZ: 'UTC0' };
}
