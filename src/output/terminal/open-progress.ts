import type { Progress } from './progress.ts';
import { createSpinnerProgress } from './spinner.ts';
import { colorEnabled, type OutputStream } from './theme.ts';
import { printableLines } from './width.ts';

export interface ProgressOptions {
  /** True for --color, false for --no-color, undefined for neither. */
  readonly color?: boolean | undefined;
  readonly stream?: OutputStream;
  readonly env?: NodeJS.ProcessEnv;
}

/** Opens a spinner on a real terminal. Elsewhere it prints lines on which a task runner or a log can rely. */
export function openProgress(options: ProgressOptions = {}): Progress {
  const { stream = process.stderr, env = process.env } = options;
  if (!canSpin(stream, env)) return createLineProgress(stream);
  return createSpinnerProgress(stream, colorEnabled(stream, options.color, env));
}

/**
 * True when a spinner works on the stream. A terminal of 0 columns (ssh, docker exec, expect, Kubernetes)
 * must never get one, because ora divides by the columns and clears infinitely many lines.
 */
export function canSpin(stream: OutputStream, env: NodeJS.ProcessEnv): boolean {
  const isTerminal = stream.isTTY === true && (stream.columns ?? 0) > 0;
  return isTerminal && env.TERM !== 'dumb' && !isCi(env);
}

function isCi(env: NodeJS.ProcessEnv): boolean {
  const ci = env.CI;
  return ci !== undefined && ci !== '' && ci !== 'false' && ci !== '0';
}

/**
 * Creates a progress of plain lines. VS Code's problem matchers and CI logs match them, so they are part of
 * the interface.
 */
function createLineProgress(stream: OutputStream): Progress {
  const print = (line: string): void => void stream.write(`devctl: ${printableLines(line)}\n`);
  return {
    expect: () => {},
    answered: () => {},
    pending: (service, doing) => print(`${doing} ${service}`),
    succeeded: (service, outcome) => print(`${service} ${outcome}`),
    failed: (service, outcome) => print(`${service} ${outcome}`),
    note: print,
    close: () => {},
  };
}
