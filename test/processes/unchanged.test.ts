import fc from 'fast-check';
import { expect, test } from 'vitest';
import { indexSnapshot, type ProcessInfo, type Snapshot } from '../../src/processes/snapshot.ts';
import { isUnchanged, withAllBelow } from '../../src/processes/unchanged.ts';

const [INIT, REAPER] = [1, 10];

/** A machine as small as the question: who is whose child, and what of it is ours in truth. */
function machine() {
  const rows = new Map<number, { ppid: number; pgid: number; ours: boolean }>();
  let next = 20;
  rows.set(INIT, { ppid: 0, pgid: INIT, ours: false });
  rows.set(REAPER, { ppid: INIT, pgid: REAPER, ours: false });
  const fork = (ppid: number, ours: boolean): void => {
    rows.set(next, { ppid, pgid: next, ours });
    next += 1;
  };
  return {
    fork,
    run(kind: 'fork' | 'daemon' | 'exit' | 'setsid', choice: number): void {
      const pids = [...rows.keys()].filter((pid) => pid !== INIT && pid !== REAPER);
      const pid = pids[choice % pids.length];
      const row = pid === undefined ? undefined : rows.get(pid);
      if (pid === undefined || !row) return;
      if (kind === 'fork') fork(pid, row.ours);
      // Its parent has ended at once: whoever reaps orphans has it.
      else if (kind === 'daemon') fork(row.ours ? REAPER : INIT, row.ours);
      else if (kind === 'setsid') row.pgid = row.pgid === pid ? -pid : pid;
      else {
        rows.delete(pid);
        for (const child of rows.values()) {
          if (child.ppid === pid) child.ppid = row.ours ? REAPER : INIT;
        }
      }
    },
    ours: () =>
      JSON.stringify(
        [...rows].filter(([, { ours }]) => ours).map(([pid, { pgid }]) => [pid, pgid]),
      ),
    snapshot: (): Snapshot =>
      indexSnapshot(
        { takenAtMs: 0, nowTicks: 0, bootId: 'boot', pidNamespace: 'pid', details: NO_DETAILS },
        [...rows].map(([pid, { ppid, pgid }]) => rowOf(pid, ppid, pgid)),
      ),
  };
}

const NO_DETAILS = {
  uid: () => null,
  argv: () => null,
  cwd: () => null,
  environ: () => null,
  openFiles: () => null,
  controlGroup: () => null,
};

function rowOf(pid: number, ppid: number, pgid: number): ProcessInfo {
  const identity = { pid, startTicks: pid, bootId: 'boot', pidNamespace: 'pid' };
  const rest = { state: 'S', threads: 1, kernelThread: false, rssBytes: 0, cpuTicks: 0, name: 'x' };
  return { identity, ppid, pgid, sid: pgid, ...rest };
}

const step = fc.tuple(fc.constantFrom('fork', 'daemon', 'exit', 'setsid'), fc.nat(1_000));

test('what happens to ours, or is born of it, is never missed; what strangers do is nothing', () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 30 }),
      fc.array(step, { maxLength: 4 }),
      (earlier, meanwhile) => {
        const world = machine();
        for (let count = 0; count < 3; count += 1) {
          world.fork(REAPER, true);
          world.fork(INIT, false);
        }
        for (const [kind, choice] of earlier) world.run(kind as 'fork', choice);
        const [before, oursBefore] = [world.snapshot(), world.ours()];
        const ours = withAllBelow(before, [REAPER]);
        for (const [kind, choice] of meanwhile) world.run(kind as 'fork', choice);
        expect(isUnchanged(before, world.snapshot(), ours)).toBe(world.ours() === oursBefore);
      },
    ),
    { numRuns: 500 },
  );
});
