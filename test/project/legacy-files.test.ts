import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ProjectFolder } from '../../src/project/folder.ts';
import {
  type LegacyFacts,
  readLegacyFiles as readWith,
  removeLegacyFiles,
  writeLegacyFiles as writeWith,
} from '../../src/project/legacy-files.ts';
import type { ServiceRecord } from '../../src/project/service-record.ts';
import { anyBytes, anyRecord, identity, recordOf, temporaryRecords } from './records-folder.ts';

const NO_FACTS: LegacyFacts = { leaders: new Set(), elsewhereAtMs: null, bootedAtMs: 0 };
const readLegacyFiles = (folder: ProjectFolder, facts: Partial<LegacyFacts> = {}) =>
  readWith(folder, { ...NO_FACTS, ...facts });
const writeLegacyFiles = (folder: ProjectFolder, records: readonly ServiceRecord[]) =>
  writeWith(folder, records, () => true);

const NAMES = ['services.pids', 'services.pids.groups', 'services.pids.services'] as const;
type Name = (typeof NAMES)[number];

const pathOf = (folder: ProjectFolder, name: Name) => join(folder.pidsDir, name);
const contents = (folder: ProjectFolder) =>
  NAMES.map((name) => {
    const path = pathOf(folder, name);
    return existsSync(path) ? readFileSync(path, 'utf8') : null;
  });
const numbers = (folder: ProjectFolder) =>
  readLegacyFiles(folder).entries.map(({ kind, pid, service }) => `${kind} ${pid} ${service}`);
const web = (folder: ProjectFolder) => recordOf(folder, 'web', { leader: identity(1234) });
const agent = (folder: ProjectFolder) =>
  recordOf(folder, 'scaffold-agent', { leader: identity(5678) });

test('the three legacy files, to the letter', () => {
  const folder = temporaryRecords();
  const intent = recordOf(folder, 'db', { leader: null });
  expect(writeLegacyFiles(folder, [web(folder), intent, agent(folder)])).toEqual([]);
  expect(contents(folder)).toEqual([
    '1234\n5678\n',
    'PGID:web:1234\nPGID:scaffold-agent:5678\n',
    'web:1234\nscaffold-agent:5678\n',
  ]);
  // Lines of ours are no evidence.
  expect(readLegacyFiles(folder)).toEqual({ entries: [], problems: [] });
});

test('they follow the records and go with the last one', () => {
  const folder = temporaryRecords();
  writeLegacyFiles(folder, [web(folder), agent(folder)]);
  writeLegacyFiles(folder, [agent(folder)]);
  expect(contents(folder)).toEqual([
    '5678\n',
    'PGID:scaffold-agent:5678\n',
    'scaffold-agent:5678\n',
  ]);
  const before = statSync(pathOf(folder, 'services.pids')).ino;
  writeLegacyFiles(folder, [agent(folder)]);
  expect(statSync(pathOf(folder, 'services.pids')).ino).toBe(before);
  writeLegacyFiles(folder, []);
  expect(readdirSync(folder.pidsDir).filter((name) => name.endsWith('.pids'))).toEqual([]);
});

test('lines of an old start-dev.sh stay, with their time, until they are removed on purpose', () => {
  const folder = temporaryRecords();
  writeFileSync(pathOf(folder, 'services.pids'), '77\r\n# note\nold:88\n1234\nrubbish\n');
  utimesSync(pathOf(folder, 'services.pids'), 1000, 1000);

  writeLegacyFiles(folder, [web(folder)]);
  expect(contents(folder)[0]).toBe('1234\n77\nold:88\n');
  expect(statSync(pathOf(folder, 'services.pids')).mtimeMs).toBe(1_000_000);
  writeLegacyFiles(folder, [agent(folder)]);
  expect(contents(folder)[0]).toBe('5678\n77\nold:88\n');
  writeLegacyFiles(folder, []);
  expect(contents(folder)).toEqual(['77\nold:88\n', null, null]);
  expect(statSync(pathOf(folder, 'services.pids')).mtimeMs).toBe(1_000_000);
  writeLegacyFiles(folder, []);
  expect(contents(folder)).toEqual(['77\nold:88\n', null, null]);

  removeLegacyFiles(folder);
  removeLegacyFiles(folder);
  expect(contents(folder)).toEqual([null, null, null]);
});

