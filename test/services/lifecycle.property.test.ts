import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  idle,
  type Life,
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

test('10,000 lives of any shape keep the rules', () => {
  const history = fc.array(anyEvent, { maxLength: 40, size: 'max' });
  fc.assert(
    fc.property(history, (events) => {
      let processes = 0;
      let stopOrdered = false;
      live(events, (before, event, { state, effects, refusal }) => {
        const does = (kind: string) => effects.some((effect) => effect.kind === kind);
        if (refusal) {
          expect(state).toBe(before);
          expect(effects).toEqual([]);
          return;
        }
        if (event.kind === 'askedToStop' || event.kind === 'standDown') stopOrdered = true;
        if (event.kind === 'askedToStart') stopOrdered = false;

        // Never two spawns without an end between them, and none once a stop was asked for.
        const ends = ['exited', 'spawnFailed', 'stopped'].includes(event.kind);
        if (ends && before.kind !== 'waiting') processes = 0;
        if (does('spawn') || event.kind === 'adopted') {
          expect(processes).toBe(0);
          processes += 1;
        }
        if (does('spawn')) {
          expect(stopOrdered).toBe(false);
          expect(before.kind).toBe('waiting');
        }

        // What has ended stays ended until somebody asks for a start.
        if (before.kind === 'exited' || before.kind === 'failed') {
          if (state.kind !== before.kind) expect(event.kind).toBe('askedToStart');
        }

        // The record and the listeners are in step with the state.
        const recorded = recordedState(state.kind);
        if (recorded !== null && recorded !== recordedState(before.kind)) {
          expect(effects).toContainEqual(
            expect.objectContaining({ kind: 'writeRecord', state: recorded, run: state.run }),
          );
        }
        if (state.kind !== before.kind) {
          expect(effects.at(-1)).toMatchObject({ kind: 'tell', from: before.kind, to: state.kind });
          expect(state.sinceMs).toBeGreaterThan(before.sinceMs);
        }
        expect(effects.filter(({ kind }) => kind === 'writeRecord').length).toBeLessThan(2);

        // A probe runs exactly while a service is starting.
        expect(does('startProbe')).toBe(state.kind === 'starting' && before.kind !== 'starting');
        expect(does('stopProbe')).toBe(before.kind === 'starting' && state.kind !== 'starting');

        const order = effects.map(({ kind }) => kind);
        if (does('spawn')) {
          expect(order.indexOf('writeRecord')).toBeLessThan(order.indexOf('spawn'));
        }
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
