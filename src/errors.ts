import { constants } from 'node:os';

/** Exit codes of every command, documented in the README. `run` passes on its command's own code. */
export const ExitCode = {
  Ok: 0,
  Failed: 1,
  Usage: 2,
  /** `status`: not everything that should run is running and ready. */
  NotRunning: 3,
  /** Owned processes are still alive after a stop. */
  Survivors: 4,
  /** A port or name is held by a process that is not ours. */
  Stranger: 5,
  /** Another devctl command is at work in this project. */
  Locked: 6,
  TimedOut: 124,
  /** `run`: the command was found, but cannot be executed; as a shell has it. */
  NotExecutable: 126,
  /** `run`: there is no such command. */
  NotFound: 127,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** Tells the exit code for what a signal has ended, as a shell does: 128 and the number of the signal. */
export function exitCodeOf(signal: string): number {
  const numbers: Readonly<Record<string, number>> = constants.signals;
  return 128 + (numbers[signal] ?? 0);
}

/** Which exit code a failure ends with. A code that is missing here is not a failure of the user's. */
const EXIT_CODES = {
  'manifest-not-found': ExitCode.Usage,
  'manifest-invalid': ExitCode.Usage,
  'manifest-unsupported': ExitCode.Usage,
  'service-unknown': ExitCode.Usage,
  usage: ExitCode.Usage,
  'start-failed': ExitCode.Failed,
  'supervisor-failed': ExitCode.Failed,
  'records-unwritable': ExitCode.Failed,
  'report-unwritable': ExitCode.Failed,
  'tool-missing': ExitCode.Failed,
  'send-failed': ExitCode.Failed,
  'tool-failed': ExitCode.Failed,
  unsafe: ExitCode.Failed,
  survivors: ExitCode.Survivors,
  'port-taken': ExitCode.Stranger,
  'name-taken': ExitCode.Stranger,
  'command-not-executable': ExitCode.NotExecutable,
  'command-not-found': ExitCode.NotFound,
  locked: ExitCode.Locked,
} as const;

export type ErrorCode = keyof typeof EXIT_CODES;

/**
 * A failure that the person at the keyboard can act on, printed as two lines without a stack trace.
 *
 * `message` says what happened and to which service, file or line; `hint` is the next thing to do.
 * A broken invariant of our own is never a DevctlError: it stays a plain Error with a stack.
 */
export class DevctlError extends Error {
  override readonly name = 'DevctlError';
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }

  get exitCode(): ExitCode {
    return EXIT_CODES[this.code];
  }
}

/** The errno name of a failed system call (`'ENOENT'`), undefined for anything else that was thrown. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}

/** What went wrong, in one sentence, for a report or a log. */
export function inWords(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
