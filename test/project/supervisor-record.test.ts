import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ProjectFolder } from '../../src/project/folder.ts';
import { readLastStop, writeLastStop } from '../../src/project/last-stop.ts';
import { projectHash } from '../../src/project/names.ts';
import {
  readSupervisor,
  removeSupervisor,
  type SupervisorRecord,
  writeSupervisor,
} from '../../src/project/supervisor-record.ts';
import { anyBytes, damaged, identity, temporaryRecords } from './records-folder.ts';

const fileOf = (folder: ProjectFolder) => join(folder.pidsDir, 'supervisor.json');

function supervisorOf(folder: ProjectFolder): SupervisorRecord {
  return {
    schema: 1,
    identity: identity(4700),
    socket: `/tmp/devctl-0/${projectHash(folder.root)}.sock`,
    capabilities: {
      subreaper: { held: false, why: 'koffi is not installed' },
      pidfd: { held: false, why: 'koffi is not installed' },
      cgroup: { held: true, why: null },
    },
    groups: '/sys/fs/cgroup/devctl-0123456789abcdef',
    version: '0.1.0',
    startedAt: '2026-01-02T03:04:05.678Z',
  };
}

test('the record is read as it was written, and removed only by its supervisor', () => {
  const folder = temporaryRecords();
  expect(readSupervisor(folder)).toEqual({ kind: 'missing' });
  const record = supervisorOf(folder);
  writeSupervisor(folder, record);
  expect(readSupervisor(folder)).toEqual({ kind: 'record', record });
  expect(removeSupervisor(folder, identity(4700, 999))).toBe(false);
  expect(removeSupervisor(folder, identity(4700))).toBe(true);
  expect(readSupervisor(folder)).toEqual({ kind: 'missing' });
});

test.each<[string, (record: SupervisorRecord) => unknown, string]>([
  ['an empty object', () => ({}), 'corrupt'],
  ['a later schema', (record) => ({ ...record, schema: 7 }), 'newer'],
  ['pid 1', (record) => ({ ...record, identity: identity(1) }), 'corrupt'],
  ['a relative socket', (record) => ({ ...record, socket: 'x.sock' }), 'corrupt'],
  ['capabilities as text', (record) => ({ ...record, capabilities: 'yes' }), 'corrupt'],
  ["another project's socket", (record) => ({ ...record, socket: '/tmp/a/0.sock' }), 'foreign'],
])('%s is not obeyed', (_name, content, kind) => {
  const folder = temporaryRecords();
  writeFileSync(fileOf(folder), JSON.stringify(content(supervisorOf(folder))));
  expect(readSupervisor(folder)).toMatchObject({ kind: 'problem', problem: { kind } });
});

test('no supervisor is recorded as process 1', () => {
  const folder = temporaryRecords();
  const record = { ...supervisorOf(folder), identity: identity(1) };
  expect(() => writeSupervisor(folder, record)).toThrow(/not an identity/);
});

test('property: no content throws or yields a pid of 1 or less', () => {
  const folder = temporaryRecords();
  fc.assert(
    fc.property(fc.oneof(anyBytes, damaged(JSON.stringify(supervisorOf(folder)))), (content) => {
      writeFileSync(fileOf(folder), content);
      const read = readSupervisor(folder);
      if (read.kind === 'record') expect(read.record.identity.pid).toBeGreaterThan(1);
      writeFileSync(join(folder.pidsDir, 'last-stop.json'), content);
      readLastStop(folder);
    }),
    { numRuns: 300 },
  );
});

test('the report of the last stop is kept as it is', () => {
  const folder = temporaryRecords();
  expect(readLastStop(folder)).toBe(null);
  const report = { version: 1, survivors: [], ended: [{ pid: 5, evidence: ['cookie'] }] };
  writeLastStop(folder, report);
  expect(readLastStop(folder)).toEqual(report);
  writeFileSync(join(folder.pidsDir, 'last-stop.json'), '{"version":"one"}');
  expect(readLastStop(folder)).toBe(null);
});
