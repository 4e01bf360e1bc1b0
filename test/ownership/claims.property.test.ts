import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { OpenFileEvidence, Ownership, OwnershipFacts } from '../../src/ownership/claim.ts';
import { claimProcesses } from '../../src/ownership/claims.ts';
import { serviceCookie, supervisorCookie } from '../../src/ownership/cookie.ts';
import { marksOf, projectOf } from '../support/marks.ts';
import { identity, type Row, snapshotOf } from '../support/process-table.ts';

const RUNS = { numRuns: 1_000 };
const SELF = 21;
const FIRST = 100;

/** Process tables as the kernel makes them: children of earlier processes, with inherited groups and sessions. */
const table = fc
  .array(
    fc.record({
      parent: fc.nat(),
      place: fc.constantFrom('inherits', 'own group', 'own session'),
      mark: fc.constantFrom('none', 'none', 'ours', 'theirs', 'supervisor'),
      fate: fc.constantFrom('lives', 'lives', 'lives', 'died', 'zombie'),
      inside: fc.boolean(),
      opened: fc.constantFrom('nothing', 'nothing', 'log', 'reads'),
    }),
    { minLength: 1, maxLength: 14 },
  )
  .map((births): Row[] => {
    const rows: Required<Pick<Row, 'pid' | 'ppid' | 'pgid' | 'sid'>>[] = [];
    const all: Row[] = [];
    const dead = new Set<number>();
    for (const [index, { parent, place, mark, fate, inside, opened }] of births.entries()) {
      const pid = FIRST + index;
      // One in three begins a family of its own, below process 1.
      const above = parent % 3 === 0 ? undefined : rows[parent % Math.max(rows.length, 1)];
      const pgid = above && place === 'inherits' ? above.pgid : pid;
      const sid = above && place !== 'own session' ? above.sid : pid;
      const family = { pid, ppid: above?.pid ?? 1, pgid, sid };
      rows.push(family);
      if (fate === 'died') dead.add(pid);
      const cwd = inside ? '/home/me/app' : '/tmp';
      all.push({
        ...family,
        cwd,
        environ: ENVIRONS[mark],
        files: FILES[opened],
        state: fate === 'zombie' ? 'Z' : 'S',
      });
    }
    const gone = (row: Row | undefined) => row && (dead.has(row.pid) || row.state === 'Z');
    return all
      .filter(({ pid }) => !dead.has(pid))
      .map((row) => (gone(all.find(({ pid }) => pid === row.ppid)) ? { ...row, ppid: 1 } : row));
  });

const ENVIRONS = {
  none: {},
  ours: serviceCookie(marksOf('app'), 'web', 'aa11'),
  theirs: serviceCookie(marksOf('other'), 'web', 'bb22'),
  supervisor: supervisorCookie(marksOf('app')),
};

const LOG = { fd: 1, target: '/home/me/app/.pids/logs/web.log', readable: false };
const FILES = {
  nothing: [],
  log: [{ ...LOG, writable: true, appends: true }],
  reads: [{ ...LOG, readable: true, writable: false, appends: false }],
};

const TRACES = {
  logs: new Map([[LOG.target, 'web']]),
  logsFolder: '/home/me/app/.pids/logs',
  stdinFolder: '/home/me/app/.pids/stdin',
};

const knowledge = fc.record({
  closer: fc.boolean(),
  listening: fc.array(fc.integer({ min: FIRST, max: FIRST + 14 }), { maxLength: 2 }),
  leader: fc.option(fc.integer({ min: FIRST, max: FIRST + 14 }), { nil: null }),
  intent: fc.integer({ min: 0, max: FIRST + 6 }),
  witnessed: fc.array(
    fc.record({ pid: fc.integer({ min: FIRST, max: FIRST + 14 }), fresh: fc.boolean() }),
  ),
  supervisor: fc.option(fc.integer({ min: FIRST, max: FIRST + 14 }), { nil: null }),
  selfBelow: fc.option(fc.nat(14), { nil: null }),
});

