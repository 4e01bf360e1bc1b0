import { createRequire } from 'node:module';
import { DevctlError, errnoOf } from '../errors.ts';

/**
 * Loaded with the first tool: `stop` and `status` on Linux spawn nothing, and should not pay the 3 ms.
 * `import()` cannot be used, because one of our questions must be answered at once.
 */
function childProcess(): typeof import('node:child_process') {
  return createRequire(import.meta.url)('node:child_process');
}

/** Output of every process of a large machine; Node's own limit of 1 MB is a dozen of them. */
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;

/** What a system tool printed. Text is latin1: one character a byte, so nothing is lost or guessed. */
export interface ToolOutput {
  /** The tool's own pid: it sees itself when it lists processes. */
  readonly pid: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Ctrl-C reaches the whole foreground group of a terminal: devctl, which goes on, and its `ps`. */
const TRIES = 3;

/**
 * Runs `ps`, `lsof` or `pwdx`. Exit codes say little there (1: "one of these is gone"), so the
 * output is the answer.
 *
 * @returns null when the tool is not installed
 * @throws DevctlError 'tool-failed' when it cannot be run, for want of a process mostly
 */
export function runTool(
  file: string,
  args: readonly string[],
  tries = TRIES,
): Promise<ToolOutput | null> {
  return new Promise((resolve, reject) => {
    const child = childProcess().execFile(file, args, options(), (error, stdout, stderr) => {
      if (errnoOf(error) === 'ENOENT') resolve(null);
      else if (error?.signal && !errnoOf(error) && tries > 1)
        resolve(runTool(file, args, tries - 1));
      else if (error && typeof error.code !== 'number') reject(cannotRun(file, error));
      else resolve({ pid: child.pid, stdout, stderr });
    });
  });
}

function cannotRun(file: string, error: Error): DevctlError {
  const errno = errnoOf(error);
  // fork(2): the process limit, of the user or of the control group.
  const hint = 'no more processes can be made: end one by hand, or become root';
  return new DevctlError('tool-failed', `${file} cannot be run: ${errno ?? error.message}`, {
    ...(errno === 'EAGAIN' ? { hint } : {}),
    cause: error,
  });
}

/** The same, for the rare question that is only asked about a few processes after all. */
export function runToolSync(file: string, args: readonly string[]): string | null {
  try {
    return childProcess().execFileSync(file, args, {
      ...options(),
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch (error) {
    if (error instanceof Error && 'stdout' in error && typeof error.stdout === 'string') {
      return error.stdout;
    }
    return null;
  }
}

function options() {
  // C for dates and numbers, UTF-8 so that no byte of a path is printed as "?", UTC because a local
  // hour happens twice in autumn.
  const { LC_ALL: _, ...env } = process.env;
  const LC_CTYPE = process.platform === 'darwin' ? 'UTF-8' : 'C.UTF-8';
  return {
    encoding: 'latin1' as const,
    maxBuffer: MAX_OUTPUT_BYTES,
    windowsHide: true,
    env: { ...env, LANG: 'C', LC_TIME: 'C', LC_NUMERIC: 'C', LC_CTYPE, TZ: 'UTC0' },
  };
}
