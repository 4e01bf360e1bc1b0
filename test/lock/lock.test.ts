import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { acquireLock, type LockRequest } from '../../src/lock/lock.ts';
import { lookAtTicket, newTicket, placeTicket } from '../../src/lock/ticket.ts';
import type { Identity } from '../../src/processes/identity.ts';
import type { ProjectFolder } from '../../src/project/folder.ts';
import { anyBytes, damaged, identity, temporaryRecords } from '../project/records-folder.ts';

const lockOf = (folder: ProjectFolder) => join(folder.pidsDir, 'lock');
const lockFiles = (folder: ProjectFolder) =>
  readdirSync(folder.pidsDir).filter((name) => name.includes('lock'));

/** A request of process `pid`, in a world where only the processes of `living` are alive. */
function request(pid: number, living: readonly number[], waitMs = 0): LockRequest {
  const isAlive = async (holder: Identity) => living.includes(holder.pid);
  return { identity: identity(pid), command: `devctl ${pid}`, isAlive, waitMs };
}

test('one process holds the lock until it releases it, and the others learn its name', async () => {
  const folder = temporaryRecords();
  const first = await acquireLock(folder, request(10, [10]));
  expect(first.kind).toBe('held');
  const second = await acquireLock(folder, request(11, [10]));
  expect(second).toMatchObject({
    kind: 'busy',
    holder: { identity: identity(10), command: 'devctl 10' },
    problems: [],
  });
  if (first.kind === 'held') first.release();
  expect((await acquireLock(folder, request(11, [10]))).kind).toBe('held');
  expect(lockFiles(folder)).toEqual(['lock']);
});

test('the lock file names the process, its command and the time', async () => {
  const folder = temporaryRecords();
  await acquireLock(folder, request(10, [10]));
  expect(JSON.parse(readFileSync(lockOf(folder), 'utf8'))).toMatchObject({
    schema: 1,
    identity: identity(10),
    command: 'devctl 10',
    at: expect.stringMatching(/^\d{4}-.*Z$/),
  });
});

test('the lock of a dead holder is broken at once', async () => {
  const folder = temporaryRecords();
  await acquireLock(folder, request(10, [10]));
  const second = await acquireLock(folder, request(11, [11]));
  expect(second).toMatchObject({ kind: 'held', problems: [] });
  expect(lockFiles(folder)).toEqual(['lock']);
});

test.runIf(process.platform === 'linux')(
  'a release removes the lock from a folder that was moved',
  async () => {
    const folder = temporaryRecords();
    const lock = await acquireLock(folder, request(10, [10]));
    const moved = `${folder.pidsDir}-moved`;
    renameSync(folder.pidsDir, moved);
    if (lock.kind === 'held') lock.release();
    expect(readdirSync(moved)).not.toContain('lock');
    rmSync(moved, { recursive: true });
  },
);

test.runIf(process.platform === 'linux')(
  'no lock stays in a project that is moved while the lock is taken',
  async () => {
    const folder = temporaryRecords();
    const records = openSync(folder.pidsDir, 'r');
    const code = `const { workerData: [a, b] } = require('node:worker_threads');
      const { renameSync } = require('node:fs');
      for (;;) { renameSync(a, b); renameSync(b, a); }`;
    const places = [folder.root, `${folder.root}-moved`];
    const mover = new Worker(code, { eval: true, workerData: places });
    try {
      for (let taken = 0; taken < 300; ) {
        // At the moments when it is elsewhere, the folder is gone.
        const lock = await acquireLock(folder, request(10, [10])).catch(() => null);
        if (lock?.kind === 'held') {
          taken += 1;
          lock.release();
        }
        expect(readdirSync(`/proc/self/fd/${records}`)).not.toContain('lock');
      }
    } finally {
      await mover.terminate();
      closeSync(records);
      for (const place of places) rmSync(place, { recursive: true, force: true });
    }
  },
);

test('a release leaves the lock of another alone', async () => {
  const folder = temporaryRecords();
  const first = await acquireLock(folder, request(10, [10]));
  await acquireLock(folder, request(11, [11]));
  if (first.kind === 'held') first.release();
  expect(lookAtTicket(lockOf(folder))).toMatchObject({ holder: { identity: identity(11) } });
});

test('a request waits for a living holder for as long as it says, on its own clock', async () => {
  const folder = temporaryRecords();
  const first = await acquireLock(folder, request(10, [10]));
  let clock = 0;
  const advance = async (ms: number) => {
    clock += ms;
  };
  const time = { nowMs: () => clock, delay: advance };
  const late = await acquireLock(folder, { ...request(11, [10], 1000), ...time });
  expect(late.kind).toBe('busy');
  expect(clock).toBeCloseTo(1000);

  const delay = async (ms: number) => {
    clock += ms;
    if (clock > 1500 && first.kind === 'held') first.release();
  };
  const lucky = await acquireLock(folder, { ...request(11, [10], 1000), ...time, delay });
  expect(lucky.kind).toBe('held');
  expect(clock).toBeLessThan(1700);
});

test('a request waits for a living breaker, and names it', async () => {
  const folder = temporaryRecords();
  const holder = newTicket({ identity: identity(10), command: 'died', at: '' });
  const breaker = newTicket({ identity: identity(12), command: 'devctl 12', at: '' });
  placeTicket(lockOf(folder), holder);
  placeTicket(`${lockOf(folder)}.break-${holder.token}`, breaker);
  expect(await acquireLock(folder, request(11, [12]))).toMatchObject({
    kind: 'busy',
    holder: { identity: identity(12) },
  });
  expect(await acquireLock(folder, request(11, []))).toMatchObject({ kind: 'held' });
  expect(lockFiles(folder)).toEqual(['lock']);
});