function setUp(
  rows: readonly Row[],
  known: typeof knowledge extends fc.Arbitrary<infer T> ? T : never,
) {
  const parent = rows[(known.selfBelow ?? 0) % Math.max(rows.length, 1)];
  const home = known.selfBelow === null || !parent || parent.state === 'Z' ? undefined : parent;
  const self: Row = {
    pid: SELF,
    ticks: 5_000,
    ppid: home?.pid ?? 1,
    ...(home ? { pgid: home.pgid ?? home.pid, sid: home.sid ?? home.pid } : {}),
  };
  const facts: OwnershipFacts = {
    project: projectOf('app'),
    root: '/home/me/app',
    self: identity(SELF, 5_000),
    supervisor: known.supervisor === null ? null : identity(known.supervisor),
    runs: [
      {
        service: 'web',
        runId: 'aa11',
        bootId: 'boot-1',
        pidNamespace: 'pid:[1]',
        intentTicks: known.intent,
        leader: known.leader === null ? null : identity(known.leader),
      },
    ],
    witnessed: known.witnessed.map(({ pid, fresh }) => ({
      service: 'web',
      runId: 'aa11',
      identity: identity(pid),
      fresh,
    })),
    legacyPids: [],
    ...(known.closer ? { openFiles: tracesOf(known.listening) } : {}),
  };
  return { facts, rows: [...rows, self] };
}

function tracesOf(listening: readonly number[]): OpenFileEvidence {
  const ports = listening.map((pid) => ({ pid, port: 4101, service: 'web' }));
  return { ...TRACES, listening: ports, forced: false };
}

function isSupervisor(row: Row | undefined, { supervisor }: OwnershipFacts): boolean {
  return row?.environ === ENVIRONS.supervisor || row?.pid === supervisor?.pid;
}

function pids({ claims }: Ownership): readonly number[] {
  return [...claims.keys()].sort((a, b) => a - b);
}

test('vetoes win, whatever else matches', () => {
  fc.assert(
    fc.property(table, knowledge, (rows, known) => {
      const { facts, rows: all } = setUp(rows, known);
      const snapshot = snapshotOf(all);
      const { claims, supervisors, spared } = claimProcesses(facts, snapshot);
      const ancestors = new Set<number>();
      for (
        let pid: number | undefined = SELF;
        pid && pid > 1;
        pid = snapshot.byPid.get(pid)?.ppid
      ) {
        ancestors.add(pid);
      }
      for (const [pid, { process }] of claims) {
        const row = all.find((one) => one.pid === pid);
        expect(pid).toBeGreaterThan(1);
        expect(ancestors.has(pid)).toBe(false);
        // A recorded leader outweighs any mark.
        const isRecorded = pid === facts.runs[0]?.leader?.pid;
        if (!isRecorded) expect(row?.environ).not.toBe(ENVIRONS.theirs);
        // A supervisor below another one is a child between fork(2) and execve(2).
        const above = all.find((one) => one.pid === row?.ppid);
        if (row?.environ === ENVIRONS.supervisor) expect(isSupervisor(above, facts)).toBe(true);
        expect(process.state).not.toBe('Z');
        expect(supervisors).not.toContain(process);
        expect(spared.map((one) => one.process)).not.toContain(process);
      }
    }),
    RUNS,
  );
});

test('every claim has evidence, and the same question has the same answer', () => {
  fc.assert(
    fc.property(table, knowledge, (rows, known) => {
      const { facts, rows: all } = setUp(rows, known);
      const once = claimProcesses(facts, snapshotOf(all));
      for (const { evidence } of once.claims.values()) expect(evidence.length).toBeGreaterThan(0);
      expect(pids(claimProcesses(facts, snapshotOf([...all].reverse())))).toEqual(pids(once));
    }),
    RUNS,
  );
});

