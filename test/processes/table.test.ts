import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pidtree from 'pidtree';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openProcTable } from '../../src/processes/linux/table.ts';
import { openProcessTable } from '../../src/processes/open-table.ts';
import { openPortableTable } from '../../src/processes/portable/table.ts';
import { isGone, type ProcessInfo, type Snapshot } from '../../src/processes/snapshot.ts';
import { until } from '../support/until.ts';
import { runScript } from './support/script.ts';
import { barePs, shimmedPs } from './support/shimmed-ps.ts';
import { endWithTest, start, startFixture } from './support/started.ts';

const linux = process.platform === 'linux';

const FAMILY = ['leader', 'plain', 'session', 'group', 'zombieParent', 'zombie', 'named'] as const;
type Family = Record<(typeof FAMILY)[number], number>;

async function startFamily(): Promise<{ readonly pids: Family; readonly folder: string }> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'devctl-tablé-')));
  onTestFinished(() => rm(folder, { recursive: true }));
  const env = { ...process.env, FAMILY_MARK: 'one two', OTHER: 'naïve' };
  const { line } = await startFixture('family', { cwd: folder, env, detached: true });
  const pids: Family = JSON.parse(line);
  endWithTest(Object.values(pids));
  return { pids, folder };
}

function descendants(snapshot: Snapshot, pid: number): number[] {
  const children = snapshot.byParent.get(pid) ?? [];
  return [pid, ...children.flatMap((child) => descendants(snapshot, child.identity.pid))];
}

function row(snapshot: Snapshot, pid: number): ProcessInfo {
  const found = snapshot.byPid.get(pid);
  if (!found) throw new Error(`the snapshot has no ${pid}`);
  return found;
}

const adapters = [
  ...(linux ? [{ kind: 'proc', open: openProcTable } as const] : []),
  { kind: 'portable', open: openPortableTable } as const,
];

