import type { Identity } from '../../processes/identity.ts';
import type { Exit } from '../../project/service-record.ts';
import type {
  LifecycleEffect,
  LifecycleEvent,
  LifecycleEventKind,
  LifecycleInput,
  Step,
} from './events.ts';
import { NO_RESTARTS } from './restart-policy.ts';
import {
  exitInWords,
  isProbedForReadiness,
  type LifecycleState,
  recordedState,
  type StateKind,
  type StatePlace,
} from './states.ts';

/** The state of this kind. */
export type In<Kind extends StateKind> = Extract<LifecycleState, { kind: Kind }>;
/** The event of this kind. */
export type On<Kind extends LifecycleEventKind> = Extract<LifecycleEvent, { kind: Kind }>;

/** One field of the table: the decision for an event in a state. */
export type Move<
  State extends LifecycleState = LifecycleState,
  Event extends LifecycleEvent = LifecycleEvent,
> = (state: State, event: Event, now: LifecycleInput) => Step;

/** The states in which the leader is alive. */
export type Alive = 'starting' | 'running' | 'ready' | 'unhealthy';

/**
 * Builds the move for an event that may come at any time (a repetition, an answer that crossed with an order)
 * and means nothing in this state.
 */
export function ignore(why: string): (state: LifecycleState) => Step {
  return (state) => ({ state, effects: [], refusal: { kind: 'ignored', why } });
}

/**
 * Builds the move for an event that no supervisor sends that keeps the contract of `LifecycleEffect`. The state
 * stays as it was.
 */
export function impossible(why: string): (state: LifecycleState) => Step {
  return (state) => ({ state, effects: [], refusal: { kind: 'impossible', why } });
}

/** Begins a start that somebody asked for. Earlier restarts no longer count. */
export const beginWaiting: Move<
  In<'idle' | 'exited' | 'failed' | 'backoff'>,
  On<'askedToStart'>
> = (state, _event, now) => enter({ ...state, restarts: NO_RESTARTS }, now, { kind: 'waiting' });

export const beginSpawn: Move<In<'waiting' | 'backoff'>, On<'dependenciesMet' | 'pauseOver'>> = (
  state,
  _event,
  now,
) => {
  const run = state.run + 1;
  return enter(state, now, { kind: 'spawning', run }, { kind: 'spawn', run });
};

export const failDependency: Move<In<'waiting'>, On<'dependencyFailed'>> = (state, event, now) => {
  const reason = `waits for ${event.chain.join(', which needs ')}, which ${event.why}`;
  return enter(state, now, { kind: 'failed', exit: null, reason, blockedBy: event.chain });
};

/** Brings a spawned service up, or starts its readiness probe. */
export const completeSpawn: Move<In<'spawning'>, On<'spawned'>> = (state, event, now) => {
  const leader = event.identity;
  return event.probed
    ? enter(state, now, { kind: 'starting', leader }, startProbe(state.run))
    : enter(state, now, { kind: 'running', leader });
};

/** Takes over a living run of an earlier supervisor. */
export const adoptRun: Move<In<'idle' | 'waiting'>, On<'adopted'>> = (state, event, now) => {
  const run = state.run + 1;
  const leader = event.identity;
  const from = { ...state, restarts: { ...NO_RESTARTS, total: event.restarts } };
  if (event.unhealthy) {
    const probe = event.unhealthy.was === 'starting' ? [startProbe(run, true)] : [];
    return enter(from, now, { kind: 'unhealthy', run, leader, ...event.unhealthy }, ...probe);
  }
  if (!event.probed) return enter(from, now, { kind: 'running', run, leader });
  if (event.wasReady) return enter(from, now, { kind: 'ready', run, leader });
  return enter(from, now, { kind: 'starting', run, leader }, startProbe(run));
};

/** Takes over the result of a task that was done under an earlier supervisor. */
export const restoreDone: Move<In<'idle'>, On<'recalled'>> = (state, event, now) => {
  const { exit, reason } = event;
  const from = { ...state, restarts: { ...NO_RESTARTS, total: event.restarts } };
  return enter(from, now, { kind: 'exited', run: state.run + 1, exit, reason, done: true });
};

export const becomeReady: Move<In<'starting' | 'unhealthy'>, On<'probeSucceeded'>> = (
  state,
  _event,
  now,
) => enter(state, now, { kind: 'ready', leader: state.leader });

