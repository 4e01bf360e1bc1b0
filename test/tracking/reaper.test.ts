import { once } from 'node:events';
import { expect, test } from 'vitest';
import { loadNative } from '../../src/processes/native/native.ts';
import { openProcessTable } from '../../src/processes/open-table.ts';
import { isGone, type Snapshot } from '../../src/processes/snapshot.ts';
import { loadSpawn } from '../../src/processes/spawn.ts';
import { createReaper } from '../../src/tracking/reaper.ts';

const native = await loadNative();

test.runIf(native.available)(
  'a child of Node is left to Node, however late Node hears of its end',
  async () => {
    if (!native.available) throw new Error(native.why);
    const table = openProcessTable();
    const self = (await table.read(process.pid))?.identity;
    if (!self) throw new Error('There is no process of our own');
    const reaper = createReaper(table, self, native);
    const spawnChild = await loadSpawn();
    const place = { cwd: '/', env: {}, stdio: ['ignore', 'ignore', 'ignore'] } as const;
    const { child } = spawnChild('/bin/sh', ['-c', 'exit 7'], place);
    if (!child) throw new Error('It was not spawned');
    const exit = once(child, 'exit');
    const isZombie = ({ byPid }: Snapshot): boolean => {
      const found = byPid.get(child.pid ?? 0);
      return found !== undefined && isGone(found);
    };
    // The table is read without a turn of the event loop, so Node cannot hear of any exit.
    let snapshot = await table.snapshot();
    const deadline = performance.now() + 5_000;
    while (!isZombie(snapshot) && performance.now() < deadline) snapshot = await table.snapshot();
    expect(isZombie(snapshot)).toBe(true);
    for (let scan = 0; scan < 3; scan += 1) reaper.reapIn(await table.snapshot());
    await reaper.reapNow();
    expect(await exit).toEqual([7, null]);
  },
);
