import fc from 'fast-check';
import { test } from 'vitest';
import type { RestartPolicy } from '../../src/manifest/resolved.ts';
import type { LifecycleEvent, RestartTerms } from '../../src/services/lifecycle/events.ts';
import { idle, type LifecycleState } from '../../src/services/lifecycle/states.ts';
import { lifecycle } from '../../src/services/lifecycle/table.ts';

/** The events around one service, each only where it can happen. */
type Happening =
  | { readonly kind: 'time'; readonly ms: number }
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'sick' | 'well' | 'proved' | 'stuck' | 'answer' | 'no-answer' }
  | { readonly kind: 'ready' | 'late' | 'ask' | 'stop' | 'stand-down' }
  | { readonly kind: 'limit'; readonly action: 'restart' | 'stop' };

const happening: fc.Arbitrary<Happening> = fc.oneof(
  fc.record({ kind: fc.constant('time' as const), ms: fc.nat(3_000) }),
  fc.record({ kind: fc.constant('exit' as const), code: fc.constantFrom(0, 1, 7) }),
  fc.record({ kind: fc.constant('exit' as const), code: fc.constantFrom(0, 1, 7) }),
  fc.record({
    kind: fc.constant('limit' as const),
    action: fc.constantFrom('restart' as const, 'stop' as const),
  }),
  fc.constantFrom<Happening>(
    ...(['proved', 'proved', 'answer', 'answer', 'ask', 'ready', 'ready'] as const).map((kind) => ({
      kind,
    })),
    ...(['sick', 'well', 'stuck', 'no-answer', 'late', 'stop', 'stand-down'] as const).map(
      (kind) => ({ kind }),
    ),
  ),
);

const anyPolicy: fc.Arbitrary<RestartPolicy> = fc
  .record({
    policy: fc.constantFrom('no' as const, 'on-failure' as const, 'always' as const),
    maxRestarts: fc.nat(4),
    windowMs: fc.nat(20_000),
    backoffMs: fc.nat(1_000),
    more: fc.nat(3_000),
    resetAfterMs: fc.nat(5_000),
    successExitCodes: fc.constantFrom([0], [0, 7], []),
  })
  .map(({ more, ...policy }) => ({ ...policy, maxBackoffMs: policy.backoffMs + more }));

const leader = { pid: 100, startTicks: 5, bootId: 'boot', pidNamespace: 'ns' };

function rule(kept: boolean, broken: string): void {
  if (!kept) throw new Error(broken);
}

