import {
  appendFileSync,
  closeSync,
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ProjectFolder } from '../../src/project/folder.ts';
import {
  appendLedger,
  compactLedger,
  LEDGER_COMPACT_BYTES,
  readLedgers,
  removeLedger,
} from '../../src/project/ledger.ts';
import { formatBatch, type LedgerEntry } from '../../src/project/ledger-lines.ts';
import { anyBytes, anyPid, anyRunId, damaged, temporaryRecords } from './records-folder.ts';

const boot1 = { bootId: 'boot-1', pidNamespace: 'pid:[4026531836]' };
const boot2 = { bootId: 'boot-2', pidNamespace: 'pid:[4026531836]' };
const runId = '0123456789abcdef0123456789abcdef';

const fileOf = (folder: ProjectFolder, service = 'web') => join(folder.pidsDir, 'ledger', service);

function entry(pid: number, moment = boot1, service = 'web'): LedgerEntry {
  return {
    service,
    runId,
    identity: { pid, startTicks: pid * 2, ...moment },
    ppid: 1,
    pgid: pid,
    sid: 0,
  };
}

test('entries of several services, boots and appends come back as they were', () => {
  const folder = temporaryRecords();
  appendLedger(folder, 'web', boot1, [entry(10), entry(11)]);
  appendLedger(folder, 'web', boot2, [entry(12, boot2)]);
  const size = appendLedger(folder, 'db', boot1, [entry(13, boot1, 'db')]);
  expect(size).toBe(readFileSync(fileOf(folder, 'db')).length);
  expect(readLedgers(folder)).toEqual({
    entries: [entry(13, boot1, 'db'), entry(10), entry(11), entry(12, boot2)],
    problems: [],
  });
});

test('ledgers that were concatenated in either order keep their boots', () => {
  const folder = temporaryRecords();
  const [one, two] = [formatBatch(boot1, [entry(10)]), formatBatch(boot2, [entry(11, boot2)])];
  writeFileSync(fileOf(folder, 'a'), one + two);
  writeFileSync(fileOf(folder, 'b'), two + one);
  expect(readLedgers(folder)).toMatchObject({
    entries: [
      { service: 'a', identity: { pid: 10, bootId: 'boot-1' } },
      { service: 'a', identity: { pid: 11, bootId: 'boot-2' } },
      { service: 'b', identity: { pid: 11, bootId: 'boot-2' } },
      { service: 'b', identity: { pid: 10, bootId: 'boot-1' } },
    ],
    problems: [],
  });
});

test('a ledger that is torn at any byte yields only entries that were written, and all later ones', () => {
  const folder = temporaryRecords();
  const written = [entry(1234), entry(567_890)];
  const size = appendLedger(folder, 'web', boot1, written);
  for (let length = 0; length <= size; length += 1) {
    writeFileSync(fileOf(folder), formatBatch(boot1, written));
    truncateSync(fileOf(folder), length);
    appendLedger(folder, 'web', boot2, [entry(99, boot2)]);
    const { entries } = readLedgers(folder);
    expect(entries.at(-1)).toEqual(entry(99, boot2));
    for (const [at, whole] of entries.slice(0, -1).entries()) expect(whole).toEqual(written[at]);
  }
});

test('lines that are no entries are counted, all others are used', () => {
  const folder = temporaryRecords();
  appendLedger(folder, 'web', boot1, [entry(10)]);
  const lines = [
    ['x', 5, 5, 5, 5, 5, 5],
    [runId, 1, 100, 1, 50, 50],
    [runId, 0, 100, 1, 50, 50],
    [runId, -5, 100, 1, 50, 50],
    [runId, 50, 100, 1, 1, 50],
    [runId, 50, 100, 1, -1, 50],
    [runId, 50.5, 100, 1, 50, 50],
    [runId, 2 ** 31, 100, 1, 50, 50],
    ['', 50, 100, 1, 50, 50],
    [runId, '50', 100, 1, 50, 50],
  ];
  appendFileSync(
    fileOf(folder),
    `${lines.map((line) => JSON.stringify(line)).join('\n')}\n\0\xff{`,
  );
  appendLedger(folder, 'web', boot1, [entry(11)]);
  expect(readLedgers(folder)).toEqual({
    entries: [entry(10), entry(11)],
    problems: [
      {
        path: fileOf(folder),
        service: 'web',
        kind: 'partial',
        reason: expect.stringMatching(/11$/),
      },
    ],
  });
});

