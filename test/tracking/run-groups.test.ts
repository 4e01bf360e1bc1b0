import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect } from 'vitest';
import { groupMembers } from '../../src/processes/linux/control-groups.ts';
import { projectFolder } from '../../src/project/folder.ts';
import { openRunGroups } from '../../src/tracking/run-groups.ts';
import { hasControlGroups } from '../support/control-groups.ts';
import { bothTest, isFull } from '../support/sets.ts';
import { temporaryProject } from '../support/temporary-project.ts';

/** Removes every empty group, as another devctl does, but without a pause. */
const REMOVER = `
const { readdirSync, rmdirSync } = require('node:fs');
const quietly = (work) => { try { return work() } catch { return [] } };
console.log('removing');
for (;;) {
  for (const name of quietly(() => readdirSync(process.argv[1]))) quietly(() => rmdirSync(process.argv[1] + '/' + name));
  quietly(() => rmdirSync(process.argv[1]));
}`;

bothTest.runIf(hasControlGroups)(
  'a group that another devctl removes before it is entered is made again',
  async () => {
    await using project = await temporaryProject();
    const folder = projectFolder(project.root, project.file('.pids'));
    const groups = openRunGroups(folder, (line) => expect.fail(line));
    if ('why' in groups) expect.fail(groups.why);
    const remover = spawn(process.execPath, ['-e', REMOVER, groups.folder]);
    const whys: (string | null)[] = [];
    try {
      await once(remover.stdout, 'data');
      for (let run = 0; run < (isFull ? 300 : 60); run += 1) {
        const runId = run.toString(16).padStart(32, '0');
        const { child, why } = groups.spawnInside(runId, false, () => spawn('/bin/true'));
        whys.push(why);
        // A group may also go between the opening of its file and the read.
        for (let look = 0; look < 20; look += 1) groupMembers(groups.folder);
        await once(child, 'exit');
      }
    } finally {
      remover.kill('SIGKILL');
      await once(remover, 'exit');
    }
    expect(whys.filter((why) => why !== null)).toEqual([]);
  },
);
