import {
  appendFileSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { expect, test, vi } from 'vitest';
import { followLogs } from '../../src/logs/follow.ts';
import { lastLines, mergeByTime, readLog, type ServiceLine } from '../../src/logs/reader.ts';
import { openLogSource } from '../../src/logs/source.ts';
import { fileKey, writeLogLayout, writeTimeMarks } from '../../src/logs/time-index-file.ts';
import { tolerantReader } from '../../src/logs/tolerant-reader.ts';
import { projectFolder } from '../../src/project/folder.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

const ALL = { lines: null, sinceMs: null };

function reader(project: TemporaryProject, name = 'web') {
  return readLog(openLogSource(projectFolder(project.root), name, project.file(`${name}.log`)));
}

function keyOf(project: TemporaryProject, name = 'web'): string {
  return fileKey(statSync(project.file(`${name}.log`), { bigint: true }));
}

function texts(lines: Iterable<ServiceLine>): string[] {
  return [...lines].map(({ text }) => text);
}

test.each<[string, string, number, boolean, readonly string[]]>([
  ['fewer than wanted', 'a\nb\n', 5, true, ['a', 'b']],
  ['the last ones', 'a\nb\nc\n', 2, true, ['b', 'c']],
  ['a last line without its line end', 'a\nb\nc', 2, true, ['b', 'c']],
  ['a last line waits for its line end while following', 'a\nb\nc', 2, false, ['b']],
  ['none', 'a\nb\n', 0, true, []],
  ['empty lines', 'a\n\n\n', 2, true, ['', '']],
  ['an empty log', '', 3, true, []],
])('the end of a log: %s', async (_name, content, lines, toEnd, expected) => {
  await using project = await temporaryProject(undefined, { 'web.log': content });
  expect(texts(reader(project).history({ lines, sinceMs: null }, toEnd))).toEqual(expected);
});

test('the last lines that match, wherever they are in a log of several files', async () => {
  const lines = Array.from({ length: 60_000 }, (_, i) => `line ${i} ${'ü'.repeat(i % 60)}`);
  const whole = Buffer.from(`${lines.join('\n')}\n`);
  await using project = await temporaryProject();
  // Larger than the part that is searched first, and cut in the middle of a line.
  writeFileSync(project.file('web.log.1'), whole.subarray(0, 300_001));
  writeFileSync(project.file('web.log'), whole.subarray(300_001));
  for (const pattern of [
    /^line 59999 /,
    /^line 0 /,
    /^line 1?0000 /,
    /7 /,
    /^line \d*123 /,
    /none/,
  ]) {
    const matches = (text: string) => pattern.test(text);
    for (const count of [1, 2, 50]) {
      const found = texts(reader(project).history({ lines: count, sinceMs: null, matches }, true));
      const expected = lines.filter(matches).slice(-count);
      expect(found.filter(matches), `${pattern}, ${count}`).toEqual(expected);
      expect(found[0]).toBe(expected[0]);
    }
  }
});

test('lines across blocks and across the files of a rotated log, as one', async () => {
  const lines = Array.from({ length: 9_000 }, (_, i) => `line ${i} ${'ü'.repeat(i % 60)}`);
  const whole = Buffer.from(`${lines.join('\n')}\n`);
  // The files are cut anywhere: in the middle of a line, even of a character.
  const cuts = [0, 200_001, 400_000, whole.length];
  await using project = await temporaryProject();
  for (const [number, name] of ['web.log.2', 'web.log.1', 'web.log'].entries()) {
    writeFileSync(project.file(name), whole.subarray(cuts[number], cuts[number + 1]));
  }
  expect(texts(reader(project).history(ALL, true))).toEqual(lines);
  for (const count of [1, 3_000, 8_999, 9_001]) {
    expect(texts(reader(project).history({ lines: count, sinceMs: null }, true))).toEqual(
      lines.slice(-count),
    );
  }
});

test('lines have their times from the time marks, and lines since a time are found by them', async () => {
  await using project = await temporaryProject(undefined, { 'web.log': 'one\ntwo\nthree\nfour\n' });
  const folder = projectFolder(project.root);
  writeTimeMarks(folder, 'web', keyOf(project), [
    { position: 4, atMs: 1_000, withinMs: null },
    { position: 8, atMs: 2_000, withinMs: 50 },
    { position: 14, atMs: 3_000, withinMs: 60 },
  ]);
  const modified = Math.ceil(statSync(project.file('web.log')).mtimeMs);
  expect([...reader(project).history(ALL, true)].map(({ time }) => time)).toEqual([
    { atMs: 1_000, withinMs: null },
    { atMs: 2_000, withinMs: 50 },
    { atMs: 3_000, withinMs: 60 },
    // Without a time mark only the time of the last write is known.
    { atMs: modified, withinMs: null },
  ]);
  const since = (sinceMs: number) => texts(reader(project).history({ ...ALL, sinceMs }, true));
  expect(since(500)).toEqual(['one', 'two', 'three', 'four']);
  expect(since(2_500)).toEqual(['three', 'four']);
  expect(since(3_001)).toEqual(['four']);
  expect(since(modified + 1)).toEqual([]);
});

test('time marks of another file with the same name are not used', async () => {
  await using project = await temporaryProject(undefined, { 'web.log': 'one\n' });
  writeTimeMarks(projectFolder(project.root), 'web', '1:2:3', [
    { position: 4, atMs: 1_000, withinMs: null },
  ]);
  expect([...reader(project).history(ALL, true)][0]?.time?.atMs).not.toBe(1_000);
});

test('several logs are merged by time, and each log keeps its order', () => {
  const line = (service: string, text: string, atMs: number | null): ServiceLine => ({
    service,
    text,
    time: atMs === null ? null : { atMs, withinMs: 0 },
    position: 0,
    continues: false,
    partial: false,
  });
  const web = [
    line('web', 'w1', 1),
    line('web', 'w5', 5),
    line('web', 'back', 2),
    line('web', 'w7', 7),
  ];
  const api = [
    line('api', 'old', null),
    line('api', 'a3', 3),
    line('api', 'a5', 5),
    line('api', 'a6', 6),
  ];
  const merged = mergeByTime([web.values(), api.values(), [].values()]);
  expect(texts(merged)).toEqual(['old', 'w1', 'a3', 'w5', 'back', 'a5', 'a6', 'w7']);
});

test('following gives out new lines, a prompt, and lines after a cut, in a new file and in a new log', async () => {
  await using project = await temporaryProject(undefined, { 'web.log': 'before\nhalf ' });
  const readers = [reader(project), reader(project, 'late')];
  const seen: string[] = texts(readers.flatMap((one) => [...one.history(ALL, false)]));
  const following = followLogs({
    readers: () => readers,
    folders: [project.root],
    emit: (lines) =>
      void seen.push(...lines.map(({ text, partial }) => text + (partial ? '…' : ''))),
  });
  const expectNext = (...expected: readonly string[]) =>
    until(
      () =>
        seen.length >= expected.length && seen.slice(-expected.length).join() === expected.join(),
      () => JSON.stringify(seen),
    );
  await expectNext('before', 'half …');
  appendFileSync(project.file('web.log'), 'a line\nnext\n');
  await expectNext('a line', 'next');
  truncateSync(project.file('web.log'), 0);
  appendFileSync(project.file('web.log'), 'cut\n');
  await expectNext('cut');
  renameSync(project.file('web.log'), project.file('elsewhere'));
  writeFileSync(project.file('web.log'), 'another and longer than before\n');
  await expectNext('another and longer than before');
  writeFileSync(project.file('late.log'), 'hello\nand goodb');
  await expectNext('hello', 'and goodb…');
  appendFileSync(project.file('late.log'), 'ye');
  following.stop();
  await following.done;
  expect(seen.at(-1)).toBe('ye…');
});

test('a line that grows all the time without a line end is shown every two seconds', async () => {
  await using project = await temporaryProject(undefined, { 'web.log': '' });
  const web = reader(project);
  web.skip();
  const shown: string[] = [];
  for (let atMs = 10_000; atMs < 15_000; atMs += 200) {
    appendFileSync(project.file('web.log'), `\r${atMs / 100}%`);
    web.next(atMs);
    const line = web.flush(atMs, 300);
    if (line) shown.push(`${line.continues} ${line.text.split('\r').at(-1)}`);
  }
  expect(shown).toEqual(['false 120%', 'true 142%']);
  // When the clock is set back, a prompt does not wait for the clock.
  expect(web.flush(1_000, 300)).toMatchObject({ partial: true });
});

test('bytes that move to another file while somebody reads are read once', async () => {
  await using project = await temporaryProject(undefined, { 'web.log': 'aaaa\nbbbb\n' });
  const folder = projectFolder(project.root);
  const following = reader(project);
  expect(texts(following.history(ALL, false))).toEqual(['aaaa', 'bbbb']);
  // The first line moves to another file, as in a rotation.
  writeFileSync(project.file('web.log.1'), 'aaaa\n');
  writeFileSync(project.file('web.log'), 'bbbb\ncccc\ndddd\n');
  writeLogLayout(folder, 'web', { file: keyOf(project), base: 5, start: 5, moving: null });
  expect(texts(following.next(1).lines)).toEqual(['cccc', 'dddd']);
  expect(texts(reader(project).history(ALL, true))).toEqual(['aaaa', 'bbbb', 'cccc', 'dddd']);
});

test('a link in the place of a log is not followed', async () => {
  await using project = await temporaryProject(undefined, { secret: 'text\n' });
  symlinkSync(project.file('secret'), project.file('web.log'));
  expect(() => [...reader(project).history(ALL, true)]).toThrow(/ELOOP/);

  const told: string[] = [];
  const web = tolerantReader(reader(project), (why) => told.push(why));
  expect(texts(web.history(ALL, true))).toEqual([]);
  expect(web.next(1)).toEqual({ lines: [], more: false });
  expect(told).toEqual([expect.stringMatching(/^the log of web cannot be read: ELOOP/)]);
  unlinkSync(project.file('web.log'));
  writeFileSync(project.file('web.log'), 'again\n');
  expect(texts(web.next(2).lines)).toEqual(['again']);
});

test('a quotation has at most 8 KB', async () => {
  const log = `first\n${'x'.repeat(3 * 1024 * 1024)}\nend`;
  await using project = await temporaryProject(undefined, { 'web.log': log });
  const source = openLogSource(projectFolder(project.root), 'web', project.file('web.log'));
  const [long = '', ...rest] = lastLines(source, 20, 0);
  expect(rest).toEqual(['end']);
  expect(long).toBe(`…${'x'.repeat(8 * 1024 - 'end\n…\n'.length - 2)}`);
  expect(lastLines(source, 1, 0)).toEqual(['end']);
});

test('a quotation of bytes that are no text has at most 8 KB as well', async () => {
  await using project = await temporaryProject();
  writeFileSync(project.file('web.log'), Buffer.alloc(100_000, 0xff));
  const source = openLogSource(projectFolder(project.root), 'web', project.file('web.log'));
  const quoted = lastLines(source, 20, 0);
  expect(quoted).toEqual([expect.stringMatching(/^…\uFFFD+$/)]);
  expect(Buffer.byteLength(quoted.join('\n'))).toBeLessThanOrEqual(8 * 1024);
});

test('the process that rotates a log does not wait for the rotation', async () => {
  await using project = await temporaryProject(undefined, { 'web.log': 'aaaa\nbbbb\n' });
  const folder = projectFolder(project.root);
  writeFileSync(project.file('web.log.moving'), 'aaaa\n');
  const map = { file: keyOf(project), base: 0, start: 0, moving: 5 };
  writeLogLayout(folder, 'web', map);
  const source = openLogSource(folder, 'web', project.file('web.log'), 0);
  const wait = vi.spyOn(Atomics, 'wait');
  try {
    expect(lastLines(source, 2, 0)).toEqual(['aaaa', 'bbbb']);
    expect(wait).not.toHaveBeenCalled();
  } finally {
    wait.mockRestore();
  }
});