test('lines that a script appends to ours, or writes in place of them, stay, too', () => {
  const folder = temporaryRecords();
  writeLegacyFiles(folder, [web(folder), agent(folder)]);
  writeFileSync(pathOf(folder, 'services.pids'), '99\n', { flag: 'a' });
  writeFileSync(pathOf(folder, 'services.pids.services'), 'lone:55\nweb:1234\n');
  writeLegacyFiles(folder, [web(folder)]);
  expect(contents(folder)).toEqual(['1234\n99\n', 'PGID:web:1234\n', 'web:1234\nlone:55\n']);
});

test('a crash between the marks and the files leaves our lines ours', () => {
  const folder = temporaryRecords();
  const marks = join(folder.pidsDir, 'founding.json');
  writeLegacyFiles(folder, [web(folder), agent(folder)]);
  const before = contents(folder);
  writeLegacyFiles(folder, [web(folder)]);
  for (const [at, name] of NAMES.entries()) writeFileSync(pathOf(folder, name), before[at] ?? '');
  writeLegacyFiles(folder, [web(folder)]);
  expect(contents(folder)).toEqual(['1234\n', 'PGID:web:1234\n', 'web:1234\n']);

  writeFileSync(marks, 'garbage');
  writeLegacyFiles(folder, [agent(folder)]);
  expect(contents(folder)[0]).toBe('5678\n1234\n');
});

test.each<[string, string[], number]>([
  ['1234', ['pid 1234 null'], 0],
  ['  1234 \r\n\r\n', ['pid 1234 null'], 0],
  ['\uFEFF1234\n', ['pid 1234 null'], 0],
  ['orchestrator:1234', ['pid 1234 orchestrator'], 0],
  ['orchestrator: 1234', ['pid 1234 orchestrator'], 0],
  ['dev:api:1234', ['pid 1234 dev:api'], 0],
  ['PGID:orchestrator:1234', ['group 1234 orchestrator'], 0],
  ['PGID:1234', ['group 1234 null'], 0],
  [
    '1234\norchestrator:1234\nPGID:orchestrator:1234',
    ['pid 1234 orchestrator', 'group 1234 orchestrator'],
    0,
  ],
  ['# a comment\n\n12 # no\n34', ['pid 34 null'], 1],
  ['0\n1\n-5\n01\n4194305\n99999999999\n1e3\n0x10\n12.5\n:\nPGID:web:\n7', ['pid 7 null'], 11],
])('%j is read as %j', (content, expected, ignored) => {
  const folder = temporaryRecords();
  writeFileSync(pathOf(folder, 'services.pids'), content);
  expect(numbers(folder)).toEqual(expected);
  const reasons = readLegacyFiles(folder).problems.map(({ reason }) => reason);
  expect(reasons).toEqual(ignored ? [`lines ignored that name no process: ${ignored}`] : []);
});

test('a number in two files has the name of one file and the earlier time', () => {
  const folder = temporaryRecords();
  writeFileSync(pathOf(folder, 'services.pids'), '1234');
  writeFileSync(pathOf(folder, 'services.pids.services'), 'web:1234');
  utimesSync(pathOf(folder, 'services.pids'), 2000, 2000);
  utimesSync(pathOf(folder, 'services.pids.services'), 1000, 1000);
  expect(readLegacyFiles(folder).entries).toEqual([
    { kind: 'pid', pid: 1234, service: 'web', writtenAtMs: 1_000_000 },
  ]);
});

test('a file from the future names no process, and is a problem only if others wrote to it', () => {
  const folder = temporaryRecords();
  const tomorrow = Date.now() / 1000 + 86_400;
  const setClockBack = () => {
    for (const name of NAMES) utimesSync(pathOf(folder, name), tomorrow, tomorrow);
  };
  writeLegacyFiles(folder, [agent(folder)]);
  setClockBack();
  expect(readLegacyFiles(folder)).toEqual({ entries: [], problems: [] });
  writeFileSync(pathOf(folder, 'services.pids'), '77\n', { flag: 'a' });
  setClockBack();
  expect(readLegacyFiles(folder).problems).toMatchObject([
    { kind: 'unbelieved', reason: expect.stringMatching(/in the future.*: 77$/) },
  ]);
  expect(numbers(folder)).toEqual([]);
  // The file stays as it is, with our lines beside it.
  writeLegacyFiles(folder, []);
  expect(contents(folder)).toEqual(['77\n', null, null]);
});

