import type { Exit } from '../../project/service-record.ts';
import type { StateKind } from '../../services/lifecycle/states.ts';

/** One service of a `devctl up`, as far as its end is concerned. */
export interface UpService {
  readonly name: string;
  readonly kind: StateKind;
  /** How it ended; null while it lives, and where that is not known. */
  readonly exit: Exit | null;
  /** Is it a task that is expected to end? */
  readonly oneShot: boolean;
}

export interface UpRules {
  /** Ends with this service, with its exit code. */
  readonly exitCodeFrom: string | null;
  /** Ends as soon as any service has ended. */
  readonly abortOnExit: boolean;
}

export interface UpVerdict {
  /** For people. */
  readonly why: string;
  readonly code: number;
}

/**
 * Shall `devctl up` end by itself, and with which exit code? Null: it goes on.
 *
 * @param services in the order in which they ended, those that live last
 * @param begun has everything been started that was to be?
 * @param signalNumber of a signal by its name
 */
export function upEnded(
  services: readonly UpService[],
  rules: UpRules,
  begun: boolean,
  signalNumber: (name: string) => number,
): UpVerdict | null {
  const codeOf = ({ kind, exit }: UpService): number => {
    if (exit?.code != null) return exit.code;
    if (exit?.signal != null) return 128 + signalNumber(exit.signal);
    return kind === 'exited' ? 0 : 1;
  };
  const named = services.find(({ name }) => name === rules.exitCodeFrom);
  if (named && hasEnded(named.kind)) return { why: endOf(named), code: codeOf(named) };
  const first = services.find((one) => isEndByItself(one) && !isTaskDone(one));
  if (rules.abortOnExit && first) {
    const code = codeOf(first);
    return { why: endOf(first), code: rules.exitCodeFrom === null ? code : code || 1 };
  }
  if (!begun || !services.every(({ kind }) => hasEnded(kind))) return null;
  const failed = services.filter((one) => one.kind === 'failed');
  const why = services.every(({ kind }) => kind === 'idle')
    ? 'everything was stopped by another devctl'
    : 'everything has ended';
  return { why, code: failed.length > 0 ? 1 : 0 };
}

function hasEnded(kind: StateKind): boolean {
  return kind === 'exited' || kind === 'failed' || kind === 'idle';
}

/** What somebody stopped or restarts has not ended by itself. */
function isEndByItself({ kind }: UpService): boolean {
  return kind === 'exited' || kind === 'failed';
}

function isTaskDone({ oneShot, kind }: UpService): boolean {
  return oneShot && kind === 'exited';
}

function endOf({ name, kind, exit }: UpService): string {
  if (kind === 'idle') return `${name} was stopped by another devctl`;
  if (exit?.signal != null) return `${name} was ended by ${exit.signal}`;
  if (exit?.code != null) return `${name} exited with code ${exit.code}`;
  return kind === 'failed' ? `${name} has failed` : `${name} has ended`;
}
