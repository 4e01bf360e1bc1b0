import type { Identity } from '../processes/identity.ts';
import type { Exit } from '../project/service-record.ts';
import {
  exitInWords,
  type Life,
  type LifeEffect,
  type LifeEvent,
  type LifeEventKind,
  type LifeKind,
  recordedState,
  type Step,
} from './life.ts';

export type In<Kind extends LifeKind> = Extract<Life, { kind: Kind }>;
export type On<Kind extends LifeEventKind> = Extract<LifeEvent, { kind: Kind }>;

/** One field of the table: what this event does to a service in this state. */
export type Move<State extends Life = Life, Event extends LifeEvent = LifeEvent> = (
  life: State,
  event: Event,
  nowMs: number,
) => Step;

/** It can happen at any time (a repetition, an answer that crossed with an order) and means nothing here. */
export function ignore(why: string): (life: Life) => Step {
  return (life) => ({ state: life, effects: [], refusal: { kind: 'ignored', why } });
}

/** Nobody who keeps the contract of `LifeEffect` sends this. The state stays as it was. */
export function impossible(why: string): (life: Life) => Step {
  return (life) => ({ state: life, effects: [], refusal: { kind: 'impossible', why } });
}

export const wait: Move<In<'idle' | 'exited' | 'failed'>, On<'askedToStart'>> = (
  life,
  _event,
  nowMs,
) => enter(life, { kind: 'waiting', run: life.run, sinceMs: nowMs });

export const spawn: Move<In<'waiting'>, On<'dependenciesMet'>> = (life, _event, nowMs) => {
  const run = life.run + 1;
  return enter(life, { kind: 'spawning', run, sinceMs: nowMs }, { kind: 'spawn', run });
};

export const giveUp: Move<In<'waiting'>, On<'dependencyFailed'>> = (life, event, nowMs) => {
  const reason = `not started: it needs ${event.chain.join(', which needs ')}, which ${event.why}`;
  return enter(life, { kind: 'failed', run: life.run, sinceMs: nowMs, exit: null, reason });
};

export const comeUp: Move<In<'spawning'>, On<'spawned'>> = (life, event, nowMs) => {
  const alive = { run: life.run, sinceMs: nowMs, leader: event.identity };
  return event.probed
    ? enter(life, { kind: 'starting', ...alive }, { kind: 'startProbe', run: life.run })
    : enter(life, { kind: 'running', ...alive });
};

export const notSpawned: Move<In<'spawning'>, On<'spawnFailed'>> = (
  life,
  { reason, exit = null },
  nowMs,
) => enter(life, { kind: 'failed', run: life.run, sinceMs: nowMs, exit, reason });

export const adopt: Move<In<'idle' | 'waiting'>, On<'adopted'>> = (life, event, nowMs) => {
  const run = life.run + 1;
  const alive = { run, sinceMs: nowMs, leader: event.identity };
  if (!event.probed) return enter(life, { kind: 'running', ...alive });
  if (event.wasReady) return enter(life, { kind: 'ready', ...alive });
  return enter(life, { kind: 'starting', ...alive }, { kind: 'startProbe', run });
};

export const becomeReady: Move<In<'starting' | 'unhealthy'>, On<'probeSucceeded'>> = (
  life,
  _event,
  nowMs,
) => enter(life, { kind: 'ready', run: life.run, sinceMs: nowMs, leader: life.leader });

/** The process is left alive: whoever asked for it decides, with the log at hand. */
export const timeOut: Move<In<'starting'>, On<'probeTimedOut'>> = (life, { reason }, nowMs) =>
  enter(life, { kind: 'unhealthy', run: life.run, sinceMs: nowMs, leader: life.leader, reason });

/** Asked to start once more, it gets another chance to become ready. It is not spawned again. */
export const probeAgain: Move<In<'unhealthy'>, On<'askedToStart'>> = (life, _event, nowMs) =>
  enter(
    life,
    { kind: 'starting', run: life.run, sinceMs: nowMs, leader: life.leader },
    { kind: 'startProbe', run: life.run },
  );

export const failToStart: Move<In<'starting' | 'unhealthy'>, On<'exited'>> = (
  life,
  { exit },
  nowMs,
) => {
  const reason = `${exitInWords(exit)} before it was ready`;
  const failed: Life = { kind: 'failed', run: life.run, sinceMs: nowMs, exit, reason };
  return enter(life, failed);
};