test.each<[what: string, facts: Partial<LegacyFacts>, kind: string]>([
  ['written before the last boot', { bootedAtMs: Date.now() + 60_000 }, 'outdated'],
  ['older than a record of another container', { elsewhereAtMs: Date.now() + 9_000 }, 'unbelieved'],
])('a file that is %s names no process, and its numbers are named', (_what, facts, kind) => {
  const folder = temporaryRecords();
  writeLegacyFiles(folder, [agent(folder)]);
  expect(readLegacyFiles(folder, facts)).toEqual({ entries: [], problems: [] });
  writeFileSync(pathOf(folder, 'services.pids'), '77\nold:88\n', { flag: 'a' });
  expect(readLegacyFiles(folder, facts)).toMatchObject({
    entries: [],
    problems: [{ kind, reason: expect.stringMatching(/: 77, old:88$/) }],
  });
  expect(numbers(folder)).toEqual(['pid 77 null', 'pid 88 old']);
});

test('where the marks are lost, a line with the pid of a record is ours', () => {
  const folder = temporaryRecords();
  writeLegacyFiles(folder, [web(folder), agent(folder)]);
  writeFileSync(join(folder.pidsDir, 'founding.json'), 'garbage');
  const { entries } = readLegacyFiles(folder, { leaders: new Set([1234]) });
  expect(new Set(entries.map(({ pid }) => pid))).toEqual(new Set([5678]));
});

test('a record whose leader is not alive at this moment gets no line', () => {
  const folder = temporaryRecords();
  writeWith(folder, [web(folder), agent(folder)], ({ pid }) => pid !== 1234);
  expect(contents(folder)[0]).toBe('5678\n');
});

test('files that are links or folders are reported and left alone', () => {
  const folder = temporaryRecords();
  writeFileSync(join(folder.root, 'victim'), '1234\n');
  symlinkSync(join(folder.root, 'victim'), pathOf(folder, 'services.pids'));
  mkdirSync(pathOf(folder, 'services.pids.groups'));
  expect(readLegacyFiles(folder)).toMatchObject({
    entries: [],
    problems: [{ kind: 'refused' }, { kind: 'refused' }],
  });
  expect(writeLegacyFiles(folder, [agent(folder)])).toMatchObject([
    { kind: 'refused' },
    { kind: 'refused' },
  ]);
  expect(readFileSync(join(folder.root, 'victim'), 'utf8')).toBe('1234\n');
  const services = pathOf(folder, 'services.pids.services');
  expect(readFileSync(services, 'utf8')).toBe('scaffold-agent:5678\n');
});

test('property: every leader has its line, no line of ours is evidence, and other text is never a pid', () => {
  const folder = temporaryRecords();
  fc.assert(
    fc.property(fc.array(anyRecord(folder), { maxLength: 6 }), anyBytes, (records, content) => {
      removeLegacyFiles(folder);
      for (const name of NAMES) writeFileSync(pathOf(folder, name), content);
      const strangers = readLegacyFiles(folder).entries;
      for (const { pid } of strangers) expect(pid).toBeGreaterThan(1);

      writeLegacyFiles(folder, records);
      const lines = (contents(folder)[0] ?? '').split('\n');
      for (const { leader } of records) if (leader) expect(lines).toContain(String(leader.pid));
      writeLegacyFiles(folder, []);
      const leaders = new Set(records.map(({ leader }) => leader?.pid));
      const left = readLegacyFiles(folder).entries.map(({ kind, pid }) => `${kind} ${pid}`);
      const expected = strangers.filter(({ pid }) => !leaders.has(pid));
      expect(left).toEqual(expected.map(({ kind, pid }) => `${kind} ${pid}`));
    }),
  );
});
