import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { newTicket, placeTicket } from '../../src/lock/ticket.ts';
import type { ProjectFolder } from '../../src/project/folder.ts';
import { bundle, run } from '../project/programs.ts';
import { identity, temporaryRecords } from '../project/records-folder.ts';
import { eachMode, fullTest, test } from '../support/sets.ts';
import { until } from '../support/until.ts';

const PROCESSES = 20;

const dead = () => newTicket({ identity: identity(4_194_303), command: 'died', at: '' });
const breaches = (folder: ProjectFolder) =>
  readdirSync(folder.root).filter((name) => name.startsWith('breach'));
const lockFiles = (folder: ProjectFolder) =>
  readdirSync(folder.pidsDir).filter((name) => name.includes('lock'));

test('20 processes: never two hold the lock, each gets its turns, nothing is left', async () => {
  const folder = temporaryRecords();
  const program = bundle('contend');
  const all = Array.from({ length: PROCESSES }, () =>
    run(process.execPath, [program, folder.root, '15', '0']),
  );
  for (const end of await Promise.all(all.map(({ ended }) => ended))) {
    expect(end).toEqual({ code: 0, signal: null, stdout: '', stderr: '' });
  }
  expect(breaches(folder)).toEqual([]);
  expect(lockFiles(folder)).toEqual([]);
});

eachMode(['full', 'slow'] as const)(
  '20 processes, of which most die by SIGKILL while they hold the lock, at %s pace',
  async (pace) => {
    const folder = temporaryRecords();
    const program = bundle('contend', pace);
    const all = Array.from({ length: PROCESSES }, (_, index) =>
      run(process.execPath, [program, folder.root, '15', index < 4 ? '0' : '20']),
    );
    const ends = await Promise.all(all.map(({ ended }) => ended));
    for (const { code, signal, stderr } of ends) {
      expect({ ok: code === 0 || signal === 'SIGKILL', stderr }).toEqual({ ok: true, stderr: '' });
    }
    expect(ends.filter(({ signal }) => signal === 'SIGKILL').length).toBeGreaterThan(5);
    expect(breaches(folder)).toEqual([]);
  },
);

test('20 processes that are killed at any moment, waiting, breaking or holding', async () => {
  const folder = temporaryRecords();
  const program = bundle('contend', 'slow');
  for (let round = 0; round < 3; round += 1) {
    const doomed = Array.from({ length: PROCESSES - 2 }, () =>
      run(process.execPath, [program, folder.root, '100000', '0']),
    );
    const survivors = [0, 1].map(() => run(process.execPath, [program, folder.root, '20', '5']));
    for (const { child } of doomed) {
      // Another process may hold the lock at this moment, so each victim dies at a different step.
      await until(() => existsSync(join(folder.root, 'inside')));
      child.kill('SIGKILL');
    }
    for (const { ended } of doomed) expect((await ended).stderr).toBe('');
    for (const { ended } of survivors) expect((await ended).stderr).toBe('');
    expect(breaches(folder)).toEqual([]);
  }
});

fullTest('20 processes, a dead lock, and a chain of breakers that died at it', async () => {
  const folder = temporaryRecords();
  const program = bundle('contend');
  const lock = join(folder.pidsDir, 'lock');
  const [holder, first, second] = [dead(), dead(), dead()];
  placeTicket(lock, holder);
  placeTicket(`${lock}.break-${holder.token}`, first);
  placeTicket(`${lock}.break-${holder.token}.${first.token}`, second);
  placeTicket(`${lock}.break-${'a'.repeat(32)}`, dead());

  const all = Array.from({ length: PROCESSES }, () =>
    run(process.execPath, [program, folder.root, '3', '0']),
  );
  for (const { ended } of all) expect(await ended).toMatchObject({ code: 0, stderr: '' });
  expect(breaches(folder)).toEqual([]);
  expect(lockFiles(folder)).toEqual([]);
});

fullTest('20 processes and garbage in the place of the lock: it is moved once', async () => {
  const folder = temporaryRecords();
  const program = bundle('contend', 'slow');
  const lock = join(folder.pidsDir, 'lock');
  mkdirSync(join(lock, 'with', 'content'), { recursive: true });
  const all = Array.from({ length: PROCESSES }, () =>
    run(process.execPath, [program, folder.root, '3', '0']),
  );
  for (const { ended } of all) expect(await ended).toMatchObject({ code: 0, stderr: '' });
  expect(breaches(folder)).toEqual([]);
  expect(lockFiles(folder)).toEqual([expect.stringMatching(/^lock\.corrupt-/)]);
});

fullTest(
  'a lock that is taken and given back all the time is never taken for garbage',
  async () => {
    const lock = join(temporaryRecords().pidsDir, 'lock');
    const [place, look] = [bundle('place'), bundle('look')];
    for (let count = 0; count < 3; count += 1) run(process.execPath, [place, lock]);
    await until(() => existsSync(lock));
    const { stdout, stderr } = await run(process.execPath, [look, lock, '100000']).ended;
    expect(stderr).toBe('');
    const seen = JSON.parse(stdout);
    expect(seen.bad).toBe(0);
    for (const kind of ['free', 'held', 'changed']) expect(seen[kind]).toBeGreaterThan(0);
  },
);