/** Nobody asked it to end. Only code 0 lets it pass for work that is done. */
export const endByItself: Move<In<'running' | 'ready'>, On<'exited'>> = (life, { exit }, nowMs) => {
  const kind = exit.code === 0 && exit.signal === null ? 'exited' : 'failed';
  return enter(life, { kind, run: life.run, sinceMs: nowMs, exit, reason: exitInWords(exit) });
};

export const stop: Move<In<'starting' | 'running' | 'ready' | 'unhealthy'>, On<'askedToStop'>> = (
  life,
  _event,
  nowMs,
) =>
  enter(life, stopping(life, life.leader, nowMs), {
    kind: 'stopTree',
    run: life.run,
  });

export const letStop: Move<In<'starting' | 'running' | 'ready' | 'unhealthy'>, On<'standDown'>> = (
  life,
  _event,
  nowMs,
) => enter(life, stopping(life, life.leader, nowMs));

/** Its leader is dead, but what the leader left behind may live on. */
export const stopLeftovers: Move<In<'exited' | 'failed' | 'stopping'>, On<'askedToStop'>> = (
  life,
) => ({
  state: life,
  effects: [{ kind: 'stopTree', run: life.run }],
  refusal: null,
});

export const dropOut: Move<In<'waiting'>, On<'askedToStop' | 'standDown'>> = (
  life,
  _event,
  nowMs,
) => enter(life, { kind: 'idle', run: life.run, sinceMs: nowMs });

export const cancel: Move<In<'spawning'>, On<'askedToStop' | 'standDown'>> = (life, event, nowMs) =>
  enter(life, {
    kind: 'cancelling',
    run: life.run,
    sinceMs: nowMs,
    endsTree: event.kind === 'askedToStop',
  });

export const cancelOurselves: Move<In<'cancelling'>, On<'askedToStop'>> = (life) => ({
  state: { ...life, endsTree: true },
  effects: [],
  refusal: null,
});

/** Spawned or not: there is a record now that only a stop may remove. */
export const endCancelled: Move<In<'cancelling'>, On<'spawned' | 'spawnFailed'>> = (
  life,
  event,
  nowMs,
) =>
  enter(
    life,
    stopping(life, event.kind === 'spawned' ? event.identity : null, nowMs),
    ...(life.endsTree ? [{ kind: 'stopTree', run: life.run } as const] : []),
  );

/**
 * The exit is told, but not recorded: from the order to stop on the record belongs to the stop,
 * and writing it here could bring back one that was removed after the proof.
 */
export const endAsAsked: Move<In<'stopping'>, On<'exited'>> = (life, { exit }) => ({
  state: { ...life, exit },
  effects: [{ kind: 'tell', from: 'stopping', to: 'stopping', reason: exitInWords(exit) }],
  refusal: null,
});

export const rest: Move<
  In<'starting' | 'running' | 'ready' | 'unhealthy' | 'stopping'>,
  On<'stopped'>
> = (life, _event, nowMs) => enter(life, { kind: 'idle', run: life.run, sinceMs: nowMs });

function stopping(life: Life, leader: Identity | null, nowMs: number): Life {
  return { kind: 'stopping', run: life.run, sinceMs: nowMs, leader, exit: null };
}

/** Goes to the next state, with the record and the listeners in step, whatever else is to be done. */
function enter(from: Life, to: Life, ...work: readonly LifeEffect[]): Step {
  const reason = reasonOf(to);
  const effects: LifeEffect[] = [];
  // A probe belongs to one starting. Stopping one that has just answered does no harm.
  if (from.kind === 'starting') effects.push({ kind: 'stopProbe', run: from.run });
  const state = recordedState(to.kind);
  const leader = leaderOf(to);
  if (state !== null && (state !== recordedState(from.kind) || leader !== leaderOf(from))) {
    effects.push({ kind: 'writeRecord', run: to.run, state, reason, leader, exit: exitOf(to) });
  }
  effects.push(...work, { kind: 'tell', from: from.kind, to: to.kind, reason });
  return { state: to, effects, refusal: null };
}

function leaderOf(life: Life): Identity | null {
  return 'leader' in life ? life.leader : null;
}

function exitOf(life: Life): Exit | null {
  return 'exit' in life ? life.exit : null;
}

function reasonOf(life: Life): string | null {
  return 'reason' in life ? life.reason : null;
}
