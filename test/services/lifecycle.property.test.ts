import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  idle,
  type Life,
  type LifeEffect,
  type LifeEvent,
  recordedState,
  type Step,
} from '../../src/services/life.ts';
import { lifecycle } from '../../src/services/lifecycle.ts';

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
/** How many runs ago the news is from: mostly of the present one. */
const age = fc.constantFrom(0, 0, 0, 1);

const anyEvent: fc.Arbitrary<{ readonly event: LifeEvent; readonly age: number }> = fc.record({
  age,
  event: fc.oneof(
    fc.constantFrom<LifeEvent>(
      { kind: 'askedToStart' },
      { kind: 'askedToStart' },
      { kind: 'dependenciesMet' },
      { kind: 'dependenciesMet' },
      { kind: 'dependencyFailed', chain: ['db'], why: 'failed' },
      { kind: 'askedToStop' },
      { kind: 'standDown' },
      { kind: 'stopped', run: 0 },
      { kind: 'probeSucceeded', run: 0 },
      { kind: 'probeTimedOut', run: 0, reason: 'slow' },
      { kind: 'spawnFailed', run: 0, reason: 'none' },
    ),
    fc.record({ kind: fc.constant('spawned' as const), run: fc.constant(0), identity, probed }),
    fc.record({
      kind: fc.constant('adopted' as const),
      identity,
      wasReady: fc.boolean(),
      probed,
    }),
    fc.record({ kind: fc.constant('exited' as const), run: fc.constant(0), exit }),
  ),
});

/** A life through all the events, each seen as (before, event, step). */
function live(
  events: readonly { readonly event: LifeEvent; readonly age: number }[],
  see: (before: Life, event: LifeEvent, step: Step) => void,
): void {
  let life = idle;
  for (const [index, { event, age }] of events.entries()) {
    const dated = 'run' in event ? { ...event, run: life.run - age } : event;
    const step = lifecycle(life, dated, index + 1);
    see(life, dated, step);
    life = step.state;
  }
}

/** Hundreds of thousands of steps: vitest's `expect` would take a minute for what takes a second. */
function rule(kept: boolean, broken: string): void {
  if (!kept) throw new Error(broken);
}

test('10,000 lives of any shape keep the rules', () => {
  const history = fc.array(anyEvent, { maxLength: 40, size: 'max' });
  fc.assert(
    fc.property(history, (events) => {
      let processes = 0;
      let stopOrdered = false;
      live(events, (before, event, { state, effects, refusal }) => {
        const order = effects.map(({ kind }) => kind);
        const does = (kind: LifeEffect['kind']) => order.includes(kind);
        const stale = 'run' in event && event.run !== before.run;
        rule(!stale || refusal !== null, 'news of an earlier run counted');
        if (refusal) {
          rule(state === before && order.length === 0, 'a refused event changed something');
          return;
        }
        if (event.kind === 'askedToStop' || event.kind === 'standDown') stopOrdered = true;
        if (event.kind === 'askedToStart') stopOrdered = false;

        if (['exited', 'spawnFailed', 'stopped'].includes(event.kind)) processes = 0;
        if (does('spawn') || event.kind === 'adopted') processes += 1;
        rule(processes <= 1, 'two spawns without an end between them');
        rule(!(does('spawn') && stopOrdered), 'a spawn after a stop was asked for');
        rule(!does('spawn') || before.kind === 'waiting', 'a spawn that nobody waited for');

        const ended = before.kind === 'exited' || before.kind === 'failed';
        rule(
          !ended || state.kind === before.kind || event.kind === 'askedToStart',
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
        rule(!does('spawn') || order[0] === 'writeRecord', 'a spawn without an intent on disk');

        const told = effects.at(-1);
        rule(
          state.kind === before.kind || (told?.kind === 'tell' && told.to === state.kind),
          'nobody was told',
        );

        const begins = state.kind === 'starting' && before.kind !== 'starting';
        const ends = state.kind !== 'starting' && before.kind === 'starting';
        rule(does('startProbe') === begins && does('stopProbe') === ends, 'a probe got lost');
      });
    }),
    { numRuns: 10_000 },
  );
});

test('an order to stop, carried out, always leads to rest', () => {
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
      ] satisfies LifeEvent[]) {
        life = lifecycle(life, event, 1_000).state;
      }
      expect(['idle', 'exited', 'failed']).toContain(life.kind);
    }),
    { numRuns: 1_000 },
  );
});
