import { once } from 'node:events';
import { describe, expect, test, vi } from 'vitest';
import type { Identity } from '../../src/processes/identity.ts';
import { loadNative } from '../../src/processes/native/native.ts';
import type { Pidfd } from '../../src/processes/native/pidfd.ts';
import { openProcessTable } from '../../src/processes/open-table.ts';
import { openHost } from '../../src/processes/real-host.ts';
import { signalProcess, signalProcessGroup } from '../../src/processes/signals.ts';
import { until } from '../support/until.ts';
import { needsRoot } from './support/nobody.ts';
import { runScript } from './support/script.ts';
import { barePs } from './support/shimmed-ps.ts';
import { endWithTest, start, startFixture } from './support/started.ts';

const table = openProcessTable();

async function identify(pid: number): Promise<Identity> {
  const process = await table.read(pid);
  if (!process) throw new Error(`${pid} is gone`);
  return process.identity;
}

async function startSleep(detached = false) {
  const { child, pid } = await start('sleep', ['60'], { detached });
  return { child, pid, identity: await identify(pid) };
}

/** pidfds also where the run itself is under DEVCTL_PROCESS_TABLE=portable. */
vi.stubEnv('DEVCTL_PROCESS_TABLE', '');
const native = await loadNative();
vi.unstubAllEnvs();

const ways: readonly { way: string; pidfd: Pidfd | null }[] = [
  { way: 'by number', pidfd: null },
  ...(native.available ? [{ way: 'through a pidfd', pidfd: native.pidfd }] : []),
];

describe.each(ways)('one process, $way', ({ pidfd }) => {
  test('is signalled', async () => {
    const { child, identity } = await startSleep();
    const ended = once(child, 'exit');
    expect(await signalProcess(table, pidfd, identity, 'SIGTERM')).toBe('sent');
    expect(await ended).toEqual([null, 'SIGTERM']);
  });

  test.each([
    ['start time', { startTicks: 1 }],
    ['boot', { bootId: 'yesterday' }],
    ['PID namespace', { pidNamespace: 'pid:[1]' }],
  ])('of another %s is not', async (_what, other) => {
    const { child, identity } = await startSleep();
    const target = { ...identity, ...other };
    expect(await signalProcess(table, pidfd, target, 'SIGKILL')).toBe('replaced');
    // A signal that had been sent would come before this one, and SIGKILL would win.
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await ended).toEqual([null, 'SIGTERM']);
  });

  test('that ended is gone', async () => {
    const { child, identity } = await startSleep();
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    expect(await signalProcess(table, pidfd, identity, 'SIGTERM')).toBe('gone');
  });

  test('that waits to be reaped is gone', async () => {
    const { line } = await startFixture('family', { detached: true });
    const pids: Record<string, number> = JSON.parse(line);
    endWithTest(Object.values(pids));
    const zombie = await until(async () => {
      const process = await table.read(pids.zombie ?? 0);
      return process?.state === 'Z' ? process.identity : null;
    });
    expect(await signalProcess(table, pidfd, zombie, 'SIGTERM')).toBe('gone');
  });

  test.each([1, 0, -1, 1.5, Number.NaN])('%d is never signalled', async (pid) => {
    const identity = { ...(await identify(process.pid)), pid };
    expect(await signalProcess(table, pidfd, identity, 'SIGKILL')).toBe('replaced');
  });
});

describe('a group', () => {
  test('is signalled whole while a member of it lives', async () => {
    const { line, pid } = await startFixture('family', { detached: true });
    const pids: Record<string, number> = JSON.parse(line);
    endWithTest(Object.values(pids));
    const member = await identify(pids.plain ?? 0);
    expect(await signalProcessGroup(table, pid, member, 'SIGKILL')).toBe('sent');
    await until(async () => {
      const { byGroup } = await table.snapshot();
      return (byGroup.get(pid) ?? []).every(({ state }) => state === 'Z');
    });
    expect(await table.read(pids.session ?? 0)).toMatchObject({ pgid: pids.session });
    expect(await table.read(pids.group ?? 0)).toMatchObject({ pgid: pids.group });
  });

  test('is not, for a member that is somebody else by now', async () => {
    const { pid, identity } = await startSleep(true);
    const stranger = { ...identity, startTicks: identity.startTicks - 100 };
    expect(await signalProcessGroup(table, pid, stranger, 'SIGKILL')).toBe('replaced');
    expect(await table.read(pid)).toMatchObject({ identity });
  });

  test('is not, for a member that is in another one', async () => {
    const [mine, other] = [await startSleep(true), await startSleep(true)];
    expect(await signalProcessGroup(table, other.pid, mine.identity, 'SIGKILL')).toBe('replaced');
    expect(await table.read(other.pid)).toMatchObject({ identity: other.identity });
  });

  test('is gone when its member is', async () => {
    const { child, pid, identity } = await startSleep(true);
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    expect(await signalProcessGroup(table, pid, identity, 'SIGTERM')).toBe('gone');
  });

  test.each([1, 0, -1, Number.NaN])('%d is never signalled', async (pgid) => {
    const { pid, identity } = await startSleep(true);
    expect(await signalProcessGroup(table, pgid, identity, 'SIGKILL')).toBe('replaced');
    expect(await table.read(pid)).toMatchObject({ identity });
  });

  test('of our own is never signalled', async () => {
    const { identity } = await startSleep();
    const own = (await table.read(process.pid))?.pgid ?? 0;
    expect(await signalProcessGroup(table, own, identity, 'SIGKILL')).toBe('replaced');
  });
});

