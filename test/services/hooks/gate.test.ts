import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  addEvent,
  closedGate,
  endCommand,
  type Gate,
  LEAST_GAP_MS,
  openGate,
} from '../../../src/services/hooks/gate.ts';

test('the first event runs the command, those that come meanwhile are folded into one', () => {
  const first = openGate(addEvent<string>(closedGate, 'a'), 0);
  expect(first).toMatchObject({ run: { event: 'a', count: 1 }, againInMs: null });
  const busy = openGate(addEvent(addEvent(first.gate, 'b'), 'c'), 1);
  expect(busy).toMatchObject({ run: null, againInMs: null });
  const early = openGate(endCommand(busy.gate), 2);
  expect(early).toMatchObject({ run: null, againInMs: LEAST_GAP_MS - 2 });
  expect(openGate(early.gate, LEAST_GAP_MS)).toMatchObject({ run: { event: 'c', count: 2 } });
});

test('whatever comes when, no event is lost, one command runs at a time, and not too often', () => {
  const step = fc.record({
    what: fc.constantFrom('event', 'end', 'look'),
    pauseMs: fc.nat({ max: 2 * LEAST_GAP_MS }),
  });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      let gate: Gate<number> = closedGate;
      let nowMs = 0;
      let told = 0;
      let came = 0;
      let running = false;
      let beganMs = Number.NEGATIVE_INFINITY;
      const look = (): void => {
        const opened = openGate(gate, nowMs);
        gate = opened.gate;
        if (!opened.run) return;
        expect(running).toBe(false);
        expect(nowMs - beganMs).toBeGreaterThanOrEqual(LEAST_GAP_MS);
        // The latest event stands for all.
        expect(opened.run.event).toBe(came);
        told += opened.run.count;
        [running, beganMs] = [true, nowMs];
      };
      for (const { what, pauseMs } of [...steps, { what: 'end', pauseMs: 2 * LEAST_GAP_MS }]) {
        nowMs += pauseMs;
        if (what === 'event') came += 1;
        if (what === 'event') gate = addEvent(gate, came);
        if (what === 'end' && running) [gate, running] = [endCommand(gate), false];
        look();
      }
      expect(told).toBe(came);
    }),
  );
});
