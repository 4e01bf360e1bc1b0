import { renameSync, rmdirSync, symlinkSync, unlinkSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readHistory } from '../../src/history/read.ts';
import { openHistoryWriter } from '../../src/history/writer.ts';
import { projectFolder } from '../../src/project/folder.ts';
import { prepareFolder } from '../../src/project/records-folder.ts';
import { temporaryProject } from '../support/temporary-project.ts';

const sample = (second: number, memoryBytes: number) => ({
  atMs: 1_000 * second,
  services: { web: { processes: 1, memoryBytes, cpuPercent: 10 } },
});

test('old samples are coarser but keep their peaks, and the files never exceed their bound', async () => {
  await using project = await temporaryProject();
  const folder = projectFolder(project.root);
  prepareFolder(folder);
  const chronicle = openHistoryWriter(folder, (line) => expect.fail(line));
  const minutes = 90;
  // As large as thirty services, so that the finest tier reaches back for minutes only.
  const many = Object.fromEntries(
    Array.from({ length: 30 }, (_, index) => [
      `service-${index}`,
      { processes: 10, memoryBytes: 123_456_789, cpuPercent: 1.5 },
    ]),
  );
  for (let second = 0; second < 60 * minutes; second += 1) {
    const { atMs, services } = sample(second, second % 1_800 === 900 ? 1_000 : 1);
    chronicle.sample({ atMs, services: { ...services, ...many } }, 1_000);
  }
  chronicle.close();
  const { samples } = readHistory(folder);
  const times = samples.map(({ atMs }) => atMs);
  expect(times).toEqual([...new Set(times)].toSorted((a, b) => a - b));
  const last = (60 * minutes - 1) * 1_000;
  expect(times.at(-1)).toBe(last);
  const within = (most: number) => times.filter((atMs) => atMs > last - most * 60_000).length;
  expect(within(5)).toBe(300);
  expect(within(minutes)).toBeLessThan(1_400);
  expect(times[0]).toBeLessThan(70_000);
  const peaks = samples.filter(({ services }) => services.web?.memoryBytes === 1_000);
  expect(peaks).toHaveLength(3);
});

test('a failure to write is reported once, until a line could be written again', async () => {
  await using project = await temporaryProject();
  const folder = projectFolder(project.root);
  prepareFolder(folder);
  const told: string[] = [];
  const chronicle = openHistoryWriter(folder, (line) => told.push(line));
  const write = () =>
    [1, 2, 3].forEach((second) => void chronicle.sample(sample(second, 1), 1_000));
  const inTheWay = project.file('.pids/history');
  rmdirSync(inTheWay);
  symlinkSync(project.root, inTheWay);
  write();
  expect(told).toEqual([expect.stringContaining('symbolic link')]);
  unlinkSync(inTheWay);
  write();
  expect(readHistory(folder).samples).toHaveLength(3);
  renameSync(inTheWay, project.file('elsewhere'));
  symlinkSync(project.root, inTheWay);
  write();
  expect(told).toHaveLength(2);
});
