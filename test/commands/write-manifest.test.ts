import {
  appendFileSync,
  chmodSync,
  lstatSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { expect, test } from 'vitest';
import { withServices } from '../../src/commands/manifests/save.ts';
import { changeManifest, writeManifest } from '../../src/commands/manifests/write.ts';
import { canMount, smallDisk } from '../support/small-disk.ts';
import { temporaryProject } from '../support/temporary-project.ts';

const BEFORE = `{
  // by hand
  "services": { "web": { "command": "vite" } },
}
`;
const job = { name: 'job', command: ['sleep', '9'], from: '', notes: [], text: 'sleep 9' } as const;
const addJob = (file: string) => (text: string) => withServices(text, file, [job]);

test('what an editor writes while a service is added is kept', async () => {
  await using project = await temporaryProject(undefined, { 'm.json': BEFORE });
  const file = project.file('m.json');
  let edits = 0;
  const { before, after } = changeManifest(file, (text) => {
    edits += 1;
    if (edits === 1) appendFileSync(file, '// the last line of the editor\n');
    return addJob(file)(text);
  });
  expect(edits).toBe(2);
  expect(before).toBe(`${BEFORE}// the last line of the editor\n`);
  expect(readFileSync(file, 'utf8')).toBe(after);
  expect(after.split('\n')).toEqual([
    ...['{', '  // by hand'],
    '  "services": { "web": { "command": "vite" }, "job": { "command": ["sleep", "9"] } },',
    ...['}', '// the last line of the editor', ''],
  ]);
});

test('a manifest that another program writes all the time is left alone', async () => {
  await using project = await temporaryProject(undefined, { 'm.json': BEFORE });
  const file = project.file('m.json');
  const change = (text: string): string => {
    appendFileSync(file, '\n');
    return addJob(file)(text);
  };
  expect(() => changeManifest(file, change)).toThrow('is written again and again');
  expect(readFileSync(file, 'utf8').trimEnd()).toBe(BEFORE.trimEnd());
  expect(readdirSync(project.root).sort()).toEqual(['.marker', 'm.json']);
});

test.each([
  ['nothing yet', ''],
  ['half of it', BEFORE.slice(0, 40)],
  ['a list', '[]'],
  ['services of another kind', '{ "services": [] }'],
  ['the service itself', '{ "services": { "job": {} } }'],
])('a text that has %s is not changed', async (_name, text) => {
  await using project = await temporaryProject(undefined, { 'm.json': text });
  const file = project.file('m.json');
  expect(() => changeManifest(file, addJob(file))).toThrow(
    expect.objectContaining({ name: 'DevctlError' }),
  );
  expect(readFileSync(file, 'utf8')).toBe(text);
});

test('a link stays a link, and the file has its rights', async () => {
  await using project = await temporaryProject(undefined, { 'real/m.json': BEFORE });
  const file = project.file('m.json');
  chmodSync(project.file('real/m.json'), 0o600);
  symlinkSync('real/m.json', file);
  changeManifest(file, addJob(file));
  expect(lstatSync(file).isSymbolicLink()).toBe(true);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(project.file('real/m.json'), 'utf8')).toContain('"job"');
});

test('a new manifest never replaces one that has come meanwhile', async () => {
  await using project = await temporaryProject();
  const file = project.file('m.json');
  writeManifest(file, BEFORE);
  expect(() => writeManifest(file, '{}')).toThrow('is there already');
  expect(readFileSync(file, 'utf8')).toBe(BEFORE);
  expect(readdirSync(project.root).sort()).toEqual(['.marker', 'm.json']);
});

test.runIf(canMount)('on a full disk there is no half of a manifest', async () => {
  await using project = await temporaryProject();
  using disk = smallDisk(project.file('disk'));
  const [old, fresh] = [project.file('disk/old.json'), project.file('disk/new.json')];
  writeFileSync(old, BEFORE);
  disk.fill();
  expect(() => writeManifest(fresh, BEFORE.repeat(9_999))).toThrow('ENOSPC');
  expect(() => changeManifest(old, (text) => text.repeat(9_999))).toThrow('ENOSPC');
  expect(readFileSync(old, 'utf8')).toBe(BEFORE);
  expect(readdirSync(project.file('disk')).sort()).toEqual(['fill', 'old.json']);
});
