import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { expect, test } from 'vitest';
import { beginTimeIndex, recordGrowth } from '../../src/logs/record-growth.ts';
import { fileKey, readTimeMarks } from '../../src/logs/time-index-file.ts';
import { projectFolder } from '../../src/project/folder.ts';
import { prepareFolder } from '../../src/project/records-folder.ts';
import { temporaryProject } from '../support/temporary-project.ts';

test('a log that nobody writes to has no time index; one that is emptied keeps no mark beyond its end', async () => {
  await using project = await temporaryProject();
  const folder = projectFolder(project.root, project.file('.pids'));
  prepareFolder(folder);
  mkdirSync(project.file('logs'));
  const path = project.file('logs/web.log');
  writeFileSync(path, '');
  const target = beginTimeIndex('web', path);
  const positions = () => {
    const marks = readTimeMarks(folder, 'web', fileKey(statSync(path, { bigint: true })));
    return marks.map(({ position }) => position);
  };

  recordGrowth(folder, target);
  recordGrowth(folder, target);
  expect(readdirSync(project.file('.pids/log-notes'))).toEqual([]);

  appendFileSync(path, 'one\n');
  recordGrowth(folder, target);
  appendFileSync(path, 'two\n');
  recordGrowth(folder, target);
  expect(positions()).toEqual([4, 8]);
  recordGrowth(folder, beginTimeIndex('web', path));
  expect(positions()).toEqual([4, 8]);

  truncateSync(path, 4);
  recordGrowth(folder, target);
  expect(positions()).toEqual([4]);
});
