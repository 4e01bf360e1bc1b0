import { exitCodeOf } from '../../errors.ts';
import type { Exit } from '../../project/service-record.ts';
import type { StateKind } from '../../services/lifecycle/states.ts';

/** One service of a `devctl up`: the facts that decide whether the `up` ends. */
export interface UpService {
  readonly name: string;
  readonly kind: StateKind;
  /** How it ended. Null while it lives, and where that is not known. */
  readonly exit: Exit | null;
  /** True for a task, which is expected to end. */
  readonly oneShot: boolean;
}

export interface UpRules {
  /** The service with which `devctl up` ends, and whose exit code it takes. */
  readonly exitCodeFrom: string | null;
  /** True: `devctl up` ends as soon as any service has ended. */
  readonly abortOnExit: boolean;
}

/** Why `devctl up` ends, in words, and its exit code. */
export interface UpVerdict {
  readonly why: string;
  readonly code: number;
}

/** The verdict of an `up` whose services another devctl has stopped. */
export const STOPPED_BY_OTHER: UpVerdict = {
  why: 'everything was stopped by another devctl',
  code: 0,
};

/**
 * Decides whether `devctl up` ends by itself, and with which exit code.
 *
 * @param services in the order in which they ended; living services come last
 * @param begun true when the start has finished
 * @returns null: `devctl up` goes on
 */
export function upEnded(
  services: readonly UpService[],
  rules: UpRules,
  begun: boolean,
): UpVerdict | null {
  const codeOf = ({ kind, exit }: UpService): number => {
    if (exit?.code != null) return exit.code;
    if (exit?.signal != null) return exitCodeOf(exit.signal);
    return kind === 'exited' ? 0 : 1;
  };
  const named = services.find(({ name }) => name === rules.exitCodeFrom);
  if (named && hasEnded(named.kind)) return { why: endOf(named), code: codeOf(named) };
  const first = services.find((service) => endedByItself(service) && !isTaskDone(service));
  if (rules.abortOnExit && first) {
    const code = codeOf(first);
    return { why: endOf(first), code: rules.exitCodeFrom === null ? code : code || 1 };
  }
  if (!begun || !services.every(({ kind }) => hasEnded(kind))) return null;
  const failed = services.filter(({ kind }) => kind === 'failed');
  const why = services.every(({ kind }) => kind === 'idle')
    ? STOPPED_BY_OTHER.why
    : 'everything has ended';
  return { why, code: failed.length > 0 ? 1 : 0 };
}

function hasEnded(kind: StateKind): boolean {
  return kind === 'exited' || kind === 'failed' || kind === 'idle';
}

/** False for a service that another devctl has stopped or restarts. */
function endedByItself({ kind }: UpService): boolean {
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
