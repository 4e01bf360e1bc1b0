import { appendFileSync, renameSync, symlinkSync, truncateSync } from 'node:fs';
import { expect, test } from 'vitest';
import { openLogSource } from '../../../src/logs/source.ts';
import { projectFolder } from '../../../src/project/folder.ts';
import { logProbe } from '../../../src/services/probes/log.ts';
import { type TemporaryProject, temporaryProject } from '../../support/temporary-project.ts';

const OK = { kind: 'ok' };
const NOT_YET = { kind: 'not-yet', reason: 'no line matches /^ready/ yet' };

function watch(project: TemporaryProject, pattern = '^ready', logFrom = 0) {
  const logFile = project.file('web.log');
  const source = openLogSource(projectFolder(project.root), 'web', logFile);
  const probe = logProbe({ kind: 'log', pattern }, { log: source, logFrom });
  return {
    log: (text: string | Buffer) => appendFileSync(logFile, text),
    attempt: () => probe.attempt(new AbortController().signal),
  };
}

test('a line that comes later matches', async () => {
  await using project = await temporaryProject();
  const { log, attempt } = watch(project);
  log('building\nnot ready\n');
  expect(await attempt()).toEqual(NOT_YET);
  log('ready in 300 ms\n');
  expect(await attempt()).toEqual(OK);
});

test('what an earlier run wrote does not count', async () => {
  await using project = await temporaryProject();
  const { log, attempt } = watch(project, '^ready', 6);
  log('ready\n');
  expect(await attempt()).toEqual(NOT_YET);
  log('ready\n');
  expect(await attempt()).toEqual(OK);
});

test('half a line counts only when nothing was added between two attempts', async () => {
  await using project = await temporaryProject();
  const { log, attempt } = watch(project, 'ready$');
  log('rea');
  expect(await attempt()).toMatchObject({ kind: 'not-yet' });
  log('dy');
  expect(await attempt()).toMatchObject({ kind: 'not-yet' });
  log(' soon\nready');
  expect(await attempt()).toMatchObject({ kind: 'not-yet' });
  expect(await attempt()).toEqual(OK);
});

test('a character that the end of a read cuts in two matches', async () => {
  await using project = await temporaryProject();
  const { log, attempt } = watch(project, 'bereit für ✓');
  const bytes = Buffer.from('bereit für ✓\n');
  log(bytes.subarray(0, -2));
  expect(await attempt()).toMatchObject({ kind: 'not-yet' });
  log(bytes.subarray(-2));
  expect(await attempt()).toEqual(OK);
});

test('colours do not hide the text, and can be asked for', async () => {
  await using project = await temporaryProject();
  const { log, attempt } = watch(project, 'ready in');
  log('\u001b[32mready\u001b[39m in 5 ms\r\n');
  expect(await attempt()).toEqual(OK);
  expect(await watch(project, '32mready').attempt()).toEqual(OK);
});

test('a progress line that is overwritten matches', async () => {
  await using project = await temporaryProject();
  const { log, attempt } = watch(project);
  log('50 %\r100 %\rready\n');
  expect(await attempt()).toEqual(OK);
});

test('a log that was truncated is read from its beginning', async () => {
  await using project = await temporaryProject();
  const { log, attempt } = watch(project);
  log('a long line from before\nand half of ano');
  expect(await attempt()).toEqual(NOT_YET);
  truncateSync(project.file('web.log'), 0);
  log('ready\n');
  expect(await attempt()).toEqual(OK);
});

test('a log that was put aside and made anew is read from its beginning', async () => {
  await using project = await temporaryProject();
  const { log, attempt } = watch(project);
  log('one\n');
  expect(await attempt()).toEqual(NOT_YET);
  renameSync(project.file('web.log'), project.file('web.log.1'));
  log('ready\nand much more than before\n');
  expect(await attempt()).toEqual(OK);
});

test('a match far into a large write, and lines without an end', async () => {
  await using project = await temporaryProject();
  const { log, attempt } = watch(project);
  log('x'.repeat(300_000));
  expect(await attempt()).toEqual(NOT_YET);
  log(`${'line\n'.repeat(50_000)}ready\n`);
  expect(await attempt()).toEqual(OK);
});

test('a log that does not exist or is a link does not match', async () => {
  await using project = await temporaryProject(undefined, { secret: 'ready\n' });
  const { attempt } = watch(project);
  const path = project.file('web.log');
  expect(await attempt()).toEqual({ kind: 'not-yet', reason: 'the log of web is not there' });
  symlinkSync(project.file('secret'), path);
  expect(await attempt()).toMatchObject({
    kind: 'not-yet',
    reason: expect.stringContaining('cannot be read'),
  });
});