test('a remembered claim stays a claim, and brings no further claims', () => {
  fc.assert(
    fc.property(table, knowledge, (rows, known) => {
      const { facts, rows: all } = setUp(rows, known);
      const first = claimProcesses(facts, snapshotOf(all));
      const remembered = [...first.claims.values()].map(({ process, service, runId }) => ({
        service,
        runId,
        identity: process.identity,
        pgid: process.pgid,
        sid: process.sid,
        fresh: true,
      }));
      const witnessed = [...facts.witnessed, ...remembered];
      const second = claimProcesses({ ...facts, witnessed }, snapshotOf(all));
      expect(pids(second)).toEqual(pids(first));
    }),
    RUNS,
  );
});

test('a new stranger changes nothing for the other processes', () => {
  const stranger = fc.record({
    pid: fc.integer({ min: 200, max: 260 }),
    inside: fc.boolean(),
    mark: fc.constantFrom('none', 'theirs'),
  });
  fc.assert(
    fc.property(table, knowledge, stranger, (rows, known, { pid, inside, mark }) => {
      const { facts, rows: all } = setUp(rows, known);
      const environ = mark === 'theirs' ? ENVIRONS.theirs : {};
      const files = FILES.reads;
      const newcomer: Row = { pid, cwd: inside ? '/home/me/app' : '/', environ, files };
      const before = pids(claimProcesses(facts, snapshotOf(all)));
      expect(pids(claimProcesses(facts, snapshotOf([...all, newcomer])))).toEqual(before);
    }),
    RUNS,
  );
});

test('more evidence never claims less', () => {
  fc.assert(
    fc.property(
      table,
      knowledge,
      fc.integer({ min: FIRST, max: FIRST + 14 }),
      (rows, known, pid) => {
        const { facts, rows: all } = setUp(rows, known);
        const snapshot = snapshotOf(all);
        const before = pids(claimProcesses(facts, snapshot));
        const more = { service: 'web', runId: null, identity: identity(pid) };
        const after = pids(
          claimProcesses({ ...facts, witnessed: [...facts.witnessed, more] }, snapshot),
        );
        expect(after).toEqual(expect.arrayContaining([...before]));
      },
    ),
    RUNS,
  );
});

test('open files never make claims fewer, and claim no process that works elsewhere with nothing of ours open', () => {
  fc.assert(
    fc.property(table, knowledge, (rows, known) => {
      const usual = setUp(rows, { ...known, closer: false });
      const snapshot = snapshotOf(usual.rows);
      const before = claimProcesses(usual.facts, snapshot);
      const closer = setUp(rows, { ...known, closer: true });
      const after = claimProcesses(closer.facts, snapshot);
      expect(pids(after)).toEqual(expect.arrayContaining([...pids(before)]));
      for (const { process, evidence } of after.claims.values()) {
        const row = usual.rows.find(({ pid }) => pid === process.identity.pid);
        const kinds = evidence.map(({ kind }) => kind);
        if (kinds.includes('output')) expect(row?.files).toBe(FILES.log);
        if (kinds.includes('port')) expect(row?.cwd).toBe('/home/me/app');
      }
    }),
    RUNS,
  );
});

test('the files of a process that is known to be of another service change nothing but the list of its evidence', () => {
  fc.assert(
    fc.property(table, knowledge, (rows, known) => {
      const { facts, rows: all } = setUp(rows, { ...known, closer: true });
      const snapshot = snapshotOf(all);
      const whole = claimProcesses(facts, snapshot);
      const traces = tracesOf(known.listening);
      const few = claimProcesses(
        { ...facts, openFiles: { ...traces, wanted: new Set(['db']) } },
        snapshot,
      );
      const origins = ({ claims }: Ownership) =>
        [...claims].map(([pid, { service, runId }]) => ({ pid, service, runId }));
      expect(origins(few)).toEqual(origins(whole));
      expect(few.spared.map(({ process }) => process)).toEqual(
        whole.spared.map(({ process }) => process),
      );
      const same = claimProcesses(
        { ...facts, openFiles: { ...traces, wanted: new Set(['web']) } },
        snapshot,
      );
      expect(same.claims).toEqual(whole.claims);
    }),
    RUNS,
  );
});
