import fc from 'fast-check';
import { expect, test } from 'vitest';
import type {
  LifecycleEffect,
  LifecycleEvent,
  LifecycleInput,
  Step,
} from '../../src/services/lifecycle/events.ts';
import {
  idle,
  isProbedForReadiness,
  type LifecycleState,
  recordedState,
} from '../../src/services/lifecycle/states.ts';
import { lifecycle } from '../../src/services/lifecycle/table.ts';

const exit = fc.constantFrom(
  { code: 0, signal: null },
  { code: 1, signal: null },
  { code: null, signal: 'SIGTERM' },
  { code: null, signal: null },
);
const identity = fc
  .integer({ min: 2, max: 9 })
  .map((pid) => ({ pid, startTicks: 1, bootId: 'boot', pidNamespace: 'ns' }));
const probed = fc.boolean();
const terms: LifecycleInput['terms'] = {
  restart: {
    policy: 'on-failure',
    maxRestarts: 3,
    windowMs: 20,
    backoffMs: 1,
    maxBackoffMs: 4,
    resetAfterMs: 2,
    successExitCodes: [0],
  },
  oneShot: false,
};
/** How many runs ago the run of the news was: mostly 0, the present one. */
const age = fc.constantFrom(0, 0, 0, 1);

const anyEvent: fc.Arbitrary<{ readonly event: LifecycleEvent; readonly age: number }> = fc.record({
  age,
  event: fc.oneof(
    fc.constantFrom<LifecycleEvent>(
      { kind: 'askedToStart' },
      { kind: 'askedToStart' },
      { kind: 'dependenciesMet' },
      { kind: 'dependenciesMet' },
      { kind: 'dependencyFailed', chain: ['db'], why: 'failed' },
      { kind: 'askedToStop' },
      { kind: 'standDown' },
      { kind: 'stopped', run: 0 },
      { kind: 'stopped', run: 0 },
      { kind: 'stuck', run: 0, reason: 'it outlives everything' },
      { kind: 'pauseOver', run: 0 },
      { kind: 'pauseOver', run: 0 },
      { kind: 'healthLost', run: 0, reason: 'sick', restarts: true },
      { kind: 'healthRegained', run: 0 },
      { kind: 'limitPassed', run: 0, reason: 'used 2 GB', action: 'stop' },
      { kind: 'limitPassed', run: 0, reason: 'used 2 GB', action: 'restart' },
      { kind: 'terminalLost', run: 0, reason: 'its holder was ended' },
      { kind: 'recalled', exit: { code: 0, signal: null }, reason: 'done', restarts: 0 },
      { kind: 'interrupted', exit: null, reason: 'killed', restarts: 1 },
      { kind: 'probeSucceeded', run: 0 },
      { kind: 'probeTimedOut', run: 0, reason: 'slow' },
      { kind: 'spawnFailed', run: 0, reason: 'none' },
    ),
    fc.record({ kind: fc.constant('spawned' as const), run: fc.constant(0), identity, probed }),
    fc.record({
      kind: fc.constant('adopted' as const),
      identity,
      wasReady: fc.boolean(),
      unhealthy: fc.constantFrom(
        null,
        { reason: 'slow', was: 'starting' as const },
        { reason: 'sick', was: 'ready' as const },
      ),
      probed,
      restarts: fc.nat(3),
    }),
    fc.record({ kind: fc.constant('exited' as const), run: fc.constant(0), exit }),
  ),
});

/** Plays a life through all the events, and shows each as (before, event, step). */
function live(
  events: readonly { readonly event: LifecycleEvent; readonly age: number }[],
  see: (before: LifecycleState, event: LifecycleEvent, step: Step, isAsked: boolean) => void,
): void {
  let life = idle;
  let isAsked = false;
  for (const [index, { event, age }] of events.entries()) {
    const dated = 'run' in event ? { ...event, run: life.run - age } : event;
    const isEnding = life.kind === 'stopping' || life.kind === 'cancelling';
    if (dated.kind === 'askedToStart' && !isEnding) isAsked = true;
    // A service that is adopted again after a stop must not be started again.
    if (dated.kind === 'askedToStop' || dated.kind === 'standDown') isAsked = false;
    const now = { nowMs: index + 1, random: 0.5, terms: isAsked ? terms : null };
    const step = lifecycle(life, dated, now);
    see(life, dated, step, isAsked);
    life = step.state;
  }
}