/** One service, with a supervisor that keeps the contract of `LifecycleEffect`. */
function simulate(
  terms: RestartTerms,
  probed: boolean,
  history: readonly Happening[],
  random: number,
) {
  const { restart: policy } = terms;
  let life: LifecycleState = idle;
  let nowMs = 1_000;
  let pauseOverMs: number | null = null;
  let ending = false;
  let treeAlive = false;
  let mayRun = false;
  let decidedMs: number[] = [];
  let rowOfRestarts = 0;

  const send = (event: LifecycleEvent): void => {
    const before = life;
    const { state, effects, refusal } = lifecycle(before, event, { nowMs, random, terms });
    rule(refusal?.kind !== 'impossible', `impossible: ${event.kind} while ${before.kind}`);
    if (refusal) return;
    life = state;
    if (state.kind === 'clearing' && before.kind !== 'clearing') decide(before, event);
    if (state.kind === 'failed' && isUp(before) && failed(event)) {
      const recent = decidedMs.filter((at) => nowMs - at < policy.windowMs);
      const isGivenUp = policy.policy === 'no' || recent.length >= policy.maxRestarts;
      rule(isGivenUp, 'it was given up too early');
      rule(policy.policy === 'no' || /given up/.test(state.reason), 'it does not say that');
    }
    if (event.kind === 'limitPassed' && event.action === 'restart' && state.kind === 'stopping') {
      const recent = decidedMs.filter((at) => nowMs - at < policy.windowMs);
      rule(recent.length >= policy.maxRestarts, 'ended for good instead of restarted');
      rule(/given up/.test(state.reason ?? ''), 'it does not say that it was given up');
    }
    for (const effect of effects) {
      if (effect.kind === 'spawn') {
        rule(mayRun, 'a spawn while a stop is under way');
        rule(!treeAlive, 'a spawn while something of the old run may be alive');
        rule(before.kind !== 'backoff' || event.kind === 'pauseOver', 'a restart without a pause');
        treeAlive = true;
      }
      if (effect.kind === 'writeRecord') {
        rule(effect.restarts === decidedMs.length, 'the record counts other restarts');
      }
      if (effect.kind === 'stopTree') ending = true;
      if (effect.kind === 'leaveTree') ending = false;
      if (effect.kind === 'startPause') {
        rule(effect.ms <= policy.maxBackoffMs, 'a pause longer than the longest');
        pauseOverMs = nowMs + effect.ms;
        const decidedAtMs = decidedMs.at(-1) ?? 0;
        const leastMs = 0.75 * Math.min(policy.backoffMs, policy.maxBackoffMs) - 1;
        rule(pauseOverMs - decidedAtMs >= leastMs, 'a pause shorter than the first');
      }
      if (effect.kind === 'stopPause') pauseOverMs = null;
    }
  };

  const decide = (before: LifecycleState, event: LifecycleEvent): void => {
    const isLimit = event.kind === 'limitPassed';
    rule(!isLimit || event.action === 'restart', 'a restart where the limit asks for an end');
    // A restart at a limit happens whatever the policy is.
    rule(isLimit || policy.policy !== 'no', 'a restart that nobody wanted');
    rule(policy.policy === 'always' || failed(event), 'a restart after a success');
    rule(mayRun, 'a restart while a stop is under way');
    const wasWell = isUp(before) && nowMs - before.sinceMs >= policy.resetAfterMs;
    rowOfRestarts = wasWell ? 1 : rowOfRestarts + 1;
    decidedMs.push(nowMs);
    const recent = decidedMs.filter((at) => nowMs - at < policy.windowMs);
    // A window without length contains no restart.
    const isTooOften = recent.length > policy.maxRestarts;
    rule(!isTooOften || policy.windowMs === 0, 'more restarts than the maximum within the window');
    if (life.kind !== 'clearing') return;
    const longestMs = Math.min(policy.maxBackoffMs, policy.backoffMs * 2 ** (rowOfRestarts - 1));
    const pauseMs = life.dueMs - nowMs;
    rule(pauseMs <= longestMs + 1 && pauseMs >= 0.75 * longestMs - 1, 'not the pause of this row');
  };

  const failed = (event: LifecycleEvent): boolean =>
    event.kind !== 'exited' ||
    life.kind === 'starting' ||
    event.exit.code === null ||
    !policy.successExitCodes.includes(event.exit.code) ||
    wasEarly;
  let wasEarly = false;

  const happen = (one: Happening): void => {
    const { run } = life;
    const hasLeader = 'leader' in life && life.leader !== null;
    const isReported = life.kind === 'stopping' && life.exit !== null;
    wasEarly = life.kind === 'starting' || life.kind === 'unhealthy';
    switch (one.kind) {
      case 'time':
        nowMs += one.ms;
        if (pauseOverMs !== null && nowMs >= pauseOverMs) send({ kind: 'pauseOver', run });
        return;
      case 'exit':
        if (hasLeader && !isReported) {
          send({ kind: 'exited', run, exit: { code: one.code, signal: null } });
        }
        return;
      case 'answer':
        if (life.kind === 'spawning' || life.kind === 'cancelling') {
          send({ kind: 'spawned', run, identity: leader, probed });
        }
        return;
      case 'no-answer':
        if (life.kind !== 'spawning' && life.kind !== 'cancelling') return;
        send({ kind: 'spawnFailed', run, reason: 'ENOENT' });
        return;
      case 'proved':
        if (!ending) return;
        ending = false;
        treeAlive = false;
        send({ kind: 'stopped', run });
        return;
      case 'stuck':
        if (!ending) return;
        ending = false;
        send({ kind: 'stuck', run, reason: 'it outlives SIGKILL' });
        return;
      case 'ready':
        if (life.kind === 'starting') send({ kind: 'probeSucceeded', run });
        return;
      case 'late':
        if (life.kind === 'starting') send({ kind: 'probeTimedOut', run, reason: 'slow' });
        return;
      case 'sick':
        if (isUp(life)) send({ kind: 'healthLost', run, reason: 'sick', restarts: true });
        return;
      case 'limit':
        send({ kind: 'limitPassed', run, reason: 'too much', action: one.action });
        return;
      case 'well':
        send({ kind: 'healthRegained', run });
        return;
      case 'stop':
        mayRun = false;
        send({ kind: 'askedToStop' });
        return;
      case 'stand-down':
        mayRun = false;
        send({ kind: 'standDown' });
        // The process that asked for it ends everything, and proves it.
        if (life.kind !== 'stopping') return;
        rule(!ending, 'two are at work on the same end');
        treeAlive = false;
        send({ kind: 'stopped', run: life.run });
        return;
      case 'ask':
        if (life.kind === 'stopping' || life.kind === 'cancelling') return;
        mayRun = true;
        // A start ends the leftovers of a service before it asks for the service.
        if (['idle', 'exited', 'failed'].includes(life.kind) && !ending) treeAlive = false;
        if (['exited', 'failed', 'backoff', 'idle'].includes(life.kind)) {
          decidedMs = [];
          rowOfRestarts = 0;
        }
        if (life.kind === 'clearing') wantedAnew = true;
        send({ kind: 'askedToStart' });
    }
  };
  let wantedAnew = false;

  for (const one of history) {
    happen(one);
    if (wantedAnew && life.kind !== 'clearing') {
      wantedAnew = false;
      if (life.kind === 'waiting') {
        decidedMs = [];
        rowOfRestarts = 0;
      }
    }
    if (life.kind === 'waiting') send({ kind: 'dependenciesMet' });
  }
}

function isUp({ kind }: LifecycleState): boolean {
  return kind === 'running' || kind === 'ready';
}

test('10,000 simulated histories never break the rules of restarts', () => {
  const histories = fc.array(happening, { minLength: 10, maxLength: 120, size: 'max' });
  fc.assert(
    fc.property(
      anyPolicy,
      fc.boolean(),
      histories,
      fc.double({ min: 0, max: 1, noNaN: true }),
      (restart, probed, history, random) => {
        const begin: Happening[] = [{ kind: 'ask' }, { kind: 'answer' }, { kind: 'ready' }];
        simulate({ restart, oneShot: false }, probed, [...begin, ...history], random);
      },
    ),
    { numRuns: 10_000 },
  );
});
