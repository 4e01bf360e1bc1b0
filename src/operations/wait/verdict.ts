import type { Exit, ServiceState } from '../../project/service-record.ts';
import { exitInWords } from '../../services/lifecycle/states.ts';

/** The events that a wait may be for. A log line is one too: `log`. */
export const WAITED_EVENTS = ['ready', 'exited', 'completed', 'healthy', 'port', 'log'] as const;
export type WaitedEvent = (typeof WAITED_EVENTS)[number];

/** A service at one moment, as far as a wait for it must know. */
export interface WaitedService {
  readonly state: ServiceState | 'stopped';
  readonly reason: string | null;
  readonly exit: Exit | null;
  /** True for a task that has succeeded. */
  readonly done: boolean;
  readonly isTask: boolean;
  /** Null: its leader does not live. */
  readonly uptimeMs: number | null;
  /** How long a service without a readiness probe must live to count as ready, in ms. */
  readonly settleMs: number;
  /** True when a run of it was seen since the wait began. */
  readonly wasSeen: boolean;
  /** For 'port': the declared ports that no process of this service listens on. */
  readonly closedPorts: readonly (number | string)[];
  /** For 'log': a line of this life matches. */
  readonly hasMatched: boolean;
}

/** Whether a wait is over for one service; `what` says it to people. */
export interface WaitVerdict {
  /** 'failed': what the wait is for can come only with another start. */
  readonly kind: 'met' | 'open' | 'failed';
  readonly what: string;
}

/** Judges whether the event has come for a service, may come, or can no longer come. */
export function judgeWait(event: WaitedEvent, service: WaitedService): WaitVerdict {
  if (event === 'exited' || event === 'completed') return judgeEnd(event, service);
  if (event === 'log' && service.hasMatched) return met('has written it');
  const ended = event === 'log' || event === 'port' ? endOf(service) : null;
  if (ended !== null) return { kind: 'failed', what: ended };
  if (event === 'log') return open(service, 'has not written it');
  if (event === 'port') return judgePorts(service);
  return judgeReady(service);
}

function judgeReady(service: WaitedService): WaitVerdict {
  const { state, done, isTask, uptimeMs, settleMs } = service;
  if (done) return met('done');
  const ended = endOf(service);
  if (ended !== null) return { kind: 'failed', what: ended };
  if (state === 'ready') return met('ready');
  if (state !== 'running' || isTask) return open(service, 'is not ready');
  return uptimeMs !== null && uptimeMs >= settleMs
    ? met('running')
    : open(service, 'has only just begun');
}

function judgePorts({ closedPorts, ...service }: WaitedService): WaitVerdict {
  if (closedPorts.length > 0) return open(service, `does not listen on ${closedPorts.join(', ')}`);
  return service.uptimeMs === null ? open(service, 'does not run') : met('listens');
}

function judgeEnd(event: 'exited' | 'completed', service: WaitedService): WaitVerdict {
  const { state, exit, done, wasSeen } = service;
  const what = endOf(service);
  if (done) return met('done');
  if (state === 'stopped' && wasSeen) {
    return event === 'exited' ? met('was stopped') : { kind: 'failed', what: 'was stopped' };
  }
  if (what === null) return open(service, 'has not ended');
  // Without an exit it was never started, or nobody knows how it ended.
  if (event === 'exited') return { kind: exit || state === 'exited' ? 'met' : 'failed', what };
  const hasSucceeded = state === 'exited' && exit !== null && exit.code !== null;
  return { kind: hasSucceeded ? 'met' : 'failed', what };
}

/** Says how a service has ended; null while it runs, is about to be started again, or may yet be started. */
function endOf({ state, reason, exit }: Pick<WaitedService, 'state' | 'reason' | 'exit'>) {
  if (state !== 'failed' && state !== 'exited') return null;
  if (state === 'exited' && exit === null) return 'has ended, how is not known';
  return reason ?? (exit ? exitInWords(exit) : state);
}

function met(what: string): WaitVerdict {
  return { kind: 'met', what };
}

function open(
  { state, reason }: Pick<WaitedService, 'state' | 'reason'>,
  missing: string,
): WaitVerdict {
  return { kind: 'open', what: `${missing} (${state}${reason === null ? '' : `: ${reason}`})` };
}