describe('a group where ps tells no groups', () => {
  const signalLeader = async (pid: number, start = '') =>
    runScript(
      `import { openHost } from './real-host.ts';
       import { openPortableTable } from './portable/table.ts';
       const host = openHost(openPortableTable());
       const { identity } = (await host.snapshot()).byPid.get(${pid});
       const target = { ...identity, ${start} };
       answer(await host.signalGroup(${pid}, target, 'SIGTERM'));`,
      { env: await barePs() },
    );

  test('is the tree of its leader', async () => {
    const { line, pid } = await startFixture('family', { detached: true });
    const pids: Record<string, number> = JSON.parse(line);
    endWithTest(Object.values(pids));
    const beside = await startSleep(true);
    expect(await signalLeader(pid)).toBe('sent');
    const left = async () => {
      const { byPid } = await table.snapshot();
      const living = (one: number) => !/^[ZX]$/.test(byPid.get(one)?.state ?? 'X');
      return [...Object.values(pids), beside.pid].filter(living);
    };
    await until(async () => (await left()).join() === `${beside.pid}`);
  });

  test('is not, for a leader that is somebody else by now', async () => {
    const { pid, identity } = await startSleep(true);
    expect(await signalLeader(pid, 'startTicks: identity.startTicks - 100')).toBe('replaced');
    expect(await table.read(pid)).toMatchObject({ identity });
  });

  test('is not, for a member that does not lead it', async () => {
    const [leader, other] = [await startSleep(true), await startSleep(true)];
    const answer = runScript(
      `import { openHost } from './real-host.ts';
       import { openPortableTable } from './portable/table.ts';
       const host = openHost(openPortableTable());
       const { identity } = (await host.snapshot()).byPid.get(${other.pid});
       answer(await host.signalGroup(${leader.pid}, identity, 'SIGKILL'));`,
      { env: await barePs() },
    );
    expect(await answer).toBe('replaced');
    expect(await table.read(leader.pid)).toMatchObject({ identity: leader.identity });
    expect(await table.read(other.pid)).toMatchObject({ identity: other.identity });
  });
});

describe('another user', () => {
  test.each(['on', 'off'])("'s process is denied, not gone (native %s)", async (switched) => {
    needsRoot();
    const { pid, identity } = await startSleep(true);
    const outcomes = await runScript(
      `import { openHost } from './real-host.ts';
       import { openProcessTable } from './open-table.ts';
       const table = openProcessTable();
       const host = openHost(table);
       const target = (await table.read(${pid}))?.identity;
       answer(await Promise.all([
         host.signal(target, 'SIGKILL'),
         host.signalGroup(${pid}, target, 'SIGKILL'),
         host.signal({ ...target, startTicks: 1 }, 'SIGKILL'),
       ]));`,
      { asNobody: true, env: { DEVCTL_NATIVE: switched } },
    );
    expect(outcomes).toEqual(['denied', 'denied', 'replaced']);
    expect(await table.read(pid)).toMatchObject({ identity });
  });
});

describe('openHost', () => {
  test('signals, knows itself and has a clock', async () => {
    const host = openHost(table);
    const { child, pid, identity } = await startSleep(true);
    expect(await host.self()).toEqual(await identify(process.pid));
    expect((await host.snapshot()).byPid.get(pid)).toMatchObject({ identity });
    const ended = once(child, 'exit');
    expect(await host.signalGroup(pid, identity, 'SIGTERM')).toBe('sent');
    expect(await ended).toEqual([null, 'SIGTERM']);
    expect(await host.signal(identity, 'SIGKILL')).toBe('gone');
    const before = host.nowMs();
    await host.delay(1);
    expect(host.nowMs()).toBeGreaterThan(before);
  });
});