/** Follows a daemon, which has to show by itself that it is ready. */
export const followDaemon: Move<In<Alive>, On<'daemonized'>> = (state, { identity }, now) =>
  enter(state, now, { kind: 'starting', leader: identity }, startProbe(state.run));

/** Tells news of a service that is not ready yet. */
export const tellNews: Move<In<'starting'>, On<'noticed'>> = (state, { what, isAnswer }) => {
  const news = isAnswer ? { reason: null, answer: what } : { reason: what };
  const tell = { kind: 'tell', from: 'starting', to: 'starting', ...news } as const;
  return { state, effects: [tell], refusal: null };
};

export const regainHealth: Move<In<'unhealthy'>, On<'healthRegained'>> = (state, _event, now) =>
  state.was === 'starting'
    ? ignore('it has not been well yet')(state)
    : enter(state, now, { kind: state.was, leader: state.leader });

/** Gives a service that did not become ready in time another chance, without spawning it again. */
export const probeAgain: Move<In<'unhealthy'>, On<'askedToStart'>> = (state, _event, now) =>
  state.was === 'starting'
    ? enter(state, now, { kind: 'starting', leader: state.leader }, startProbe(state.run))
    : ignore('it is up, though not well')(state);

/** Starts a service that has ended with success, unless it is a task that is done. */
export const startAgain: Move<In<'exited'>, On<'askedToStart'>> = (state, event, now) =>
  state.done && now.terms?.oneShot ? ignore('it is done')(state) : beginWaiting(state, event, now);

/** Ends a run, also when its leader is dead, because descendants of the leader may live on. */
export const beginStopping: Move<
  In<Alive | 'exited' | 'failed' | 'clearing' | 'backoff'>,
  On<'askedToStop'>
> = (state, _event, now) => endTree(state, null, now);

/** Leaves a run to another process that ends it. */
export const handOver: Move<In<Alive | 'clearing' | 'backoff'>, On<'standDown'>> = (
  state,
  _event,
  now,
) => enter(state, now, stopping(state, null));

/** Repeats the order to end a run. A reason for the stop no longer counts, because somebody asks for it now. */
export const stopAgain: Move<In<'stopping'>, On<'askedToStop'>> = (state) => ({
  state: { ...state, reason: null },
  effects: [{ kind: 'stopTree', run: state.run, command: false }],
  refusal: null,
});

/**
 * Leaves a stop to another process that ends the same run. Two processes that end it would act by turns, and
 * the slower one might meet the processes of the next start.
 */
export const handOverStop: Move<In<'stopping'>, On<'standDown'>> = (state) => ({
  state: { ...state, reason: null },
  effects: [{ kind: 'leaveTree', run: state.run }],
  refusal: null,
});

/** Cancels a start that waits for dependencies. */
export const cancelStart: Move<In<'waiting'>, On<'askedToStop' | 'standDown'>> = (
  state,
  _event,
  now,
) => enter(state, now, { kind: 'idle' });

/** Cancels a spawn that is not answered yet. */
export const cancelSpawn: Move<In<'spawning'>, On<'askedToStop' | 'standDown'>> = (
  state,
  event,
  now,
) => enter(state, now, { kind: 'cancelling', endsTree: event.kind === 'askedToStop' });

/** Takes note of the last request, which decides whether this supervisor ends the process that the spawn brings. */
export const cancelSpawnAgain: Move<In<'cancelling'>, On<'askedToStop' | 'standDown'>> = (
  state,
  { kind },
) => ({ state: { ...state, endsTree: kind === 'askedToStop' }, effects: [], refusal: null });

/**
 * Ends a spawn that was cancelled before it was answered. Even if it failed there is a record now, which only a
 * stop may remove.
 */
export const endCancelled: Move<In<'cancelling'>, On<'spawned' | 'spawnFailed'>> = (
  state,
  event,
  now,
) => {
  const leader = event.kind === 'spawned' ? event.identity : null;
  const ending = { kind: 'stopTree', run: state.run, command: leader !== null } as const;
  const place: StatePlace = { kind: 'stopping', leader, exit: null, reason: null };
  return enter(state, now, place, ...(state.endsTree ? [ending] : []));
};

