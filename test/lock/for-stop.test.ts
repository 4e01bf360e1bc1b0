import { expect, test } from 'vitest';
import { awaitJustForked } from '../../src/lock/for-stop.ts';
import { createFakeMachine } from '../support/fake-machine.ts';

test.each([
  ['that still shows the argv of its parent', ['node', 'devctl', 'start']],
  ['in the middle of its execve', []],
])('a start that is to be killed is suspended while it has a child %s', async (_, argv) => {
  const machine = createFakeMachine();
  const start = machine.fork(1, { argv: ['node', 'devctl', 'start'] });
  const guard = machine.fork(start, { argv, environ: '' });
  machine.after(200, guard, () => machine.exec(guard, { argv: ['node', 'guard.cjs'] }));
  await awaitJustForked(machine, machine.identity(start));
  expect(machine.processes.get(start)?.state).toBe('T');
  expect(machine.processes.get(guard)?.argv).toEqual(['node', 'guard.cjs']);
  expect(machine.nowMs()).toBeLessThan(300);
});

test('the wait for a child that keeps the argv of its parent ends after a second', async () => {
  const machine = createFakeMachine();
  const start = machine.fork(1, { argv: ['node', 'devctl', 'start'] });
  machine.fork(start);
  await awaitJustForked(machine, machine.identity(start));
  expect(machine.nowMs()).toBeLessThan(1_100);
});
