import { execFileSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ProjectFolder, projectFolder } from '../../src/project/folder.ts';
import { readRecord, readRecords, removeRecord, writeRecord } from '../../src/project/records.ts';
import type { ServiceRecord } from '../../src/project/service-record.ts';
import { mustSetAside, setAside } from '../../src/project/set-aside.ts';
import {
  anyBytes,
  anyRecord,
  damaged,
  identity,
  recordOf,
  temporaryFolder,
  temporaryRecords,
} from './records-folder.ts';

const fileOf = (folder: ProjectFolder, service: string) =>
  join(folder.pidsDir, 'services', `${service}.json`);

/** A good record with some fields replaced. */
const changed = (changes: Record<string, unknown>) => (folder: ProjectFolder) =>
  JSON.stringify({ ...recordOf(folder, 'web'), ...changes });

describe('a bad file is reported, set aside, and hides no good one', () => {
  test.each<[string, (folder: ProjectFolder) => string | Buffer, string, RegExp]>([
    ['empty', () => '', 'corrupt', /not a JSON object/],
    ['truncated', (folder) => changed({})(folder).slice(0, 200), 'corrupt', /not a JSON object/],
    ['garbage', () => Buffer.from([0, 255, 254, 10, 128]), 'corrupt', /not a JSON object/],
    ['a list', () => '[]', 'corrupt', /not a JSON object/],
    ['deeply nested', () => '['.repeat(100_000), 'corrupt', /not a JSON object/],
    ['too large', () => ' '.repeat(1024 * 1024 + 1), 'refused', /larger than/],
    ['a later schema', changed({ schema: 2 }), 'newer', /later devctl/],
    ['no schema', changed({ schema: undefined }), 'corrupt', /"schema"/],
    ['schema as text', changed({ schema: '1' }), 'corrupt', /"schema"/],
    ['another name', changed({ service: 'db' }), 'corrupt', /another service, "db"/],
    ['a path as name', changed({ service: '../web' }), 'corrupt', /"service"/],
    ['pid 1', changed({ leader: identity(1) }), 'corrupt', /"leader"/],
    ['pid 0', changed({ leader: identity(0) }), 'corrupt', /"leader"/],
    ['a negative pid', changed({ leader: identity(-4711) }), 'corrupt', /"leader"/],
    ['a fraction as pid', changed({ leader: identity(2.5) }), 'corrupt', /"leader"/],
    ['an absurd pid', changed({ leader: identity(2 ** 40) }), 'corrupt', /"leader"/],
    ['pid as text', changed({ leader: { ...identity(5), pid: '5' } }), 'corrupt', /"leader"/],
    ['supervisor pid 1', changed({ supervisor: identity(1) }), 'corrupt', /"supervisor"/],
    ['no boot', changed({ leader: { ...identity(5), bootId: '' } }), 'corrupt', /"leader"/],
    ['an empty run id', changed({ runId: '' }), 'corrupt', /"runId"/],
    ['an unknown state', changed({ state: 'toString' }), 'corrupt', /"state"/],
    [
      'an unknown signal',
      changed({ stop: { signal: 'SIGNOPE', graceMs: 1, command: null } }),
      'corrupt',
      /"stop"/,
    ],
    [
      'an endless grace',
      changed({ stop: { signal: 'SIGTERM', graceMs: '9', command: null } }),
      'corrupt',
      /"stop"/,
    ],
    ['port 70000', changed({ ports: [70_000] }), 'corrupt', /"ports"/],
    ['a relative log', changed({ log: 'web.log' }), 'corrupt', /"log"/],
    ['a command of numbers', changed({ command: [1] }), 'corrupt', /"command"/],
  ])('%s', (_name, content, kind, reason) => {
    const folder = temporaryRecords();
    const good = recordOf(folder, 'db');
    writeRecord(folder, good);
    writeFileSync(fileOf(folder, 'web'), content(folder));

    const { records, problems } = readRecords(folder);
    expect(records).toEqual([good]);
    expect(problems).toEqual([
      { path: fileOf(folder, 'web'), service: 'web', kind, reason: expect.stringMatching(reason) },
    ]);

    const [problem] = problems;
    const aside = problem && setAside(folder, problem);
    expect(basename(aside ?? '')).toMatch(/^web\.json\.corrupt-\d{8}T\d{9}Z$/);
    expect(readFileSync(aside ?? '').equals(Buffer.from(content(folder)))).toBe(true);
    expect(readRecords(folder)).toEqual({ records: [good], problems: [] });
  });

  test.each<[string, (path: string) => void, RegExp]>([
    ['a folder', (path) => mkdirSync(path), /not a regular file/],
    [
      'a symbolic link',
      (path) => symlinkSync(join(dirname(path), 'db.json'), path),
      /a symbolic link/,
    ],
    ['a dangling symbolic link', (path) => symlinkSync('nowhere', path), /a symbolic link/],
    [
      'a FIFO, which nobody writes to',
      (path) => execFileSync('mkfifo', [path]),
      /not a regular file/,
    ],
  ])('%s', (_name, make, reason) => {
    const folder = temporaryRecords();
    const good = recordOf(folder, 'db');
    writeRecord(folder, good);
    make(fileOf(folder, 'web'));

    const { records, problems } = readRecords(folder);
    expect(records).toEqual([good]);
    expect(problems).toMatchObject([{ kind: 'refused', reason: expect.stringMatching(reason) }]);
    for (const problem of problems) setAside(folder, problem);
    expect(readRecords(folder)).toEqual({ records: [good], problems: [] });
    expect(readdirSync(join(folder.pidsDir, 'services'))).toHaveLength(2);
  });
});

