import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { monotonicMs } from '../../../src/processes/clock.ts';
import {
  createProcDetails,
  type EnvironMemo,
  forgetTheDead,
} from '../../../src/processes/linux/details.ts';
import { openProcTable } from '../../../src/processes/linux/table.ts';
import { loadNative } from '../../../src/processes/native/native.ts';
import { isGone, type ProcessInfo } from '../../../src/processes/snapshot.ts';
import { until } from '../../support/until.ts';
import { start, startFixture } from '../support/started.ts';

function emptyMemo(): EnvironMemo {
  return { byPid: new Map(), blocks: new Map() };
}

/** Details as a snapshot would give them that was taken when `process` was so old. */
function detailsAtAge(memo: EnvironMemo, process: ProcessInfo, ageTicks: number) {
  const nowTicks = process.identity.startTicks + ageTicks;
  return createProcDetails(memo, { takenAtMs: monotonicMs(), nowTicks });
}

async function startSleep(env: NodeJS.ProcessEnv): Promise<ProcessInfo> {
  const { pid } = await start('sleep', ['60'], { env });
  return until(async () => {
    const process = await openProcTable().read(pid);
    return process?.name === 'sleep' ? process : null;
  });
}

describe.runIf(process.platform === 'linux')('the environment', () => {
  test('of an old process is read once', async () => {
    const sleep = await startSleep({ MARK: 'real' });
    const memo = emptyMemo();
    expect(detailsAtAge(memo, sleep, 1_000).environ(sleep)).toContain('MARK=real\0');
    const { pid, startTicks } = sleep.identity;
    memo.byPid.set(pid, { startTicks, name: 'sleep', block: 'KEPT=1\0' });
    expect(detailsAtAge(memo, sleep, 1_000).environ(sleep)).toBe('KEPT=1\0');
  });

  test('of a young process is read with the snapshot: a moment later it may be gone', async () => {
    const table = openProcTable();
    // On a busy machine the process may be too old for that before the first look.
    await until(async () => {
      const { child, pid } = await start('sleep', ['60'], { env: { MARK: 'short' } });
      await until(async () => (await table.read(pid))?.name === 'sleep');
      const snapshot = await table.snapshot();
      child.kill('SIGKILL');
      await until(async () => (await table.read(pid)) === null);
      const process = snapshot.byPid.get(pid);
      return process && snapshot.details.environ(process)?.includes('MARK=short\0');
    });
  });

  test.each([
    ['another start time', { startTicks: 1, name: 'sleep' }],
    ['another name, so an exec ago', { name: 'sh' }],
  ])('is read again after %s', async (_what, kept) => {
    const sleep = await startSleep({ MARK: 'real' });
    const { pid, startTicks } = sleep.identity;
    const memo = emptyMemo();
    memo.byPid.set(pid, { startTicks, ...kept, block: 'KEPT=1\0' });
    expect(detailsAtAge(memo, sleep, 1_000).environ(sleep)).toContain('MARK=real\0');
  });

  test('of a process younger than two seconds is not kept: it may still be its parent', async () => {
    const sleep = await startSleep({ MARK: 'real' });
    const memo = emptyMemo();
    expect(detailsAtAge(memo, sleep, 10).environ(sleep)).toContain('MARK=real\0');
    expect(memo.byPid.size).toBe(0);
  });

  test('that is empty or unreadable is not kept', async () => {
    const sleep = await startSleep({});
    const memo = emptyMemo();
    expect(detailsAtAge(memo, sleep, 1_000).environ(sleep)).toBe('');
    const nobody = { ...sleep, identity: { ...sleep.identity, pid: 0 } };
    expect(detailsAtAge(memo, nobody, 1_000).environ(nobody)).toBeNull();
    expect(memo.byPid.size).toBe(0);
  });
});

test.runIf(process.platform === 'linux')(
  'the same environment of many is kept once, for as long as one of them lives',
  async () => {
    const [one, two] = [await startSleep({ MARK: 'same' }), await startSleep({ MARK: 'same' })];
    const memo = emptyMemo();
    for (const sleep of [one, two]) detailsAtAge(memo, sleep, 1_000).environ(sleep);
    expect([memo.byPid.size, memo.blocks.size]).toEqual([2, 1]);
    forgetTheDead(memo, new Map([[two.identity.pid, two]]));
    expect([memo.byPid.size, memo.blocks.size]).toEqual([1, 1]);
    forgetTheDead(memo, new Map());
    expect([memo.byPid.size, memo.blocks.size]).toEqual([0, 0]);
  },
);

describe.runIf(process.platform === 'linux')('a leader that ended before its threads', () => {
  test('is alive, and its threads answer for it', async ({ skip }) => {
    vi.stubEnv('DEVCTL_PROCESS_TABLE', '');
    onTestFinished(() => void vi.unstubAllEnvs());
    const native = await loadNative();
    if (!native.available) return skip(`needs koffi to make one: ${native.why}`);
    const env = { ...process.env, MARK: 'threads' };
    const { pid } = await startFixture('dead-leader', { env, cwd: '/' });
    const table = openProcTable();
    const snapshot = await until(async () => {
      const taken = await table.snapshot();
      return taken.byPid.get(pid)?.state === 'Z' ? taken : null;
    });
    const leader = snapshot.byPid.get(pid);
    if (!leader) throw new Error('it is gone');
    expect(leader.threads).toBeGreaterThan(1);
    expect(isGone(leader)).toBe(false);
    expect(snapshot.details.environ(leader)).toContain('MARK=threads\0');
    expect(snapshot.details.cwd(leader)).toBe('/');
    expect(snapshot.details.argv(leader)?.[1]).toMatch(/dead-leader\.mjs$/);
    expect(snapshot.details.openFiles(leader)?.some(({ fd }) => fd === 1)).toBe(true);
  });
});
