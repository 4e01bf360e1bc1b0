import { expect, test } from 'vitest';
import { openProcessTable } from '../../src/processes/open-table.ts';
import { projectFolder } from '../../src/project/folder.ts';
import { prepareFolder } from '../../src/project/records-folder.ts';
import { readProjectState } from '../../src/tracking/project-state.ts';
import { startWitness } from '../../src/tracking/witness.ts';
import { temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

test('there is never more than one scan at a time, and there is always another one', async () => {
  await using project = await temporaryProject();
  const folder = projectFolder(project.root, project.file('.pids'));
  prepareFolder(folder);
  const real = openProcessTable();
  const self = (await real.read(process.pid))?.identity;
  if (!self) throw new Error('There is no process of our own');
  let scans = 0;
  let underWay = 0;
  let most = 0;
  const witness = startWitness({
    table: {
      ...real,
      async snapshot() {
        scans += 1;
        underWay += 1;
        most = Math.max(most, underWay);
        const snapshot = await real.snapshot();
        underWay -= 1;
        return snapshot;
      },
    },
    self,
    initialState: readProjectState(folder),
    runs: {
      entries: new Map(),
      dispatch: async () => {},
      records: () => [],
    },
    native: null,
    groups: null,
    kill: () => expect.fail('there is no guard'),
    log: (line) => {
      throw new Error(line);
    },
  });
  try {
    for (let round = 0; round < 20; round += 1) {
      witness.wake();
      await Promise.all([
        witness.scan(),
        witness.setStoodDown(true),
        witness.scan(),
        witness.setStoodDown(false),
        witness.scan(),
      ]);
    }
    expect(most).toBe(1);
    const before = scans;
    await until(() => scans > before);
  } finally {
    witness.stop();
  }
});
