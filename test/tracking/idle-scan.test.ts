import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { openProcessTable } from '../../src/processes/open-table.ts';
import type { Snapshot } from '../../src/processes/snapshot.ts';
import { withAllBelow } from '../../src/processes/unchanged.ts';
import {
  type IdleBaseline,
  scanSinceBaseline,
  takeBaseline,
} from '../../src/tracking/idle-scan.ts';
import { until } from '../support/until.ts';

const table = openProcessTable();
const SECOND = 1_000;

/** A shell that runs each line which it reads as a command, beside a `sleep` of its own. */
function startShell(): ChildProcess & Disposable {
  const script = 'sleep 1000 & while read word; do $word & done; kill 0';
  const shell = spawn('sh', ['-c', script], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  return Object.assign(shell, {
    [Symbol.dispose]: () => {
      // It is an unreaped child of ours, so its group is still its own.
      if (shell.pid !== undefined && shell.exitCode === null) process.kill(-shell.pid, 'SIGKILL');
    },
  });
}

const belowIn = (snapshot: Snapshot, pid: number) => withAllBelow(snapshot, [pid]);

/** The baseline of a scan that was some time ago. */
async function baselineOf(shell: ChildProcess, agoMs: number): Promise<IdleBaseline> {
  const pid = shell.pid ?? 0;
  const forks = table.changes?.forks() ?? null;
  const now = await table.snapshot();
  const snapshot = { ...now, takenAtMs: now.takenAtMs - agoMs };
  const claims = [...belowIn(snapshot, pid)].flatMap((one) => {
    const process = snapshot.byPid.get(one);
    return process ? [{ process, service: 'web', runId: 'run', evidence: [] }] : [];
  });
  const baseline = takeBaseline(table, snapshot, { claims, reapers: [pid], forks, members: 'm' });
  if (!baseline) throw new Error('It cannot be remembered');
  return baseline;
}

test.runIf(table.kind === 'proc')(
  'at rest only our processes are read again, and every change of theirs is seen',
  async () => {
    using shell = startShell();
    const pid = shell.pid ?? 0;
    await until(async () => belowIn(await table.snapshot(), pid).size === 2);
    const baseline = await baselineOf(shell, 5 * SECOND);
    const scan = (of = baseline, members = 'm') => scanSinceBaseline(table, of, () => members);

    const seen = scan();
    expect(seen?.claims.map(({ process }) => process.identity)).toEqual(
      baseline.claims.map(({ process }) => process.identity),
    );
    // Read again, not copied, because samples are made of it.
    expect(seen?.snapshot.byPid.get(pid)).not.toBe(baseline.snapshot.byPid.get(pid));
    expect(seen?.snapshot.byPid.get(process.pid)).toBe(baseline.snapshot.byPid.get(process.pid));

    expect(scan(baseline, 'another'), 'in another control group').toBeNull();
    expect(scan(await baselineOf(shell, 0)), 'at once').not.toBeNull();
    expect(scan(await baselineOf(shell, 61 * SECOND)), 'too late').toBeNull();
    expect(
      scan({ ...baseline, forks: baseline.forks - 20_000 }),
      'pids may be used again',
    ).toBeNull();
    const elsewhere = { claims: baseline.claims, reapers: [], forks: 1, members: 'm' };
    expect(
      takeBaseline(table, baseline.snapshot, elsewhere),
      'a claim that is not below us',
    ).toBeNull();

    // A process elsewhere is born meanwhile.
    const stranger = spawn('sleep', ['1000'], { stdio: 'ignore' });
    expect(scan()).not.toBeNull();
    stranger.kill('SIGKILL');
    await once(stranger, 'exit');
    expect(scan(), 'strangers come and go').not.toBeNull();

    shell.stdin?.write('sleep 1001\n');
    await until(() => scan() === null);
    await until(async () => belowIn(await table.snapshot(), pid).size === 3);
    const withChild = await baselineOf(shell, 5 * SECOND);
    expect(scan(withChild)).not.toBeNull();
    shell.stdin?.write('kill %1\n');
    await until(() => scan(withChild) === null);
  },
);
