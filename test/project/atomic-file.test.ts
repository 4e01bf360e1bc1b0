import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readRecord, readRecords, writeRecord } from '../../src/project/records.ts';
import { until } from '../support/until.ts';
import { bundle, run } from './programs.ts';
import { recordOf, temporaryRecords } from './records-folder.ts';

test('a writer that is killed at any moment leaves a whole record', async () => {
  const folder = temporaryRecords();
  const first = join(folder.root, 'first.json');
  writeFileSync(first, JSON.stringify(recordOf(folder, 'web')));
  const program = bundle('write-records');
  for (let round = 0; round < 5; round += 1) {
    const { child, ended } = run(process.execPath, [program, first, folder.root]);
    const seen = new Set<number>();
    const bad: unknown[] = [];
    await until(() => {
      for (let look = 0; look < 50; look += 1) {
        const read = readRecord(folder, 'web');
        if (read.kind === 'missing') return false;
        const record = read.kind === 'record' ? read.record : null;
        if (record?.reason?.length === record?.restarts && record) seen.add(record.restarts);
        else bad.push(read);
      }
      return seen.size > 5 || bad.length > 0;
    });
    child.kill('SIGKILL');
    expect(bad).toEqual([]);
    expect((await ended).stderr).toBe('');
    const { records, problems } = readRecords(folder);
    expect(problems).toEqual([]);
    expect(records[0]?.reason).toHaveLength(records[0]?.restarts ?? -1);
  }
});

test('a write that failed leaves no temporary file', () => {
  const folder = temporaryRecords();
  mkdirSync(join(folder.pidsDir, 'services', 'web.json'));
  writeFileSync(join(folder.pidsDir, 'services', 'web.json', 'x'), '');
  expect(() => writeRecord(folder, recordOf(folder, 'web'))).toThrow(/cannot write/);
  expect(readdirSync(join(folder.pidsDir, 'services'))).toEqual(['web.json']);
});
