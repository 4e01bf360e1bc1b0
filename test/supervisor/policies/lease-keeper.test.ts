import { expect, test } from 'vitest';
import type { Lease } from '../../../src/leases/file.ts';
import { openProcessTable } from '../../../src/processes/open-table.ts';
import { projectFolder } from '../../../src/project/folder.ts';
import { prepareFolder } from '../../../src/project/records-folder.ts';
import {
  createLeaseKeeper,
  type LeaseKeeper,
} from '../../../src/supervisor/policies/lease-keeper.ts';
import { temporaryProject } from '../../support/temporary-project.ts';
import { until } from '../../support/until.ts';

test('a lease that is over before it is armed ends everything too', async () => {
  await using project = await temporaryProject();
  const folder = projectFolder(project.root, project.file('.pids'));
  prepareFolder(folder);
  const table = openProcessTable();
  let stops = 0;
  const leases = createLeaseKeeper({
    folder,
    table,
    initialRecord: null,
    endWatch: null,
    async stop() {
      stops += 1;
      return { processes: [], survivors: [] };
    },
    onEnded: () => {},
    log: () => {},
  });
  try {
    const over: Lease = { endsAtTicks: table.nowTicks() - 1, ttlMs: 100, processes: [] };
    await leases.take(over, project.file('.devctl.json'));
    await until(() => stops === 1);
  } finally {
    leases.close();
  }
});

test('a lease that is taken while an ended one stops everything is kept, and ends in its turn', async () => {
  await using project = await temporaryProject();
  const folder = projectFolder(project.root, project.file('.pids'));
  prepareFolder(folder);
  const table = openProcessTable();
  const manifest = project.file('.devctl.json');
  const lease = (): Lease => ({ endsAtTicks: table.nowTicks() + 10, ttlMs: 100, processes: [] });
  let stops = 0;
  const leases: LeaseKeeper = createLeaseKeeper({
    folder,
    table,
    initialRecord: null,
    endWatch: null,
    async stop() {
      stops += 1;
      if (stops === 1) await leases.take(lease(), manifest);
      return { processes: [], survivors: [] };
    },
    onEnded: () => {},
    log: () => {},
  });
  try {
    await leases.take(lease(), manifest);
    await until(() => stops === 2);
    expect(stops).toBe(2);
  } finally {
    leases.close();
  }
});