test('a breaker that comes late never takes the fresh lock', async () => {
  const folder = temporaryRecords();
  placeTicket(lockOf(folder), newTicket({ identity: identity(10), command: 'died', at: '' }));
  let fresh: unknown;
  const late = await acquireLock(folder, {
    ...request(11, []),
    // While the late process still asks about the dead holder, another one breaks and takes the lock.
    isAlive: async (holder) => {
      if (holder.pid === 10) fresh ??= await acquireLock(folder, request(12, [12]));
      return holder.pid === 12;
    },
  });
  expect(fresh).toMatchObject({ kind: 'held' });
  expect(late).toMatchObject({ kind: 'busy', holder: { identity: identity(12) } });
  expect(lockFiles(folder)).toEqual(['lock']);
});

test('a breaker whose predecessor gave up just before it died has no right', async () => {
  const folder = temporaryRecords();
  const lock = lockOf(folder);
  const holder = newTicket({ identity: identity(10), command: 'died', at: '' });
  const first = newTicket({ identity: identity(12), command: 'gives up', at: '' });
  placeTicket(lock, holder);
  placeTicket(`${lock}.break-${holder.token}`, first);
  const outcome = await acquireLock(folder, {
    ...request(11, []),
    isAlive: async (breaker) => {
      if (breaker.pid !== 12) return breaker.pid === 13;
      rmSync(`${lock}.break-${holder.token}`);
      placeTicket(
        `${lock}.break-${holder.token}`,
        newTicket({ identity: identity(13), command: 'is at it', at: '' }),
      );
      return false;
    },
  });
  expect(outcome).toMatchObject({ kind: 'busy', holder: { identity: identity(13) } });
  expect(lookAtTicket(lock)).toMatchObject({ token: holder.token });
});

test.each<[string, (path: string) => void]>([
  ['a folder', (path) => mkdirSync(join(path, 'sub'), { recursive: true })],
  ['a symbolic link', (path) => symlinkSync('/etc/hosts', path)],
  ['a dangling symbolic link', (path) => symlinkSync('nowhere', path)],
  ['an old empty file', (path) => old(path, '')],
  ['old garbage', (path) => old(path, '{"schema":1')],
  ['an old lock of pid 1', (path) => old(path, JSON.stringify({ identity: identity(1) }))],
])('%s in the place of the lock is set aside and reported', async (_name, make) => {
  const folder = temporaryRecords();
  make(lockOf(folder));
  const lock = await acquireLock(folder, request(10, [10]));
  expect(lock).toMatchObject({
    kind: 'held',
    problems: [
      { path: lockOf(folder), kind: 'corrupt', reason: expect.stringMatching(/moved to/) },
    ],
  });
  expect(lockFiles(folder)).toEqual(['lock', expect.stringMatching(/^lock\.corrupt-\d{8}T/)]);
});

test('a request waits for fresh garbage, because another process may still write it', async () => {
  const folder = temporaryRecords();
  writeFileSync(lockOf(folder), '{"schema":');
  const outcome = await acquireLock(folder, request(10, [10]));
  expect(outcome).toEqual({ kind: 'busy', holder: null, problems: [] });
  expect(lockFiles(folder)).toEqual(['lock']);
});

test('a lock can be taken and released although .pids was removed before', async () => {
  const folder = temporaryRecords();
  rmSync(folder.pidsDir, { recursive: true });
  const lock = await acquireLock(folder, request(10, [10]));
  expect(lock.kind).toBe('held');
  rmSync(folder.pidsDir, { recursive: true });
  if (lock.kind === 'held') lock.release();
  expect(existsSync(folder.pidsDir)).toBe(false);
});

test('an error of the question whether the holder lives is not hidden', async () => {
  const folder = temporaryRecords();
  await acquireLock(folder, request(10, [10]));
  const isAlive = async () => {
    throw new Error('no process table');
  };
  await expect(acquireLock(folder, { ...request(11, []), isAlive })).rejects.toThrow('no process');
});

test('devctl as process 1 of a container can hold the lock', async () => {
  const folder = temporaryRecords();
  expect(await acquireLock(folder, request(1, [1]))).toMatchObject({ kind: 'held' });
  const other = await acquireLock(folder, request(10, [1]));
  expect(other).toMatchObject({ kind: 'busy', holder: { identity: { pid: 1 } } });
});

test('property: no content of a lock file throws, names a pid of 0 or less, or keeps the lock for ever', async () => {
  const folder = temporaryRecords();
  const ticket = newTicket({ identity: identity(10), command: 'died', at: '' });
  const good = JSON.stringify({ schema: 1, ...ticket });
  await fc.assert(
    fc.asyncProperty(fc.oneof(anyBytes, damaged(good)), async (content) => {
      rmSync(lockOf(folder), { force: true });
      writeFileSync(lockOf(folder), content);
      utimesSync(lockOf(folder), 1, 1);
      const isAlive = async (holder: Identity) => {
        expect(holder.pid).toBeGreaterThan(0);
        return false;
      };
      const lock = await acquireLock(folder, { ...request(11, []), isAlive });
      expect(lock.kind).toBe('held');
    }),
    { numRuns: 200 },
  );
});

function old(path: string, content: string): void {
  writeFileSync(path, content);
  utimesSync(path, 1000, 1000);
}