/** A cheap `expect`: for hundreds of thousands of steps vitest's takes a minute, and this a second. */
function rule(kept: boolean, broken: string): void {
  if (!kept) throw new Error(broken);
}

test('10,000 lives of any shape keep the rules', () => {
  const history = fc.array(anyEvent, { maxLength: 40, size: 'max' });
  fc.assert(
    fc.property(history, (events) => {
      let processes = 0;
      live(events, (before, event, { state, effects, refusal }, isAsked) => {
        const order = effects.map(({ kind }) => kind);
        const does = (kind: LifecycleEffect['kind']) => order.includes(kind);
        const stale = 'run' in event && event.run !== before.run;
        rule(!stale || refusal !== null, 'news of an earlier run counted');
        if (refusal) {
          rule(state === before && order.length === 0, 'a refused event changed something');
          return;
        }
        if (['exited', 'spawnFailed', 'stopped', 'stuck'].includes(event.kind)) processes = 0;
        if (does('spawn') || event.kind === 'adopted') processes += 1;
        rule(processes <= 1, 'two spawns without an end between them');
        rule(!does('spawn') || isAsked, 'a spawn after a stop was asked for');
        const mayFollow = before.kind === 'waiting' || before.kind === 'backoff';
        rule(!does('spawn') || mayFollow, 'a spawn that nobody waited for');
        const paused = state.kind === 'backoff' && before.kind !== 'backoff';
        rule(
          !paused || (before.kind === 'clearing' && event.kind === 'stopped'),
          'a pause before the old tree was proved gone',
        );
        rule(does('startPause') === paused, 'a pause without an end');
        const goesOn = before.kind === 'backoff' && state.kind !== 'backoff';
        rule(does('stopPause') === goesOn, 'a pause that goes on');
        const clears = state.kind === 'clearing' && before.kind !== 'clearing';
        rule(!clears || does('stopTree'), 'a restart that ends nothing');

        const ended = before.kind === 'exited' || before.kind === 'failed';
        rule(
          !ended || state.kind === before.kind || /^(askedTo|stopped)/.test(event.kind),
          'an end was left without being asked to',
        );

        const recorded = recordedState(state.kind);
        const written = effects.filter((effect) => effect.kind === 'writeRecord');
        rule(written.length <= 1, 'the record was written twice');
        rule(
          written.every((record) => record.state === recorded),
          'the record says another state',
        );
        rule(
          written.every((record) => record.run === state.run),
          'the record is of another run',
        );
        rule(
          recorded === null || recorded === recordedState(before.kind) || written.length === 1,
          'the record was not written',
        );
        const intent = order.indexOf('writeRecord');
        const isIntended = intent >= 0 && intent < order.indexOf('spawn');
        rule(!does('spawn') || isIntended, 'a spawn without an intent on disk');

        const told = effects.at(-1);
        rule(
          state.kind === before.kind || (told?.kind === 'tell' && told.to === state.kind),
          'nobody was told',
        );

        const changed = state.kind !== before.kind;
        const begins = changed && isProbedForReadiness(state);
        const ends = changed && isProbedForReadiness(before);
        rule(does('startProbe') === begins && does('stopProbe') === ends, 'a probe got lost');
      });
    }),
    { numRuns: 10_000 },
  );
});

test('an order to stop that is carried out always leads to idle', () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 30 }), identity, (events, identity) => {
      let life = idle;
      live(events, (_before, _event, step) => {
        life = step.state;
      });
      for (const event of [
        { kind: 'askedToStop' },
        { kind: 'spawned', run: life.run, identity, probed: true },
        { kind: 'exited', run: life.run, exit: { code: 0, signal: null } },
        { kind: 'stopped', run: life.run },
      ] satisfies LifecycleEvent[]) {
        life = lifecycle(life, event, { nowMs: 1_000, random: 0, terms }).state;
      }
      expect(['idle', 'exited', 'failed']).toContain(life.kind);
    }),
    { numRuns: 1_000 },
  );
});
