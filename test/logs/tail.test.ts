import { symlinkSync, truncateSync } from 'node:fs';
import { expect, test } from 'vitest';
import { tailLog } from '../../src/logs/tail.ts';
import { temporaryProject } from '../support/temporary-project.ts';

test.each<[string, string, number, number, readonly string[]]>([
  ['fewer than wanted', 'a\nb\n', 5, 0, ['a', 'b']],
  ['just the last ones', 'a\nb\nc\n', 2, 0, ['b', 'c']],
  ['a last line without its end', 'a\nb\nc', 2, 0, ['b', 'c']],
  ['empty lines are lines', 'a\n\n\n', 2, 0, ['', '']],
  ['nothing of an earlier run', 'old\nnew\n', 5, 4, ['new']],
  ['a run that wrote nothing', 'old\n', 5, 4, []],
  ['truncated since', 'new\n', 5, 100, ['new']],
  ['an empty log', '', 5, 0, []],
  ['colours and returns stay', '\u001b[31mred\u001b[39m\r\n', 5, 0, ['\u001b[31mred\u001b[39m\r']],
  ['none wanted', 'a\n', 0, 0, []],
])('%s', async (_name, content, count, from, lines) => {
  await using project = await temporaryProject(undefined, { log: content });
  expect(await tailLog(project.file('log'), count, from)).toEqual(lines);
});

test('lines that lie across the parts in which the file is read', async () => {
  const lines = Array.from({ length: 5_000 }, (_, i) => `zeile ${i} ✓ ${'ü'.repeat(i % 90)}`);
  await using project = await temporaryProject(undefined, { log: `${lines.join('\n')}\n` });
  expect(await tailLog(project.file('log'), 4_000)).toEqual(lines.slice(-4_000));
});

test('of one endless line its end is returned, beginning with a whole character', async () => {
  await using project = await temporaryProject(undefined, { log: 'x✓'.repeat(400_000) });
  const [line = ''] = await tailLog(project.file('log'), 3);
  expect(Buffer.byteLength(line)).toBeGreaterThan(1024 * 1024 - 4);
  expect(line).not.toContain('\ufffd');
  expect(line.endsWith('x✓')).toBe(true);
});

test('a log of 8 GB costs what a short one does', async () => {
  await using project = await temporaryProject(undefined, { log: '' });
  truncateSync(project.file('log'), 8 * 1024 ** 3);
  project.write('log2', 'a\n');
  const [zeros = ''] = await tailLog(project.file('log'), 1);
  expect(zeros).toHaveLength(1024 * 1024);
});

test('a log that does not exist has no lines, and a link is refused', async () => {
  await using project = await temporaryProject(undefined, { secret: 'text\n' });
  expect(await tailLog(project.file('log'), 3)).toEqual([]);
  symlinkSync(project.file('secret'), project.file('log'));
  await expect(tailLog(project.file('log'), 3)).rejects.toThrow(/ELOOP/);
});