test.each([
  ['services/web.json', true],
  ['ledger/web.csv', false],
])('%s of 2 MiB, which cannot be read just now, is set aside: %s', (name, expected) => {
  const folder = temporaryRecords();
  const path = join(folder.pidsDir, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, Buffer.alloc(2 * 1024 * 1024));
  const problem = { path, service: 'web', kind: 'refused', reason: 'EACCES' } as const;
  expect(mustSetAside(folder, problem)).toBe(expected);
});

test('a file whose name is no service name is reported', () => {
  const folder = temporaryRecords();
  writeFileSync(fileOf(folder, 'we\nb'), '{}');
  writeFileSync(join(folder.pidsDir, 'services', '.json'), '{}');
  expect(readRecords(folder).problems).toMatchObject([{ kind: 'corrupt', service: null }]);
});

test('the records of a copied project are not obeyed, those of a moved one are', () => {
  const original = temporaryFolder();
  const folder = temporaryRecords();
  const record = recordOf(folder, 'web', { project: original });
  writeRecord(folder, record);
  expect(readRecords(folder)).toMatchObject({ records: [], problems: [{ kind: 'foreign' }] });
  rmSync(original, { recursive: true });
  expect(readRecords(folder)).toEqual({ records: [record], problems: [] });
});

test('a missing .pids is no problem, a .pids that is a link or a file is one', () => {
  const folder = projectFolder(temporaryFolder());
  expect(readRecords(folder)).toEqual({ records: [], problems: [] });
  symlinkSync(temporaryRecords().pidsDir, folder.pidsDir);
  expect(readRecords(folder)).toMatchObject({ records: [], problems: [{ kind: 'refused' }] });
  rmSync(folder.pidsDir);
  writeFileSync(folder.pidsDir, '');
  expect(readRecords(folder)).toMatchObject({ records: [], problems: [{ kind: 'refused' }] });
});

test('a record is written with mode 0600, through no link, even after .pids was removed', () => {
  const folder = temporaryRecords();
  const victim = join(temporaryFolder(), 'victim');
  writeFileSync(victim, 'precious');
  symlinkSync(victim, fileOf(folder, 'web'));
  const record = recordOf(folder, 'web');
  writeRecord(folder, record);
  expect(readFileSync(victim, 'utf8')).toBe('precious');
  expect(lstatSync(fileOf(folder, 'web')).mode & 0o777).toBe(0o600);

  rmSync(folder.pidsDir, { recursive: true });
  writeRecord(folder, record);
  expect(readRecords(folder).records).toEqual([record]);
  expect(readdirSync(join(folder.pidsDir, 'services'))).toEqual(['web.json']);
});

test('a folder in the way is named, and nothing is left behind', () => {
  const folder = temporaryRecords();
  mkdirSync(fileOf(folder, 'web'));
  expect(() => writeRecord(folder, recordOf(folder, 'web'))).toThrow(
    /web\.json: E(ISDIR|NOTEMPTY)/,
  );
  expect(readdirSync(join(folder.pidsDir, 'services'))).toEqual(['web.json']);
});

test('a record that no reader would accept is not written', () => {
  const folder = temporaryRecords();
  const write = (changes: Partial<ServiceRecord>) => () =>
    writeRecord(folder, recordOf(folder, 'web', changes));
  expect(write({ leader: identity(1) })).toThrow(/"leader"/);
  expect(write({ service: '../../etc/passwd' })).toThrow(/"service"/);
  expect(write({ supervisor: identity(1) })).toThrow(/not an identity/);
  expect(write({ reason: 'x'.repeat(1024 * 1024) })).toThrow(/larger than/);
  expect(readRecords(folder)).toEqual({ records: [], problems: [] });
});

test('only the record of the run that ended is removed', () => {
  const folder = temporaryRecords();
  const record = recordOf(folder, 'web');
  writeRecord(folder, record);
  expect(removeRecord(folder, 'web', 'f'.repeat(32))).toBe(false);
  expect(readRecord(folder, 'web')).toEqual({ kind: 'record', record });
  expect(removeRecord(folder, 'web', record.runId)).toBe(true);
  expect(readRecord(folder, 'web')).toEqual({ kind: 'missing' });
  expect(removeRecord(folder, 'web', record.runId)).toBe(false);
});

test('nothing outside the records, and no folder of theirs, can be set aside', () => {
  const folder = temporaryRecords();
  for (const path of [
    folder.root,
    folder.pidsDir,
    join(folder.pidsDir, 'services'),
    '/etc/hosts',
  ]) {
    expect(() => setAside(folder, { path })).toThrow(/not a file of the records/);
  }
  expect(setAside(folder, { path: fileOf(folder, 'gone') })).toBe(null);
});

test('property: a record is read as it was written', () => {
  const folder = temporaryRecords();
  fc.assert(
    fc.property(anyRecord(folder), (record) => {
      writeRecord(folder, record);
      expect(readRecord(folder, record.service)).toEqual({ kind: 'record', record });
    }),
  );
});

test('property: no content of a record throws or yields a pid of 1 or less', () => {
  const folder = temporaryRecords();
  const good = JSON.stringify(recordOf(folder, 'web'));
  fc.assert(
    fc.property(fc.oneof(anyBytes, damaged(good)), (content) => {
      writeFileSync(fileOf(folder, 'web'), content);
      const { records, problems } = readRecords(folder);
      expect(records.length + problems.length).toBe(1);
      for (const { leader, supervisor, service } of records) {
        expect(service).toBe('web');
        expect(supervisor.pid).toBeGreaterThan(1);
        expect(leader?.pid ?? 2).toBeGreaterThan(1);
      }
    }),
    { numRuns: 500 },
  );
});