test('after a damaged header no entry counts for the boot before', () => {
  const folder = temporaryRecords();
  appendLedger(folder, 'web', boot1, [entry(10)]);
  appendFileSync(fileOf(folder), '["devctl-ledger",1,"boot-\n');
  appendFileSync(fileOf(folder), `["${runId}",11,22,1,11,0]\n`);
  expect(readLedgers(folder).entries).toEqual([entry(10)]);
});

test('compaction keeps the last entry of each wanted identity', () => {
  const folder = temporaryRecords();
  for (let round = 0; round < 50; round += 1) {
    appendLedger(folder, 'web', boot1, [entry(10), entry(11), { ...entry(12), ppid: round }]);
  }
  appendLedger(folder, 'web', boot2, [entry(12, boot2)]);
  const size = compactLedger(folder, 'web', ({ identity }) => identity.pid !== 11);
  expect(size).toBe(readFileSync(fileOf(folder)).length);
  expect(size).toBeLessThan(500);
  expect(readLedgers(folder)).toEqual({
    entries: [{ ...entry(12), ppid: 49 }, entry(10), entry(12, boot2)],
    problems: [],
  });
  expect(compactLedger(folder, 'web', () => false)).toBe(0);
  expect(readLedgers(folder)).toEqual({ entries: [], problems: [] });
  expect(compactLedger(folder, 'nothing', () => true)).toBe(0);
});

test('lines that are appended to the old file during a compaction are kept', () => {
  const folder = temporaryRecords();
  appendLedger(folder, 'web', boot1, [entry(10)]);
  const appender = openSync(fileOf(folder), constants.O_WRONLY | constants.O_APPEND);
  compactLedger(folder, 'web', () => {
    writeSync(appender, formatBatch(boot2, [entry(11, boot2)]));
    return true;
  });
  closeSync(appender);
  expect(readLedgers(folder)).toEqual({ entries: [entry(10), entry(11, boot2)], problems: [] });
});

test('thousands of entries fit below the size at which to compact', () => {
  const folder = temporaryRecords();
  const many = Array.from({ length: 3000 }, (_, index) => entry(100_000 + index));
  expect(appendLedger(folder, 'web', boot1, many)).toBeLessThan(LEDGER_COMPACT_BYTES);
  expect(readLedgers(folder).entries).toHaveLength(3000);
});

test('a ledger that is a link or a folder is reported and not written to', () => {
  const folder = temporaryRecords();
  const victim = join(folder.root, 'victim');
  writeFileSync(victim, 'precious');
  symlinkSync(victim, fileOf(folder));
  mkdirSync(fileOf(folder, 'db'));
  expect(() => appendLedger(folder, 'web', boot1, [entry(10)])).toThrow(/ELOOP/);
  expect(() => appendLedger(folder, 'db', boot1, [entry(10)])).toThrow(/EISDIR/);
  linkSync(victim, fileOf(folder, 'api'));
  expect(() => appendLedger(folder, 'api', boot1, [entry(10)])).toThrow(/second name/);
  expect(readFileSync(victim, 'utf8')).toBe('precious');
  rmSync(fileOf(folder, 'api'));
  expect(readLedgers(folder)).toMatchObject({
    entries: [],
    problems: [{ kind: 'refused' }, { kind: 'refused' }],
  });
});

test('a ledger is made again after .pids was removed, and can be removed itself', () => {
  const folder = temporaryRecords();
  rmSync(folder.pidsDir, { recursive: true });
  expect(readLedgers(folder)).toEqual({ entries: [], problems: [] });
  appendLedger(folder, 'web', boot1, [entry(10)]);
  removeLedger(folder, 'web');
  removeLedger(folder, 'web');
  expect(readdirSync(join(folder.pidsDir, 'ledger'))).toEqual([]);
});

