import type { Identity } from '../../processes/identity.ts';
import type { Exit } from '../../project/service-record.ts';
import type { LifecycleInput, Step } from './events.ts';
import { type Alive, endTree, enter, type In, ignore, type Move, type On } from './moves.ts';
import { decideRestart, type EndOfRun, NO_RESTARTS } from './restart-policy.ts';
import { exitInWords, type LifecycleState, leftBehindInWords } from './states.ts';

/** How a run has ended, or why it has to end. */
interface End extends EndOfRun {
  readonly reason: string;
  readonly exit: Exit | null;
  /** Null: it is dead. */
  readonly leader: Identity | null;
}

/**
 * Ends a run whose spawn failed. A service that never worked fails at once, because that is most likely a
 * mistake in the manifest. A service that worked before is started again, because it may work again.
 */
export const failToSpawn: Move<In<'spawning'>, On<'spawnFailed'>> = (
  state,
  { reason, exit = null, probed = false },
  now,
) => {
  if (exit !== null && !probed) return endAfterUp(state, { reason, exit, wellMs: null }, now);
  const end = { reason, exit, leader: null, failed: true, wellMs: null };
  return state.restarts.total > 0 || exit !== null
    ? restartOr(state, end, now, fail)
    : fail(state, end, now);
};

export const failToStart: Move<In<'starting'>, On<'exited'>> = (state, { exit, held }, now) => {
  const why = held === undefined ? '' : `: ${held}`;
  const reason = `${exitInWords(exit)} before it was ready${why}`;
  return restartOr(state, { reason, exit, leader: null, failed: true, wellMs: null }, now, fail);
};

export const endByItself: Move<In<'running' | 'ready'>, On<'exited'>> = (
  state,
  { exit, left },
  now,
) => {
  const wellMs = now.nowMs - state.sinceMs;
  if (left === undefined)
    return endAfterUp(state, { reason: exitInWords(exit), exit, wellMs }, now);
  const reason = leftBehindInWords(left);
  return restartOr(state, { reason, exit, leader: null, failed: true, wellMs }, now, fail);
};

/**
 * Ends a run that was up and that nobody has asked to end. Only an exit code that stands for success counts
 * as work that is done.
 */
function endAfterUp(
  state: LifecycleState,
  { reason, exit, wellMs }: { reason: string; exit: Exit; wellMs: number | null },
  now: LifecycleInput,
): Step {
  const failed = !isSuccess(exit, now);
  const end = { reason, exit, leader: null, failed, wellMs };
  // The exit code is unknown, so the task may be done. Only a person can know that, and ask for it again.
  const isUnknown = exit.code === null && exit.signal === null;
  if (isUnknown && now.terms?.oneShot) return fail(state, end, now);
  return restartOr(state, end, now, (_state, { reason: why }) =>
    failed
      ? fail(state, { ...end, reason: why }, now)
      : enter(state, now, {
          kind: 'exited',
          exit,
          reason: why,
          done: now.terms?.oneShot ?? false,
        }),
  );
}

export const endUnhealthy: Move<In<'unhealthy'>, On<'exited'>> = (state, { exit }, now) => {
  const before =
    state.was === 'starting' ? ' before it was ready' : `; before that: ${state.reason}`;
  const reason = `${exitInWords(exit)}${before}`;
  return restartOr(state, { reason, exit, leader: null, failed: true, wellMs: null }, now, fail);
};

/**
 * Restarts a service that did not become ready in time. Without a restart it is left alive, so that the person
 * who asked for it can decide, with the log at hand. It is asked on, because it may only be slow.
 */
export const timeOut: Move<In<'starting'>, On<'probeTimedOut'>> = (state, { reason }, now) => {
  const { leader } = state;
  const end = { reason, exit: null, leader, failed: true, wellMs: null };
  return restartOr(state, end, now, (_state, { reason: why }) =>
    enter(
      state,
      now,
      { kind: 'unhealthy', leader, reason: why, was: 'starting' },
      { kind: 'startProbe', run: state.run, late: true },
    ),
  );
};

/** Restarts a service that is no longer healthy. Without a restart it is left alive, and probed on. */
export const loseHealth: Move<In<'running' | 'ready' | 'unhealthy'>, On<'healthLost'>> = (
  state,
  { reason, restarts },
  now,
) => {
  const { leader, kind } = state;
  const isIll = kind === 'unhealthy';
  const was = isIll ? state.was : kind;
  // A service that is not well already can only be started again, and only by its liveness probe.
  if (isIll && (!restarts || was === 'starting')) return ignore('it is not well already')(state);
  const beUnhealthy = (why: string): Step =>
    enter(state, now, { kind: 'unhealthy', leader, reason: why, was });
  if (!restarts) return beUnhealthy(reason);
  const wellMs = isIll ? null : now.nowMs - state.sinceMs;
  const end = { reason, exit: null, leader, failed: true, wellMs };
  return restartOr(state, end, now, (_state, { reason: why }) => beUnhealthy(why));
};