/**
 * Tells the exit of the leader during a stop, but does not record it. From the order to stop on the record
 * belongs to the stop, and writing it here could bring back a record that was removed after the proof.
 */
export const exitWhileStopping: Move<In<'stopping'>, On<'exited'>> = (state, { exit }) => ({
  state: { ...state, exit },
  effects: [{ kind: 'tell', from: 'stopping', to: 'stopping', reason: exitInWords(exit) }],
  refusal: null,
});

export const becomeIdle: Move<
  In<Alive | 'exited' | 'failed' | 'backoff' | 'stopping'>,
  On<'stopped'>
> = (state, _event, now) => enter(state, now, { kind: 'idle' });

const UNKNOWN: Exit = { code: null, signal: null };

/** Ends a stop whose proof is there: the service is idle, or has failed when nobody asked for the stop. */
export const endStopped: Move<In<'stopping'>, On<'stopped'>> = (state, event, now) =>
  state.reason === null
    ? becomeIdle(state, event, now)
    : enter(state, now, { kind: 'failed', exit: state.exit ?? UNKNOWN, reason: state.reason });

/** Ignores an exit that is reported after a stop has proved it. */
export const ignoreLateEnd: Move<In<'failed'>, On<'exited'>> = (state) =>
  state.exit !== null && state.exit.code === null && state.exit.signal === null
    ? ignore('its end was proved before it was reported')(state)
    : impossible('it has no process')(state);

/** Gives up a run whose remains cannot be ended. */
export const failStuck: Move<In<'clearing' | 'backoff' | 'stopping'>, On<'stuck'>> = (
  state,
  { reason },
  now,
) => {
  const before = 'reason' in state && state.reason !== null ? `${state.reason}, but ` : '';
  return enter(state, now, { kind: 'failed', exit: state.exit, reason: `${before}${reason}` });
};

function stopping(state: LifecycleState, reason: string | null): StatePlace & { kind: 'stopping' } {
  return { kind: 'stopping', leader: leaderOf(state), exit: null, reason };
}

/**
 * Ends every process of a run.
 *
 * @param reason null: somebody has asked for it
 */
export function endTree(state: LifecycleState, reason: string | null, now: LifecycleInput): Step {
  const command = leaderOf(state) !== null;
  return enter(state, now, stopping(state, reason), { kind: 'stopTree', run: state.run, command });
}

/**
 * Enters the next state, keeps the record and the listeners in step, and adds further effects.
 *
 * @param to the next state; with `run` when a new run begins
 */
export function enter(
  from: LifecycleState,
  { nowMs }: LifecycleInput,
  to: StatePlace & { readonly run?: number },
  ...work: readonly LifecycleEffect[]
): Step {
  const state: LifecycleState = { run: from.run, restarts: from.restarts, ...to, sinceMs: nowMs };
  const reason = reasonOf(state);
  const effects: LifecycleEffect[] = [];
  // A readiness probe belongs to one start. Stopping a probe that has just answered does no harm.
  if (isProbedForReadiness(from)) effects.push({ kind: 'stopProbe', run: from.run });
  if (from.kind === 'backoff') effects.push({ kind: 'stopPause', run: from.run });
  if (from.kind === 'clearing' && state.kind === 'stopping') {
    effects.push({ kind: 'leaveTree', run: from.run });
  }
  const recorded = recordedState(state.kind);
  const leader = leaderOf(state);
  if (recorded !== null && (recorded !== recordedState(from.kind) || leader !== leaderOf(from))) {
    const { run, restarts } = state;
    const fields = { state: recorded, reason, leader, exit: exitOf(state) };
    effects.push({ kind: 'writeRecord', run, ...fields, restarts: restarts.total });
  }
  effects.push(...work, { kind: 'tell', from: from.kind, to: state.kind, reason });
  return { state, effects, refusal: null };
}

function startProbe(run: number, late = false): LifecycleEffect {
  return { kind: 'startProbe', run, late };
}

function leaderOf(state: LifecycleState): Identity | null {
  return 'leader' in state ? state.leader : null;
}

function exitOf(state: LifecycleState): Exit | null {
  return 'exit' in state ? state.exit : null;
}

function reasonOf(state: LifecycleState): string | null {
  return 'reason' in state ? state.reason : null;
}
