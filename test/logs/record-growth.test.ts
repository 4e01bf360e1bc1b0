import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { expect, test, vi } from 'vitest';
import { readLog } from '../../src/logs/reader.ts';
import { beginTimeIndex, recordGrowth } from '../../src/logs/record-growth.ts';
import { openLogSource } from '../../src/logs/source.ts';
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

test.each([
  ['the clock of the file system lags behind', 996],
  ['it was written in the millisecond of the look', 1_000.5],
])('a line is found by the time that was told of it: %s', async (_name, modifiedMs) => {
  await using project = await temporaryProject(undefined, { 'web.log': '' });
  const folder = projectFolder(project.root, project.file('.pids'));
  prepareFolder(folder);
  const path = project.file('web.log');
  const target = beginTimeIndex('web', path);
  const readSince = (sinceMs: number | null) => [
    ...readLog(openLogSource(folder, 'web', path)).history({ lines: null, sinceMs }, true),
  ];
  const now = vi.spyOn(Date, 'now').mockReturnValue(998);
  try {
    recordGrowth(folder, target);
    appendFileSync(path, 'line\n');
    utimesSync(path, modifiedMs / 1_000, modifiedMs / 1_000);
    const beforeLook = readSince(null);
    now.mockReturnValue(1_000);
    recordGrowth(folder, target);
    for (const { time } of [...beforeLook, ...readSince(null)]) {
      expect(readSince(time?.atMs ?? null).map(({ text }) => text)).toEqual(['line']);
    }
  } finally {
    now.mockRestore();
  }
});
