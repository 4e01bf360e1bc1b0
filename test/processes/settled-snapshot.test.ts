import { describe, expect, test } from 'vitest';
import { midExecIn, settledSnapshot } from '../../src/processes/settled-snapshot.ts';
import { createFakeMachine } from '../support/fake-machine.ts';
import { type Row, snapshotOf } from '../support/process-table.ts';

const BECOMING: Row = { pid: 100, environ: '', argv: [] };

test.each<[string, Row, boolean]>([
  ['in the middle of its execve', BECOMING, true],
  ['with arguments, and no environment', { ...BECOMING, argv: 'sleep 1' }, false],
  ['with an environment, and no arguments', { ...BECOMING, environ: 'A=1\0' }, false],
  ['whose environment may not be read', { ...BECOMING, environ: null }, false],
  ['a zombie', { ...BECOMING, state: 'Z' }, false],
  ['a kernel thread', { ...BECOMING, kernelThread: true }, false],
])('without a face: %s', (_, row, expected) => {
  const found = midExecIn(snapshotOf([row])).map(({ identity: { pid } }) => pid);
  expect(found).toEqual(expected ? [100] : []);
});

describe('a look that is settled', () => {
  test('waits for who is becoming something', async () => {
    const machine = createFakeMachine();
    const pid = machine.fork(1, { environ: '', argv: [] });
    machine.after(300, pid, () => machine.exec(pid, { argv: ['sleep', '1'] }));
    const { byPid, details } = await settledSnapshot(machine);
    const found = byPid.get(pid);
    expect(found && details.argv(found)).toEqual(['sleep', '1']);
    expect(machine.nowMs()).toBeLessThan(400);
  });

  test('waits no longer for one who is simply so, nor for one after the other', async () => {
    const machine = createFakeMachine();
    machine.fork(1, { environ: '', argv: [] });
    await settledSnapshot(machine);
    expect(machine.nowMs()).toBeLessThan(2_500);

    const busy = createFakeMachine();
    const next = (): void => {
      const pid = busy.fork(1, { environ: '', argv: [] });
      busy.after(100, pid, () => {
        next();
        busy.exit(pid);
      });
    };
    next();
    await settledSnapshot(busy);
    expect(busy.nowMs()).toBeGreaterThan(4_000);
    expect(busy.nowMs()).toBeLessThan(6_000);
  });
});
