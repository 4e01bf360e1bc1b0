import { expect, test } from 'vitest';
import { showChange } from '../../src/commands/start.ts';

const CHANGE = {
  type: 'change',
  service: 'clock',
  from: 'spawning',
  to: 'running',
  reason: null,
  answer: null,
  pid: 12,
  oneShot: false,
  blockedBy: [],
  afterMs: 383,
} as const;

test('a service without a probe is said to run, and on a terminal also when it counts as up', () => {
  const said: string[] = [];
  const progress = {
    pending() {},
    expect() {},
    answered() {},
    succeeded: (service: string, outcome: string) => void said.push(`${service} ${outcome}`),
    failed() {},
    note() {},
    close() {},
  };
  showChange(progress, CHANGE);
  showChange(progress, CHANGE, 1_000);
  const plain = 'clock running after 383 ms (pid 12)';
  expect(said).toEqual([plain, `${plain}, up when it has lasted 1.0 s`]);
});
