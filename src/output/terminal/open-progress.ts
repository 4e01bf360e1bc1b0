import type { Progress } from './progress.ts';
import { createSpinnerProgress } from './spinner.ts';
import { colorEnabled, type OutputStream } from './theme.ts';
import { printableLines } from './width.ts';

export interface ProgressOptions {
  /** --color or --no-color, undefined for neither. */
  readonly color?: boolean | undefined;
  readonly stream?: OutputStream;
  readonly env?: NodeJS.ProcessEnv;
}

/** Spinner on a real terminal, otherwise lines that a task runner or a log can rely on. */
export function openProgress(options: ProgressOptions = {}): Progress {
  const { stream = process.stderr, env = process.env } = options;
  if (!canSpin(stream, env)) return createLineProgress(stream);
  return createSpinnerProgress(stream, colorEnabled(stream, options.color, env));
}

/**
 * A terminal of 0 columns (ssh, docker exec, expect, Kubernetes) must never get a spinner: ora
 * divides by them and clears infinitely many lines.
 */
export function canSpin(stream: OutputStream, env: NodeJS.ProcessEnv): boolean {
  const isTerminal = stream.isTTY === true && (stream.columns ?? 0) > 0;
  return isTerminal && env.TERM !== 'dumb' && !isCi(env);
}

function isCi(env: NodeJS.ProcessEnv): boolean {
  const ci = env.CI;
  return ci !== undefined && ci !== '' && ci !== 'false' && ci !== '0';
}

/** VS Code's problem matchers and CI logs match these lines: they are part of the interface. */
function createLineProgress(stream: OutputStream): Progress {
  const print = (line: string): void => void stream.write(`devctl: ${printableLines(line)}\n`);
  return {
    pending: (service, doing) => print(`${doing} ${service}`),
    succeeded: (service, outcome) => print(`${service} ${outcome}`),
    failed: (service, outcome) => print(`${service} ${outcome}`),
    note: print,
    close: () => {},
  };
}