test('a ledger that cannot be read is not removed: nothing in it was proved dead', () => {
  const folder = temporaryRecords();
  appendLedger(folder, 'web', boot1, [entry(10)]);
  rmSync(fileOf(folder));
  symlinkSync('elsewhere', fileOf(folder));
  removeLedger(folder, 'web');
  expect(readdirSync(join(folder.pidsDir, 'ledger'))).toEqual(['web']);
});

test('property: entries are read as they were appended', () => {
  const folder = temporaryRecords();
  const label = fc.string({ minLength: 1, maxLength: 20 });
  const line = fc.record({
    runId: anyRunId,
    identity: fc.record({ pid: anyPid, startTicks: fc.nat() }),
    ppid: fc.nat(),
    pgid: fc.oneof(anyPid, fc.constant(0)),
    sid: fc.oneof(anyPid, fc.constant(0)),
  });
  const moment = fc.record({ bootId: label, pidNamespace: label });
  fc.assert(
    fc.property(fc.array(fc.tuple(moment, fc.array(line))), (batches) => {
      removeLedger(folder, 'web');
      for (const [when, lines] of batches) appendLedger(folder, 'web', when, lines);
      const expected = batches.flatMap(([when, lines]) =>
        lines.map((each) => ({ service: 'web', ...each, identity: { ...each.identity, ...when } })),
      );
      expect(readLedgers(folder)).toEqual({ entries: expected, problems: [] });
    }),
  );
});

test('property: no content of a ledger throws or yields a pid of 1 or less', () => {
  const folder = temporaryRecords();
  const good = formatBatch(boot1, [entry(10), entry(11), entry(12)]);
  fc.assert(
    fc.property(fc.oneof(anyBytes, damaged(good)), (content) => {
      writeFileSync(fileOf(folder), content);
      for (const { identity, pgid, sid } of readLedgers(folder).entries) {
        expect(identity.pid).toBeGreaterThan(1);
        for (const group of [pgid, sid]) expect(group === 0 || group > 1).toBe(true);
      }
      compactLedger(folder, 'web', () => true);
    }),
    { numRuns: 300 },
  );
});

test('in a copied or shared ledger, the entries of the other project do not count', () => {
  const folder = temporaryRecords();
  const root = dirname(folder.root);
  const other = { ...folder, root, paths: [root] };
  appendLedger(other, 'web', boot1, [entry(10)]);
  appendLedger(folder, 'web', boot1, [entry(11)]);
  const read = readLedgers(folder);
  expect(read.entries.map(({ identity }) => identity.pid)).toEqual([11]);
  expect(read.problems).toMatchObject([{ kind: 'foreign', service: 'web' }]);
  compactLedger(folder, 'web', () => true);
  removeLedger(folder, 'web');
  expect(readLedgers(other).entries.map(({ identity }) => identity.pid)).toEqual([10]);
  removeLedger(other, 'web');
  expect(existsSync(fileOf(folder))).toBe(false);

  // When the other project is gone, it was moved here, and its records are ours.
  const moved = formatBatch({ ...boot1, project: '/nonexistent/project' }, [entry(12)]);
  appendFileSync(fileOf(folder), moved);
  expect(readLedgers(folder).entries).toMatchObject([{ identity: { pid: 12 } }]);
});

test('of an identity that was witnessed again and again, each place comes once, the last one last', () => {
  const folder = temporaryRecords();
  const moved = { ...entry(10), pgid: 7 };
  for (let round = 0; round < 50; round += 1) {
    appendLedger(folder, 'web', boot1, [entry(10), moved, entry(10)]);
  }
  expect(readLedgers(folder)).toEqual({ entries: [moved, entry(10)], problems: [] });
});

test('of a damaged ledger of 20 MB the end is read, and its good lines count', () => {
  const folder = temporaryRecords();
  appendLedger(folder, 'web', boot1, [entry(10)]);
  appendFileSync(fileOf(folder), '[1,x]\n["devctl\ngarbage\n'.repeat(1_000_000));
  appendLedger(folder, 'web', boot1, [entry(11)]);
  expect(readLedgers(folder)).toMatchObject({
    entries: [entry(11)],
    problems: [{ kind: 'partial' }],
  });
});
