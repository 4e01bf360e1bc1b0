/*
 * The files of this folder, which tells people and programs what happened to a service:
 *
 *   events   which change is which event, and the variables that tell a command about it
 *   gate     when a command may run: one at a time, and not for each turn of a crash loop
 *   desktop  a message on the desktop, by notify-send or by the terminal
 */
import { stripVTControlCharacters } from 'node:util';
import type { HookName } from '../../manifest/resolved.ts';
import type { Exit } from '../../project/service-record.ts';
import type { LifecycleState, StateKind } from '../lifecycle/states.ts';

/** Something that happened to a service, or to all services together. */
export interface HookEvent {
  readonly name: HookName;
  /** Null: all services of the project together. */
  readonly service: string | null;
  /** Why, for people; null where there is nothing to explain. */
  readonly reason: string | null;
  /** How its process ended; null: it lives, or has never lived. */
  readonly exit: Exit | null;
  /** Since the epoch, in ms. */
  readonly atMs: number;
}

/** The states of a service whose process is alive. */
const ALIVE: ReadonlySet<StateKind> = new Set(['starting', 'running', 'ready', 'unhealthy']);

/**
 * Lists the events of a change of state, in their order. `running` is none: only time shows whether a service without a
 * probe is up.
 *
 * @param state the state after the change
 */
export function hookNamesOf(from: StateKind, state: LifecycleState): readonly HookName[] {
  const names: HookName[] = [];
  if (ALIVE.has(from) && exitOf(state) !== null) names.push('exited');
  if (state.kind === 'ready') names.push('ready');
  // Alive, and about to be ended and started again: its leader has not ended by itself.
  const isEnded = ALIVE.has(from) && state.kind === 'clearing' && state.exit === null;
  if (state.kind === 'unhealthy' || isEnded) names.push('unhealthy');
  // One that was blocked has not failed: the service that it needs has, and tells so itself.
  const isBlocked = state.kind === 'failed' && (state.blockedBy ?? []).length > 0;
  if (state.kind === 'failed' && !isBlocked) names.push('failed');
  return names.filter((name) => name !== from);
}

/** How the process ended by itself that this state speaks of; null where it lives, or a stop ended it. */
export function exitOf(state: LifecycleState): Exit | null {
  const endsByItself = state.kind !== 'stopping' && 'exit' in state;
  return endsByItself ? state.exit : null;
}

/** Most bytes of a reason: all variables of an event together stay below 4 KB. */
const MOST_REASON_BYTES = 2_048;

/**
 * Builds the variables that tell a command about an event. Its text goes nowhere else, because in a command line a shell
 * would run parts of it.
 *
 * @param count the number of such events since the command last began
 */
export function eventVariables(event: HookEvent, count: number): Record<string, string> {
  const { name, service, reason, exit, atMs } = event;
  return {
    DEVCTL_EVENT_NAME: name,
    DEVCTL_EVENT_SERVICE: service ?? '',
    DEVCTL_EVENT_REASON: plainText(reason ?? ''),
    DEVCTL_EVENT_EXIT: exit === null ? '' : String(exit.signal ?? exit.code ?? ''),
    DEVCTL_EVENT_COUNT: String(count),
    DEVCTL_EVENT_AT: new Date(atMs).toISOString(),
  };
}

/** Words an event in one line, for people. */
export function eventInWords({ name, service, reason }: HookEvent): string {
  const what = name === 'limit' ? 'is over its limit' : name === 'failed' ? 'has failed' : name;
  return plainText(`${service ?? 'all services together'} ${what}${reason ? `: ${reason}` : ''}`);
}

/** Makes a text from outside safe for a terminal and for a variable: on one line, without control characters, not long. */
function plainText(text: string): string {
  const plain = stripVTControlCharacters(text).replace(/\p{Cc}+/gu, ' ');
  const bytes = Buffer.from(plain);
  if (bytes.length <= MOST_REASON_BYTES) return plain;
  // A character that is cut in the middle becomes U+FFFD.
  return `${bytes
    .subarray(0, MOST_REASON_BYTES)
    .toString('utf8')
    .replace(/\uFFFD+$/, '')}…`;
}
