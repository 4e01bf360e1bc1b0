import type { Identity } from '../../processes/identity.ts';
import type { Exit } from '../../project/service-record.ts';
import type { LifecycleInput, Step } from './events.ts';
import { type Alive, endTree, enter, type In, type Move, type On } from './moves.ts';
import { decideRestart, type EndOfRun, NO_RESTARTS } from './restart-policy.ts';
import { exitInWords, type LifecycleState } from './states.ts';

/** How a run has ended, or why it has to. */
interface End extends EndOfRun {
  readonly reason: string;
  readonly exit: Exit | null;
  /** Null: it is dead. */
  readonly leader: Identity | null;
}

/** A spawn that never worked is a mistake to be told at once; one that worked before may work again. */
export const notSpawned: Move<In<'spawning'>, On<'spawnFailed'>> = (
  life,
  { reason, exit = null, probed = false },
  now,
) => {
  if (exit !== null && !probed) return endAfterUp(life, { reason, exit, wellMs: null }, now);
  const end = { reason, exit, leader: null, failed: true, wellMs: null };
  return life.restarts.total > 0 || exit !== null
    ? orAgain(life, end, now, fail)
    : fail(life, end, now);
};

export const failToStart: Move<In<'starting'>, On<'exited'>> = (life, { exit }, now) => {
  const reason = `${exitInWords(exit)} before it was ready`;
  return orAgain(life, { reason, exit, leader: null, failed: true, wellMs: null }, now, fail);
};

export const endByItself: Move<In<'running' | 'ready'>, On<'exited'>> = (life, { exit }, now) =>
  endAfterUp(life, { reason: exitInWords(exit), exit, wellMs: now.nowMs - life.sinceMs }, now);

/** Nobody asked it to end. Only a code that stands for success lets it pass for work that is done. */
function endAfterUp(
  life: LifecycleState,
  { reason, exit, wellMs }: { reason: string; exit: Exit; wellMs: number | null },
  now: LifecycleInput,
): Step {
  const failed = !isSuccess(exit, now);
  const end = { reason, exit, leader: null, failed, wellMs };
  // It may well have done its task: whoever knows that has to ask for it again.
  const isUnknown = exit.code === null && exit.signal === null;
  if (isUnknown && now.terms?.oneShot) return fail(life, end, now);
  return orAgain(life, end, now, (_life, { reason: why }) =>
    failed
      ? fail(life, { ...end, reason: why }, now)
      : enter(life, now, {
          kind: 'exited',
          exit,
          reason: why,
          done: now.terms?.oneShot ?? false,
        }),
  );
}

export const endUnwell: Move<In<'unhealthy'>, On<'exited'>> = (life, { exit }, now) => {
  const before = life.was === 'starting' ? ' before it was ready' : `; before that: ${life.reason}`;
  const reason = `${exitInWords(exit)}${before}`;
  return orAgain(life, { reason, exit, leader: null, failed: true, wellMs: null }, now, fail);
};

/** Without a restart it is left alive: whoever asked for it decides, with the log at hand. */
export const timeOut: Move<In<'starting'>, On<'probeTimedOut'>> = (life, { reason }, now) => {
  const { leader } = life;
  const end = { reason, exit: null, leader, failed: true, wellMs: null };
  return orAgain(life, end, now, (_life, { reason: why }) =>
    enter(life, now, { kind: 'unhealthy', leader, reason: why, was: 'starting' }),
  );
};

/** Without a restart it is left alive, and asked on. */
export const loseHealth: Move<In<'running' | 'ready'>, On<'healthLost'>> = (
  life,
  { reason },
  now,
) => {
  const { leader, kind } = life;
  const end = { reason, exit: null, leader, failed: true, wellMs: now.nowMs - life.sinceMs };
  return orAgain(life, end, now, (_life, { reason: why }) =>
    enter(life, now, { kind: 'unhealthy', leader, reason: why, was: kind }),
  );
};

/** Who asks for a restart means it, whatever the policy; but its counts hold, and beyond them it is ended. */
export const passLimit: Move<In<Alive>, On<'limitPassed'>> = (life, { reason, action }, now) => {
  const { leader, kind } = life;
  if (action === 'stop') return endTree(life, reason, now);
  const wellMs = kind === 'running' || kind === 'ready' ? now.nowMs - life.sinceMs : null;
  const end = { reason, exit: null, leader, failed: true, wellMs };
  return orAgain(life, end, onFailure(now), (_life, { reason: why }) => endTree(life, why, now));
};

function onFailure(now: LifecycleInput): LifecycleInput {
  const { terms } = now;
  if (terms?.restart.policy !== 'no') return now;
  return { ...now, terms: { ...terms, restart: { ...terms.restart, policy: 'on-failure' } } };
}

/** How long the pause had lasted nobody knows: it begins anew, and with the first one. */
export const resumeRestart: Move<In<'idle'>, On<'interrupted'>> = (
  life,
  { exit, reason, restarts },
  now,
) => {
  const total = Math.max(0, restarts - 1);
  const from = { ...life, run: life.run + 1, restarts: { ...NO_RESTARTS, total } };
  return orAgain(from, { reason, exit, leader: null, failed: true, wellMs: null }, now, fail);
};

export const endCleared: Move<In<'clearing'>, On<'exited'>> = (life, { exit }, now) => {
  const { reason, dueMs, wanted } = life;
  return enter(life, now, { kind: 'clearing', leader: null, exit, reason, dueMs, wanted });
};

/** The one way to a pause, and so to a restart: nothing of the old run is alive. */
export const beginPause: Move<In<'clearing'>, On<'stopped'>> = (life, _event, now) => {
  const { exit, reason, dueMs, wanted, run } = life;
  if (wanted) return enter({ ...life, restarts: NO_RESTARTS }, now, { kind: 'waiting' });
  const ms = Math.max(0, dueMs - now.nowMs);
  return enter(life, now, { kind: 'backoff', exit, reason }, { kind: 'startPause', run, ms });
};

/** Starts it again as its policy says, or else does what `rest` says, with the reason for that. */
function orAgain(
  life: LifecycleState,
  end: End,
  now: LifecycleInput,
  rest: (life: LifecycleState, end: End, now: LifecycleInput) => Step,
): Step {
  const { terms, nowMs, random } = now;
  if (terms === null) return rest(life, end, now);
  const decision = decideRestart(terms.restart, life.restarts, end, nowMs, random);
  const reason = decision.note === null ? end.reason : `${end.reason}; ${decision.note}`;
  if (decision.kind === 'rest') return rest(life, { ...end, reason }, now);
  const { exit, leader } = end;
  const dueMs = nowMs + decision.pauseMs;
  return enter(
    { ...life, restarts: decision.history },
    now,
    { kind: 'clearing', leader, exit, reason, dueMs, wanted: false },
    { kind: 'stopTree', run: life.run, command: leader !== null },
  );
}

function fail(life: LifecycleState, { reason, exit }: End, now: LifecycleInput): Step {
  return enter(life, now, { kind: 'failed', exit, reason });
}

function isSuccess({ code, signal }: Exit, { terms }: LifecycleInput): boolean {
  const codes = terms?.restart.successExitCodes ?? [0];
  return signal === null && code !== null && codes.includes(code);
}
