import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { projectFolder } from '../../src/project/folder.ts';
import type { LedgerEntry } from '../../src/project/ledger-lines.ts';
import { NO_RUN } from '../../src/project/ledger-lines.ts';
import { isOfFolder, recordsFoldersBeside } from '../../src/project/place/beside.ts';
import { settleProject } from '../../src/project/place/settle-project.ts';
import type { ServiceRecord } from '../../src/project/service-record.ts';
import { type RecordsIn, sortByManifest } from '../../src/tracking/beside.ts';
import { identity, recordOf, temporaryFolder } from '../project/records-folder.ts';

const FOLDER = projectFolder('/p');
const [OURS, THEIRS] = ['0123456789abcdef-aaaaaaaa', 'fedcba9876543210-bbbbbbbb'];
const [RUN_A, RUN_B] = ['a'.repeat(32), 'b'.repeat(32)];

function record(pid: number, runId: string, projectId?: string): ServiceRecord {
  return recordOf(FOLDER, 'web', {
    runId,
    leader: identity(pid),
    ...(projectId === undefined ? {} : { projectId }),
  });
}

function seen(pid: number, runId: string): LedgerEntry {
  return { service: 'web', runId, identity: identity(pid), ppid: 1, pgid: pid, sid: pid };
}

describe('the records beside ours are told apart by the variant of the manifest', () => {
  const a = record(1, RUN_A, OURS);
  const b = record(2, RUN_B, THEIRS);
  const ledger = [seen(11, RUN_A), seen(12, RUN_B), seen(13, NO_RUN)];
  const all = { ledger, isOfFolder: true };
  test.each<[string, RecordsIn, readonly number[], readonly number[], readonly number[]]>([
    ['of another manifest', { ...all, records: [b] }, [2], [11, 12, 13], []],
    ['of this manifest', { ...all, records: [a] }, [], [], [1, 11, 12, 13]],
    ['of both', { ...all, records: [a, b] }, [2], [12, 13], [1, 11]],
    ['a ledger alone', { ...all, records: [] }, [], [], []],
    ['without an id', { ...all, records: [record(3, RUN_A)] }, [], [], []],
    ['of another folder', { ...all, records: [a, b], isOfFolder: false }, [2], [12, 13], []],
  ])('%s', (_name, folder, others, othersSeen, ours) => {
    const sorted = sortByManifest('-aaaaaaaa', [folder]);
    expect(sorted.others.map(({ leader }) => leader?.pid)).toEqual(others);
    expect(sorted.othersSeen.map(({ identity: { pid } }) => pid)).toEqual(othersSeen);
    expect(sorted.ours.map(({ identity: { pid } }) => pid)).toEqual(ours);
  });
});

describe('the other records folders of a project folder', () => {
  test.each<[string, (root: string) => string]>([
    ['in the folder', (root) => write(join(root, '.pb/project.json'), '{}')],
    ['in the folder, with a lock only', (root) => write(join(root, '.pb/lock'), '{}')],
    [
      'outside, named by another manifest',
      (root) => {
        const pidsDir = temporaryFolder();
        write(join(root, 'b.json'), JSON.stringify({ pidsDir, services: {} }));
        return pidsDir;
      },
    ],
  ])('%s', (_name, make) => {
    const root = temporaryFolder();
    const folder = projectFolder(root, '.pa', 'a.json');
    mkdirSync(folder.pidsDir);
    expect(recordsFoldersBeside(folder)).toEqual([]);
    expect(recordsFoldersBeside({ ...folder, pidsDir: join(root, '.other') })).toEqual([]);
    const made = make(root);
    expect(recordsFoldersBeside(folder)).toEqual([made]);
    // Seen from there, nothing else is beside it than ours, once something was recorded there.
    settleProject(folder);
    expect(recordsFoldersBeside(projectFolder(root, made, 'b.json'))).toEqual([folder.pidsDir]);
    expect(isOfFolder(root, folder.pidsDir)).toBe(true);
    expect(isOfFolder(made, folder.pidsDir)).toBe(false);
  });
});

/** Writes a file, and returns its folder. */
function write(path: string, text: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  return dirname(path);
}
