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
  type LifecycleState,
  recordedState,
  type StateKind,
  type StatePlace,
} from './states.ts';

export type In<Kind extends StateKind> = Extract<LifecycleState, { kind: Kind }>;
export type On<Kind extends LifecycleEventKind> = Extract<LifecycleEvent, { kind: Kind }>;

/** One field of the table: what this event does to a service in this state. */
export type Move<
  State extends LifecycleState = LifecycleState,
  Event extends LifecycleEvent = LifecycleEvent,
> = (life: State, event: Event, now: LifecycleInput) => Step;

export type Alive = 'starting' | 'running' | 'ready' | 'unhealthy';

/** It can happen at any time (a repetition, an answer that crossed with an order) and means nothing here. */
export function ignore(why: string): (life: LifecycleState) => Step {
  return (life) => ({ state: life, effects: [], refusal: { kind: 'ignored', why } });
}

/** Nobody who keeps the contract of `LifeEffect` sends this. The state stays as it was. */
export function impossible(why: string): (life: LifecycleState) => Step {
  return (life) => ({ state: life, effects: [], refusal: { kind: 'impossible', why } });
}

/** Whoever asks begins anew: what was restarted before counts no longer. */
export const wait: Move<In<'idle' | 'exited' | 'failed' | 'backoff'>, On<'askedToStart'>> = (
  life,
  _event,
  now,
) => enter({ ...life, restarts: NO_RESTARTS }, now, { kind: 'waiting' });

export const beginSpawn: Move<In<'waiting' | 'backoff'>, On<'dependenciesMet' | 'pauseOver'>> = (
  life,
  _event,
  now,
) => {
  const run = life.run + 1;
  return enter(life, now, { kind: 'spawning', run }, { kind: 'spawn', run });
};

export const giveUp: Move<In<'waiting'>, On<'dependencyFailed'>> = (life, event, now) => {
  const reason = `not started: it needs ${event.chain.join(', which needs ')}, which ${event.why}`;
  return enter(life, now, { kind: 'failed', exit: null, reason });
};

export const comeUp: Move<In<'spawning'>, On<'spawned'>> = (life, event, now) => {
  const leader = event.identity;
  return event.probed
    ? enter(life, now, { kind: 'starting', leader }, { kind: 'startProbe', run: life.run })
    : enter(life, now, { kind: 'running', leader });
};

export const adoptRun: Move<In<'idle' | 'waiting'>, On<'adopted'>> = (life, event, now) => {
  const run = life.run + 1;
  const leader = event.identity;
  const from = { ...life, restarts: { ...NO_RESTARTS, total: event.restarts } };
  if (!event.probed) return enter(from, now, { kind: 'running', run, leader });
  if (event.wasReady) return enter(from, now, { kind: 'ready', run, leader });
  return enter(from, now, { kind: 'starting', run, leader }, { kind: 'startProbe', run });
};

export const restoreDone: Move<In<'idle'>, On<'recalled'>> = (life, event, now) => {
  const { exit, reason } = event;
  const from = { ...life, restarts: { ...NO_RESTARTS, total: event.restarts } };
  return enter(from, now, { kind: 'exited', run: life.run + 1, exit, reason, done: true });
};

export const becomeReady: Move<In<'starting' | 'unhealthy'>, On<'probeSucceeded'>> = (
  life,
  _event,
  now,
) => enter(life, now, { kind: 'ready', leader: life.leader });

export const regain: Move<In<'unhealthy'>, On<'healthRegained'>> = (life, _event, now) =>
  life.was === 'starting'
    ? ignore('it has not been well yet')(life)
    : enter(life, now, { kind: life.was, leader: life.leader });

/** Asked to start once more, it gets another chance to become ready. It is not spawned again. */
export const probeAgain: Move<In<'unhealthy'>, On<'askedToStart'>> = (life, _event, now) =>
  life.was === 'starting'
    ? enter(
        life,
        now,
        { kind: 'starting', leader: life.leader },
        { kind: 'startProbe', run: life.run },
      )
    : ignore('it is up, though not well')(life);

export const startAgain: Move<In<'exited'>, On<'askedToStart'>> = (life, event, now) =>
  life.done && now.terms?.oneShot ? ignore('it is done')(life) : wait(life, event, now);

/** Also where its leader is dead: what that left behind may live on. */
export const beginStopping: Move<
  In<Alive | 'exited' | 'failed' | 'clearing' | 'backoff'>,
  On<'askedToStop'>
> = (life, _event, now) => endTree(life, null, now);

export const handOver: Move<In<Alive | 'clearing' | 'backoff'>, On<'standDown'>> = (
  life,
  _event,
  now,
) => enter(life, now, stopping(life, null));