/**
 * Ends or restarts a service that exceeds a limit. A manifest that asks for a restart at a limit gets it,
 * whatever the restart policy is. But the counts of the policy hold, and beyond them the service is ended.
 */
export const exceedLimit: Move<In<Alive>, On<'limitPassed'>> = (state, { reason, action }, now) => {
  const { leader, kind } = state;
  if (action === 'stop') return endTree(state, reason, now);
  const wellMs = kind === 'running' || kind === 'ready' ? now.nowMs - state.sinceMs : null;
  const end = { reason, exit: null, leader, failed: true, wellMs };
  return restartOr(state, end, onFailure(now), (_state, { reason: why }) =>
    endTree(state, why, now),
  );
};

/** Ends a service whose terminal is gone, also where it goes on without: nobody could see or ask it any more. */
export const loseTerminal: Move<In<Alive>, On<'terminalLost'>> = (state, { reason }, now) => {
  const { leader, kind } = state;
  const wellMs = kind === 'running' || kind === 'ready' ? now.nowMs - state.sinceMs : null;
  const end = { reason, exit: null, leader, failed: true, wellMs };
  return restartOr(state, end, now, (_state, { reason: why }) => endTree(state, why, now));
};

/** Replaces the restart policy `no` by `on-failure`. */
function onFailure(now: LifecycleInput): LifecycleInput {
  const { terms } = now;
  if (terms?.restart.policy !== 'no') return now;
  return { ...now, terms: { ...terms, restart: { ...terms.restart, policy: 'on-failure' } } };
}

/**
 * Resumes a restart that an earlier supervisor had begun. Nobody knows how long its pause had lasted, so it
 * begins anew, with the first pause.
 */
export const resumeRestart: Move<In<'idle'>, On<'interrupted'>> = (
  state,
  { exit, reason, restarts },
  now,
) => {
  const total = Math.max(0, restarts - 1);
  const from = { ...state, run: state.run + 1, restarts: { ...NO_RESTARTS, total } };
  return restartOr(from, { reason, exit, leader: null, failed: true, wellMs: null }, now, fail);
};

/** Takes note that the leader of a run has ended which is being ended before a restart. */
export const endCleared: Move<In<'clearing'>, On<'exited'>> = (state, { exit }, now) => {
  const { reason, dueMs, wanted } = state;
  return enter(state, now, { kind: 'clearing', leader: null, exit, reason, dueMs, wanted });
};

/** Begins the pause before a restart. Every restart comes this way, so nothing of the old run is alive. */
export const beginPause: Move<In<'clearing'>, On<'stopped'>> = (state, _event, now) => {
  const { exit, reason, dueMs, wanted, run } = state;
  if (wanted) return enter({ ...state, restarts: NO_RESTARTS }, now, { kind: 'waiting' });
  const ms = Math.max(0, dueMs - now.nowMs);
  return enter(state, now, { kind: 'backoff', exit, reason }, { kind: 'startPause', run, ms });
};

/** Starts a service again as its policy says, or else carries out `otherwise`, with the reason. */
function restartOr(
  state: LifecycleState,
  end: End,
  now: LifecycleInput,
  otherwise: (state: LifecycleState, end: End, now: LifecycleInput) => Step,
): Step {
  const { terms, nowMs, random } = now;
  if (terms === null) return otherwise(state, end, now);
  const decision = decideRestart(terms.restart, state.restarts, end, nowMs, random);
  const reason = decision.note === null ? end.reason : `${end.reason}; ${decision.note}`;
  if (decision.kind === 'no-restart') return otherwise(state, { ...end, reason }, now);
  const { exit, leader } = end;
  const dueMs = nowMs + decision.pauseMs;
  return enter(
    { ...state, restarts: decision.history },
    now,
    { kind: 'clearing', leader, exit, reason, dueMs, wanted: false },
    { kind: 'stopTree', run: state.run, command: leader !== null },
  );
}

function fail(state: LifecycleState, { reason, exit }: End, now: LifecycleInput): Step {
  return enter(state, now, { kind: 'failed', exit, reason });
}

function isSuccess({ code, signal }: Exit, { terms }: LifecycleInput): boolean {
  const codes = terms?.restart.successExitCodes ?? [0];
  return signal === null && code !== null && codes.includes(code);
}
