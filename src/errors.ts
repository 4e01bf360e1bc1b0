import { constants } from 'node:os';

/** Exit codes of all commands; docs/cli.md documents them. `run` passes on the exit code of its command. */
export const ExitCode = {
  Ok: 0,
  Failed: 1,
  Usage: 2,
  /** `status`: not every service that should run is up. */
  NotRunning: 3,
  /** Processes of the project are still alive after a stop. */
  Survivors: 4,
  /** A process that is not ours holds a port or a name. */
  Stranger: 5,
  /** Another devctl command is at work in this project. */
  Locked: 6,
  TimedOut: 124,
  /** `run`: the command was found, but cannot be executed. Shells use the same code. */
  NotExecutable: 126,
  /** `run`: the command does not exist. */
  NotFound: 127,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** Calculates the exit code for an end by a signal as a shell does: 128 and the number of the signal. */
export function exitCodeOf(signal: string): number {
  const numbers: Readonly<Record<string, number>> = constants.signals;
  return 128 + (numbers[signal] ?? 0);
}

/** The exit code of each failure. A failure that is missing here is a fault of devctl, not of the user. */
const EXIT_CODES = {
  'manifest-not-found': ExitCode.Usage,
  'manifest-invalid': ExitCode.Usage,
  'manifest-unsupported': ExitCode.Usage,
  'folder-gone': ExitCode.Usage,
  'folder-moved': ExitCode.Failed,
  'service-unknown': ExitCode.Usage,
  usage: ExitCode.Usage,
  'start-failed': ExitCode.Failed,
  'init-failed': ExitCode.Failed,
  'export-failed': ExitCode.Failed,
  'supervisor-failed': ExitCode.Failed,
  'records-unwritable': ExitCode.Failed,
  'records-shared': ExitCode.Usage,
  'manifest-conflict': ExitCode.Usage,
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
 * A failure that the user can act on, printed as two lines without a stack trace.
 *
 * `message` says what happened, and to which service, file or line. `hint` says what to do next. A broken
 * invariant of devctl is never a DevctlError: it stays a plain Error with a stack.
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

/** Returns the errno name of a failed system call (`'ENOENT'`); undefined for any other error. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}

/** Describes an error in one sentence, for a report or a log. */
export function inWords(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