export const stopAgain: Move<In<'stopping'>, On<'askedToStop'>> = (life) => ({
  state: { ...life, reason: null },
  effects: [{ kind: 'stopTree', run: life.run, command: false }],
  refusal: null,
});

/** Two who end the same would go on by turns, and the slower one might meet what is started next. */
export const leaveStop: Move<In<'stopping'>, On<'standDown'>> = (life) => ({
  state: { ...life, reason: null },
  effects: [{ kind: 'leaveTree', run: life.run }],
  refusal: null,
});

export const cancelStart: Move<In<'waiting'>, On<'askedToStop' | 'standDown'>> = (
  life,
  _event,
  now,
) => enter(life, now, { kind: 'idle' });

export const cancel: Move<In<'spawning'>, On<'askedToStop' | 'standDown'>> = (life, event, now) =>
  enter(life, now, { kind: 'cancelling', endsTree: event.kind === 'askedToStop' });

/** Who was asked last is the one who ends what the spawn brings. */
export const cancelAgain: Move<In<'cancelling'>, On<'askedToStop' | 'standDown'>> = (
  life,
  { kind },
) => ({ state: { ...life, endsTree: kind === 'askedToStop' }, effects: [], refusal: null });

/** Spawned or not: there is a record now that only a stop may remove. */
export const endCancelled: Move<In<'cancelling'>, On<'spawned' | 'spawnFailed'>> = (
  life,
  event,
  now,
) => {
  const leader = event.kind === 'spawned' ? event.identity : null;
  const ending = { kind: 'stopTree', run: life.run, command: leader !== null } as const;
  const place: StatePlace = { kind: 'stopping', leader, exit: null, reason: null };
  return enter(life, now, place, ...(life.endsTree ? [ending] : []));
};

/**
 * The exit is told, but not recorded: from the order to stop on the record belongs to the stop,
 * and writing it here could bring back one that was removed after the proof.
 */
export const endAsAsked: Move<In<'stopping'>, On<'exited'>> = (life, { exit }) => ({
  state: { ...life, exit },
  effects: [{ kind: 'tell', from: 'stopping', to: 'stopping', reason: exitInWords(exit) }],
  refusal: null,
});

export const becomeIdle: Move<
  In<Alive | 'exited' | 'failed' | 'backoff' | 'stopping'>,
  On<'stopped'>
> = (life, _event, now) => enter(life, now, { kind: 'idle' });

const UNKNOWN: Exit = { code: null, signal: null };

export const endStopped: Move<In<'stopping'>, On<'stopped'>> = (life, event, now) =>
  life.reason === null
    ? becomeIdle(life, event, now)
    : enter(life, now, { kind: 'failed', exit: life.exit ?? UNKNOWN, reason: life.reason });

/** The news of an end that was proved before may come late. */
export const hadEnded: Move<In<'failed'>, On<'exited'>> = (life) =>
  life.exit !== null && life.exit.code === null && life.exit.signal === null
    ? ignore('its end was proved before it was reported')(life)
    : impossible('it has no process')(life);

export const failStuck: Move<In<'clearing' | 'backoff' | 'stopping'>, On<'stuck'>> = (
  life,
  { reason },
  now,
) => {
  const before = 'reason' in life && life.reason !== null ? `${life.reason}, but ` : '';
  return enter(life, now, { kind: 'failed', exit: life.exit, reason: `${before}${reason}` });
};

function stopping(life: LifecycleState, reason: string | null): StatePlace & { kind: 'stopping' } {
  return { kind: 'stopping', leader: leaderOf(life), exit: null, reason };
}

/** @param reason null: somebody has asked for it */
export function endTree(life: LifecycleState, reason: string | null, now: LifecycleInput): Step {
  const command = leaderOf(life) !== null;
  return enter(life, now, stopping(life, reason), { kind: 'stopTree', run: life.run, command });
}

/** Goes to the next state, with the record and the listeners in step, whatever else is to be done. */
export function enter(
  from: LifecycleState,
  { nowMs }: LifecycleInput,
  to: StatePlace & { readonly run?: number },
  ...work: readonly LifecycleEffect[]
): Step {
  const state: LifecycleState = { run: from.run, restarts: from.restarts, ...to, sinceMs: nowMs };
  const reason = reasonOf(state);
  const effects: LifecycleEffect[] = [];
  // A probe belongs to one starting. Stopping one that has just answered does no harm.
  if (from.kind === 'starting') effects.push({ kind: 'stopProbe', run: from.run });
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

function leaderOf(life: LifecycleState): Identity | null {
  return 'leader' in life ? life.leader : null;
}

function exitOf(life: LifecycleState): Exit | null {
  return 'exit' in life ? life.exit : null;
}

function reasonOf(life: LifecycleState): string | null {
  return 'reason' in life ? life.reason : null;
}