describe.each(adapters)('$kind', ({ kind, open }) => {
  test('tells apart everybody in a family', async () => {
    const { pids } = await startFamily();
    const table = open();
    const snapshot = await until(async () => {
      const taken = await table.snapshot();
      return taken.byPid.get(pids.zombie)?.state === 'Z' ? taken : null;
    });
    const leader = row(snapshot, pids.leader);
    expect(leader).toMatchObject({ ppid: process.pid, pgid: pids.leader, kernelThread: false });
    expect(leader.rssBytes).toBeGreaterThan(10_000_000);
    expect(row(snapshot, pids.plain)).toMatchObject({ ppid: pids.leader, pgid: pids.leader });
    expect(row(snapshot, pids.group)).toMatchObject({ ppid: pids.leader, pgid: pids.group });
    expect(row(snapshot, pids.session)).toMatchObject({ ppid: pids.leader, pgid: pids.session });
    expect(row(snapshot, pids.zombie)).toMatchObject({ ppid: pids.zombieParent, name: 'perl' });
    expect(row(snapshot, pids.named)).toMatchObject({ ppid: pids.leader, name: 'a) R 1 1 1' });
    const gone = FAMILY.filter((name) => isGone(row(snapshot, pids[name])));
    expect(gone).toEqual(['zombie']);
    if (linux) {
      const inSession = (snapshot.bySession.get(pids.leader) ?? []).map(
        ({ identity }) => identity.pid,
      );
      const expected = FAMILY.filter((name) => name !== 'session').map((name) => pids[name]);
      expect(inSession.sort()).toEqual(expected.sort());
      expect(leader.threads).toBeGreaterThan(1);
    }
  });

  test('agrees with pidtree about who is below whom', async () => {
    const { pids } = await startFamily();
    const snapshot = await open().snapshot();
    const tree = await pidtree(pids.leader, { root: true });
    expect(descendants(snapshot, pids.leader).sort()).toEqual(tree.sort());
    expect(tree.sort()).toEqual(Object.values(pids).sort());
  });

  test('details: arguments, folder, environment, user, files', async () => {
    const { pids, folder } = await startFamily();
    const snapshot = await open().snapshot();
    const { details } = snapshot;
    const plain = row(snapshot, pids.plain);
    expect(details.argv(plain)).toEqual(['sleep', '60']);
    expect(details.cwd(plain)).toBe(folder);
    expect(details.uid(plain)).toBe(process.getuid?.());
    const environ = details.environ(plain)?.split('\0') ?? [];
    expect(environ).toContain('FAMILY_MARK=one two');
    expect(environ).toContain(Buffer.from('OTHER=naïve').toString('latin1'));
    expect(details.openFiles(plain)?.find(({ fd }) => fd === 0)?.target).toBe('/dev/null');
    expect(details.argv(row(snapshot, pids.zombie))).toEqual([]);
    expect(details.environ(row(snapshot, pids.zombie))).toBeNull();
    expect(details.cwd(row(snapshot, pids.zombie))).toBeNull();
  });

  test('knows how files were opened', async () => {
    const folder = await realpath(await mkdtemp(join(tmpdir(), 'devctl-files-')));
    onTestFinished(() => rm(folder, { recursive: true }));
    const target = join(folder, 'log');
    const open5678 = 'exec 7>>"$0" 8<"$0" 6<>"$0" 5>"$0"; exec sleep 60';
    const { pid } = await start('sh', ['-c', open5678, target]);
    const table = open();
    const files = await until(async () => {
      const snapshot = await table.snapshot();
      const process = row(snapshot, pid);
      return process.name === 'sleep' ? snapshot.details.openFiles(process) : null;
    });
    const opened = (number: number) => files.find(({ fd }) => fd === number);
    const appends = false;
    expect(opened(7)).toEqual({ fd: 7, target, readable: false, writable: true, appends: true });
    expect(opened(8)).toEqual({ fd: 8, target, readable: true, writable: false, appends });
    expect(opened(6)).toEqual({ fd: 6, target, readable: true, writable: true, appends });
    expect(opened(5)).toEqual({ fd: 5, target, readable: false, writable: true, appends });
  });

  test('nothing that starts later is older than the clock', async () => {
    const table = open();
    for (let round = 0; round < 5; round += 1) {
      const before = table.nowTicks();
      const { pid } = await start('sleep', ['60']);
      const process = await table.read(pid);
      expect(process?.identity.startTicks).toBeGreaterThanOrEqual(before);
    }
  });

  test('reads one process, and none', async () => {
    const table = open();
    expect(await table.read(process.pid)).toMatchObject({
      identity: { pid: process.pid, bootId: table.bootId, pidNamespace: table.pidNamespace },
      ppid: process.ppid,
    });
    const child = spawn('true');
    await once(child, 'exit');
    expect(await table.read(child.pid ?? 0)).toBeNull();
  });

  test('scans from the highest pid down, one visit at a time', async () => {
    const pids: number[] = [];
    let visiting = 0;
    await open().scanDescending(async ({ identity }) => {
      visiting += 1;
      await Promise.resolve();
      expect(visiting).toBe(1);
      pids.push(identity.pid);
      visiting -= 1;
    });
    expect(pids).toEqual([...pids].sort((a, b) => b - a));
    expect(pids).toContain(process.pid);
  });

  test('does not see the tools it looks with, even when it looks twice at once', async () => {
    const table = open();
    const taken = await Promise.all([table.snapshot(), table.snapshot(), open().snapshot()]);
    const tools = taken.flatMap(({ byParent }) =>
      (byParent.get(process.pid) ?? []).filter(({ name }) => /^(ps|lsof|pwdx)$/.test(name)),
    );
    expect(tools).toEqual([]);
  });

  test('says what it is', async () => {
    const table = open();
    expect(table.kind).toBe(kind);
    await table.read(process.pid);
    expect(table.bootId).not.toBe('');
    expect(table.pidNamespace).not.toBe('');
  });
});

