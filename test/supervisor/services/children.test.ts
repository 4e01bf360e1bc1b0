import { expect, test } from 'vitest';
import type { Native } from '../../../src/processes/native/native.ts';
import { createChildren } from '../../../src/supervisor/services/children.ts';
import { temporaryRecords } from '../../project/records-folder.ts';
import { createFakeMachine } from '../../support/fake-machine.ts';
import { startSupervisor } from '../../support/fake-project.ts';

/** A supervisor with one child. `heardMs`: when Node hears of the child's end, if it has ended. */
function supervisorWith(child: 'alive' | 'zombie', heardMs: number) {
  const machine = createFakeMachine();
  const supervisor = startSupervisor(machine, { behaviour: { reapsNot: true } });
  const pid = machine.fork(supervisor, { ours: true });
  if (child === 'zombie') machine.exit(pid);
  const native: Pick<Native, 'hasChildren'> = {
    hasChildren: () => child === 'alive' || machine.nowMs() < heardMs,
  };
  const children = createChildren({
    folder: temporaryRecords(),
    host: machine,
    self: machine.identity(supervisor),
    native,
    groups: null,
    reaper: { reapNow: async () => {} },
  });
  return { children, machine };
}

test.each<[string, 'alive' | 'zombie', number, boolean]>([
  ['with a living child', 'alive', 0, false],
  ['with a zombie of which Node hears later', 'zombie', 400, true],
  ['with a zombie that is never reaped', 'zombie', Number.POSITIVE_INFINITY, false],
])('whether a supervisor is alone: %s', async (_, child, heardMs, expected) => {
  const { children, machine } = supervisorWith(child, heardMs);
  expect(await children.isAlone()).toBe(expected);
  // A process that waits for the supervisor's end waits for a second.
  expect(machine.nowMs()).toBeLessThan(child === 'alive' ? 50 : 1_200);
});