describe.runIf(linux)('both adapters', () => {
  test('see the same family', async () => {
    const { pids } = await startFamily();
    const [proc, portable] = [openProcTable(), openPortableTable()];
    const read = async (table: typeof proc) => {
      const snapshot = await table.snapshot();
      return FAMILY.map((name) => {
        const {
          identity: _,
          state,
          rssBytes: __,
          cpuTicks: ___,
          childTicks: ____,
          ...kept
        } = row(snapshot, pids[name]);
        const process = row(snapshot, pids[name]);
        return {
          ...kept,
          zombie: state === 'Z',
          command: snapshot.details.argv(process)?.join(' '),
          cwd: snapshot.details.cwd(process),
          uid: snapshot.details.uid(process),
        };
      });
    };
    await until(async () => (await proc.read(pids.zombie))?.state === 'Z');
    expect(await read(portable)).toEqual(await read(proc));
  });

  test('have the same boot, and identities that are never taken for one another', async () => {
    const [proc, portable] = [openProcTable(), openPortableTable()];
    await portable.read(process.pid);
    expect(portable.bootId).toBe(proc.bootId);
    expect(portable.pidNamespace).not.toBe(proc.pidNamespace);
  });
});

describe('openProcessTable', () => {
  test.runIf(linux)('is /proc unless the environment says otherwise', () => {
    expect(openProcessTable({}).kind).toBe('proc');
    expect(openProcessTable({ DEVCTL_PROCESS_TABLE: 'portable' }).kind).toBe('portable');
  });

  test.runIf(linux)('refuses a /proc that names other processes than ours', async ({ skip }) => {
    const under = ['unshare', '--pid', '--fork', '--kill-child'];
    const [unshare = '', ...flags] = under;
    const allowed = spawnSync(unshare, [...flags, 'true']).status === 0;
    skip(!allowed, 'needs the right to make a PID namespace');
    const failure = await runScript(
      `import { openProcessTable } from './open-table.ts';
       try { openProcessTable(); } catch ({ code, message }) { answer({ code, message }); }`,
      { under },
    );
    expect(failure).toEqual({ code: 'unsafe', message: expect.stringContaining('PID namespace') });
  });

  test('makes do with a ps that does not know all columns', async () => {
    const seen = await runScript(
      `import { openPortableTable } from './portable/table.ts';
       const { byPid, details, nowTicks } = await openPortableTable().snapshot();
       const self = byPid.get(process.pid);
       const { pgid, ppid, identity } = self;
       const young = nowTicks - identity.startTicks < 1_000;
       answer({ pgid, parent: ppid === process.ppid, young, uid: details.uid(self) });`,
      { env: await barePs() },
    );
    expect(seen).toEqual({ pgid: 0, parent: true, young: true, uid: process.getuid?.() });
  });

  test('asks ps once for many that are about to be signalled', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'devctl-ps-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const calls = join(folder, 'calls');
    const seen = await runScript(
      `import { openPortableTable } from './portable/table.ts';
       const table = openPortableTable();
       const starts = new Set();
       for (let n = 0; n < 50; n += 1) starts.add((await table.read(process.pid)).identity.startTicks);
       answer({ starts: starts.size });`,
      { env: await shimmedPs(`echo >>'${calls}'`) },
    );
    expect(seen).toEqual({ starts: 1 });
    // One, and a few more where the machine let us wait between two of the fifty.
    expect((await readFile(calls, 'utf8')).length).toBeLessThan(10);
  });

  test('says what to install where ps is missing', async () => {
    const failure = await runScript(
      `import { openPortableTable } from './portable/table.ts';
       await openPortableTable().snapshot().catch(({ code, hint }) => answer({ code, hint }));`,
      { env: { PATH: '/nowhere' } },
    );
    expect(failure).toEqual({ code: 'tool-missing', hint: expect.stringContaining('procps') });
  });
});
