import { describe, expect, test } from 'vitest';
import type { Claim } from '../../src/ownership/claim.ts';
import { type Identity, identityKey } from '../../src/processes/identity.ts';
import { KILL_LIMIT_MS, SLOW_TOTAL_MS } from '../../src/stopping/killing.ts';
import { beginStop, isStopOver, PROOF_GAP_MS, planStop } from '../../src/stopping/plan.ts';
import type { StopAction, StopPolicy, StopState, StopUnit } from '../../src/stopping/state.ts';
import { identity, type Row, snapshotOf } from '../support/process-table.ts';

const GRACE = 1_000;
const LEADER: Row = { pid: 100, pgid: 100, sid: 100 };
const CHILD: Row = { pid: 101, ppid: 100, pgid: 100, sid: 100 };
const TASK: Row = { pid: 102, ppid: 100, pgid: 102, sid: 100 };
const STRANGER: Row = { pid: 300, pgid: 100, sid: 100, name: 'stranger' };

function unit(over: Partial<StopUnit> = {}): StopUnit {
  return {
    name: 'web',
    wave: 0,
    leader: identity(100),
    signal: 'SIGTERM',
    graceMs: GRACE,
    hasCommand: false,
    ...over,
  };
}

interface Look {
  readonly atMs: number;
  /** Names of services by row; strangers are rows with the name 'stranger'. */
  readonly rows: readonly Row[];
  readonly done?: readonly string[];
  readonly denied?: readonly Identity[];
  /** Control groups of the unit. */
  readonly groups?: readonly string[];
  readonly service?: (pid: number) => string;
}

/** Plays one stop, scan by scan, and lists the planned actions after each. */
function play(units: readonly StopUnit[], policy: StopPolicy = { force: false }) {
  let state: StopState = beginStop(units);
  return {
    state: () => state,
    look({
      atMs,
      rows,
      done = [],
      denied = [],
      groups = [],
      service = () => 'web',
    }: Look): string[] {
      const snapshot = snapshotOf(rows);
      const claims = new Map<number, Claim>();
      for (const [pid, process] of snapshot.byPid) {
        if (pid <= 1 || process.name === 'stranger') continue;
        claims.set(pid, { process, service: service(pid), runId: 'r', evidence: [] });
      }
      const observation = {
        nowMs: atMs,
        snapshot,
        claims,
        unitOf: (claim: Claim) => claim.service ?? '',
        groupsOf: () => groups,
        commandsDone: new Set(done),
        denied: new Set(denied.map(identityKey)),
      };
      const planned = planStop(state, units, observation, policy);
      state = planned.state;
      return planned.actions.map(describeAction);
    },
  };
}

function describeAction(action: StopAction): string {
  switch (action.kind) {
    case 'signal':
      return `${action.signal} ${action.target.pid}`;
    case 'signal-group':
      return `${action.signal} -${action.pgid}`;
    case 'freeze':
      return `freeze ${action.targets.map(({ pid }) => pid).join(' ')}`;
    default:
      return `${action.kind} ${action.unit}`;
  }
}

describe('asking', () => {
  test('the leader and its group are asked first, each once, and each gets SIGCONT', () => {
    const stop = play([unit()]);
    const rows = [LEADER, CHILD, TASK];
    expect(stop.look({ atMs: 0, rows })).toEqual(['SIGTERM -100', 'SIGCONT -100']);
    expect(stop.look({ atMs: 25, rows })).toEqual([]);
    expect(stop.look({ atMs: 249, rows })).toEqual([]);
    expect(stop.look({ atMs: 250, rows })).toEqual(['SIGTERM -102', 'SIGCONT -102']);
    expect(stop.look({ atMs: 300, rows })).toEqual([]);
  });

  test('the rest is asked as soon as the leader is gone, and has the whole grace period', () => {
    const stop = play([unit()]);
    stop.look({ atMs: 0, rows: [LEADER, TASK] });
    expect(stop.look({ atMs: 25, rows: [TASK] })).toEqual(['SIGTERM -102', 'SIGCONT -102']);
    expect(stop.look({ atMs: 999, rows: [TASK] })).toEqual([]);
    expect(stop.look({ atMs: 1_000, rows: [TASK] })).toEqual(['kill web']);
  });

  test('the processes that keep a terminal are left until nothing else lives', () => {
    const session: Row = { pid: 90, pgid: 90, sid: 90 };
    const leader: Row = { pid: 100, ppid: 90, pgid: 90, sid: 90 };
    const holder: Row = { pid: 95, pgid: 95, sid: 95 };
    const helper: Row = { pid: 96, ppid: 95, pgid: 95, sid: 95 };
    const terminal = { session: identity(90), holder: identity(95) };
    const stop = play([unit({ terminal })]);
    const keepers = [session, holder, helper];
    expect(stop.look({ atMs: 0, rows: [...keepers, leader, TASK] })).toEqual([
      'SIGTERM 100',
      'SIGCONT 100',
    ]);
    expect(stop.look({ atMs: 25, rows: [...keepers, TASK] })).toEqual([
      'SIGTERM -102',
      'SIGCONT -102',
    ]);
    expect(stop.look({ atMs: 50, rows: keepers })).toEqual([
      'SIGTERM -90',
      'SIGTERM -95',
      'SIGCONT -90',
      'SIGCONT -95',
    ]);
    expect(stop.look({ atMs: 999, rows: keepers })).toEqual([]);
    expect(stop.look({ atMs: 1_000, rows: keepers })).toEqual(['kill web']);
  });

  test('another process with the number of the leader is not the leader', () => {
    const stop = play([unit({ leader: identity(100, 50) })]);
    const rows = [LEADER, { ...TASK, ppid: 1 }];
    expect(stop.look({ atMs: 0, rows })).toEqual([
      'SIGTERM -100',
      'SIGTERM -102',
      'SIGCONT -100',
      'SIGCONT -102',
    ]);
  });

  test('without a leader, the roots of the trees are asked first', () => {
    const stop = play([unit({ leader: null })]);
    const rows: Row[] = [
      { pid: 110, pgid: 110 },
      { pid: 111, ppid: 110, pgid: 111 },
    ];
    expect(stop.look({ atMs: 0, rows })).toEqual(['SIGTERM -110', 'SIGCONT -110']);
    expect(stop.look({ atMs: 250, rows })).toEqual(['SIGTERM -111', 'SIGCONT -111']);
  });

  test('processes are asked one by one when a stranger is in their group', () => {
    const stop = play([unit()]);
    expect(stop.look({ atMs: 0, rows: [LEADER, CHILD, STRANGER] })).toEqual([
      'SIGTERM 100',
      'SIGTERM 101',
      'SIGCONT 100',
      'SIGCONT 101',
    ]);
  });

  test('a dead stranger in the group does not matter', () => {
    const stop = play([unit()]);
    const rows = [LEADER, { ...STRANGER, state: 'Z' }];
    expect(stop.look({ atMs: 0, rows })).toContain('SIGTERM -100');
  });

  test('processes are asked one by one when another unit is in their group', () => {
    const stop = play([unit(), unit({ name: 'api', leader: null, wave: 1 })]);
    const service = (pid: number) => (pid === 100 ? 'web' : 'api');
    expect(stop.look({ atMs: 0, rows: [LEADER, CHILD], service })).toEqual([
      'SIGTERM 100',
      'SIGCONT 100',
    ]);
  });

  test.each([0, 1])('the group %i is never signalled as a whole', (pgid) => {
    const stop = play([unit({ leader: null })]);
    const actions = stop.look({
      atMs: 0,
      rows: [
        { pid: 1, ppid: 0, pgid: 0, sid: 0 },
        { pid: 150, pgid },
      ],
    });
    expect(actions).toEqual(['SIGTERM 150', 'SIGCONT 150']);
  });

  test('a process that is forked during the grace period is asked too', () => {
    const stop = play([unit()]);
    stop.look({ atMs: 0, rows: [LEADER] });
    expect(stop.look({ atMs: 300, rows: [LEADER, TASK] })).toContain('SIGTERM -102');
  });

  test('processes get the stop signal of the service', () => {
    const stop = play([unit({ signal: 'SIGINT' })]);
    expect(stop.look({ atMs: 0, rows: [LEADER] })).toEqual(['SIGINT -100', 'SIGCONT -100']);
  });
});

describe('the stop command', () => {
  test('runs before the first signal', () => {
    const stop = play([unit({ hasCommand: true })]);
    expect(stop.look({ atMs: 0, rows: [LEADER] })).toEqual(['run-command web']);
    expect(stop.look({ atMs: 500, rows: [LEADER] })).toEqual([]);
    expect(stop.look({ atMs: 600, rows: [LEADER], done: ['web'] })[0]).toBe('SIGTERM -100');
  });

  test('has the grace period, and the processes have another one after it', () => {
    const stop = play([unit({ hasCommand: true })]);
    stop.look({ atMs: 0, rows: [LEADER] });
    expect(stop.look({ atMs: 1_000, rows: [LEADER] })[0]).toBe('SIGTERM -100');
    expect(stop.look({ atMs: 1_999, rows: [LEADER] })).toEqual([]);
    expect(stop.look({ atMs: 2_000, rows: [LEADER] })).toEqual(['kill web']);
  });

  test('orphans of no known service are left alone while it runs: one may be the command itself, just forked', () => {
    const nobodys = unit({ name: 'nobody', leader: null, awaitsCommands: true });
    const stop = play([unit({ hasCommand: true }), nobodys]);
    const service = (pid: number) => (pid === 100 ? 'web' : 'nobody');
    const rows = [LEADER, TASK];
    expect(stop.look({ atMs: 0, rows, service })).toEqual(['run-command web']);
    expect(stop.look({ atMs: 500, rows, service })).toEqual([]);
    expect(stop.look({ atMs: 600, rows, service, done: ['web'] })[0]).toBe('SIGTERM -100');
    expect(stop.look({ atMs: 650, rows, service })[0]).toBe('SIGTERM -102');
    expect(stop.look({ atMs: 1_649, rows, service })).not.toContain('kill nobody');
    expect(stop.look({ atMs: 1_650, rows, service })).toContain('kill nobody');
  });

  test('is not run with force', () => {
    const stop = play([unit({ hasCommand: true })], { force: true });
    expect(stop.look({ atMs: 0, rows: [LEADER] })[0]).toBe('SIGTERM -100');
  });
});

describe('killing', () => {
  test('processes are killed at once after the grace period, without freezing', () => {
    const stop = play([unit()]);
    stop.look({ atMs: 0, rows: [LEADER] });
    expect(stop.look({ atMs: GRACE, rows: [LEADER] })).toEqual(['kill web']);
  });

  test('with force the tree is frozen until no new process appears', () => {
    const stop = play([unit()], { force: true });
    stop.look({ atMs: 0, rows: [LEADER] });
    expect(stop.look({ atMs: GRACE, rows: [LEADER, CHILD] })).toEqual(['freeze 100 101']);
    expect(stop.look({ atMs: GRACE + 5, rows: [LEADER, CHILD, TASK] })).toEqual(['freeze 102']);
    expect(stop.look({ atMs: GRACE + 10, rows: [LEADER, CHILD, TASK] })).toEqual(['kill web']);
  });

  test('the time that freezing takes does not count as time without a death', () => {
    const stop = play([unit()], { force: true });
    const at = (ms: number, rows: readonly Row[]) => stop.look({ atMs: GRACE + ms, rows });
    stop.look({ atMs: 0, rows: [LEADER] });
    expect(at(0, [LEADER, CHILD])).toEqual(['freeze 100 101']);
    expect(at(3_000, [LEADER, CHILD, TASK])).toEqual(['freeze 102']);
    expect(at(5_000, [LEADER, CHILD, TASK])).toEqual(['kill web']);
    at(3_000 + KILL_LIMIT_MS, [LEADER, CHILD, TASK]);
    expect(stop.state().units.get('web')?.phase.kind).toBe('survived');
  });

  test('the tree is frozen when five scans brought no decrease', () => {
    const stop = play([unit()]);
    stop.look({ atMs: 0, rows: [LEADER] });
    const rounds = Array.from({ length: 7 }, (_, round) =>
      stop.look({ atMs: GRACE + round * 5, rows: [{ ...LEADER, pid: 200 + round }] }).join(),
    );
    expect(rounds.slice(0, 5)).toEqual(Array.from({ length: 5 }, () => 'kill web'));
    expect(rounds[5]).toBe('freeze 205');
  });

  test('a decrease starts the count again', () => {
    const stop = play([unit()]);
    stop.look({ atMs: 0, rows: [LEADER] });
    const crowd = [LEADER, CHILD, TASK];
    for (let round = 0; round < 4; round += 1) stop.look({ atMs: GRACE + round, rows: crowd });
    for (let round = 4; round < 8; round += 1) {
      expect(stop.look({ atMs: GRACE + round, rows: [LEADER, CHILD] })).toEqual(['kill web']);
    }
  });

  test('freezing ends after a number of rounds', () => {
    const stop = play([unit()], { force: true });
    stop.look({ atMs: 0, rows: [LEADER] });
    const kinds = Array.from(
      { length: 25 },
      (_, round) =>
        stop
          .look({ atMs: GRACE + round, rows: [{ ...LEADER, pid: 200 + round }] })[0]
          ?.split(' ')[0],
    );
    expect(kinds.filter((kind) => kind === 'freeze')).toHaveLength(20);
    expect(kinds.at(-1)).toBe('kill');
  });

  test('a process that we may not signal is a survivor at once; one that does not die, after the limit', () => {
    const refused = play([unit()]);
    refused.look({ atMs: 0, rows: [LEADER] });
    refused.look({ atMs: GRACE, rows: [LEADER], denied: [identity(100)] });
    expect(refused.state().units.get('web')?.phase.kind).toBe('survived');

    const stuck = play([unit()]);
    stuck.look({ atMs: 0, rows: [LEADER] });
    stuck.look({ atMs: GRACE, rows: [LEADER] });
    expect(stuck.look({ atMs: GRACE + KILL_LIMIT_MS - 1, rows: [LEADER] })).not.toEqual([]);
    stuck.look({ atMs: GRACE + KILL_LIMIT_MS, rows: [LEADER] });
    expect(stuck.state().units.get('web')?.phase.kind).toBe('survived');
    expect(isStopOver(stuck.state())).toBe(true);
  });

  test.each([
    [5, 3_000, 'killing'],
    [5, KILL_LIMIT_MS, 'survived'],
    [12, 3_000, 'killing'],
    [22, 3_000, 'survived'],
  ])('%i that wait for the processor, one of them dies every %i ms: %s', (count, everyMs, kind) => {
    const stop = play([unit()]);
    const rows = Array.from({ length: count }, (_, index) => ({ ...CHILD, pid: 101 + index }));
    stop.look({ atMs: 0, rows: [LEADER, ...rows] });
    for (let dead = 0; dead < count; dead += 1) {
      const atMs = GRACE + dead * everyMs;
      stop.look({ atMs, rows: [LEADER, ...rows.slice(dead)] });
      stop.look({ atMs: atMs + everyMs - 1, rows: [LEADER, ...rows.slice(dead)] });
      stop.look({ atMs: atMs + everyMs, rows: [LEADER, ...rows.slice(dead)] });
    }
    expect(stop.state().units.get('web')?.phase.kind).toBe(kind);
  });

  test.each([
    ['is runnable, and has only not been let run', { state: 'R' }, SLOW_TOTAL_MS - 1, 'killing'],
    ['is runnable all the same after a minute', { state: 'R' }, SLOW_TOTAL_MS, 'survived'],
    ['is stuck in the kernel', { state: 'D' }, KILL_LIMIT_MS, 'survived'],
    ['is born again and again', { state: 'R', ticks: 999_900 }, KILL_LIMIT_MS, 'survived'],
  ])('what %s', (_name, row, afterMs, kind) => {
    const stop = play([unit()]);
    stop.look({ atMs: 0, rows: [LEADER] });
    for (const ms of [0, KILL_LIMIT_MS / 2, afterMs])
      stop.look({ atMs: GRACE + ms, rows: [{ ...LEADER, ...row }] });
    expect(stop.state().units.get('web')?.phase.kind).toBe(kind);
  });

  test('a process that we may not signal does not protect its neighbour', () => {
    const stop = play([unit()]);
    stop.look({ atMs: 0, rows: [LEADER, CHILD] });
    const look = { atMs: GRACE, rows: [LEADER, CHILD], denied: [identity(100)] };
    expect(stop.look(look)).toEqual(['kill web']);
  });
});

describe('proof', () => {
  test('needs two empty scans, far enough apart', () => {
    const stop = play([unit()]);
    stop.look({ atMs: 0, rows: [LEADER] });
    stop.look({ atMs: 10, rows: [] });
    stop.look({ atMs: 10 + PROOF_GAP_MS - 1, rows: [] });
    expect(isStopOver(stop.state())).toBe(false);
    stop.look({ atMs: 10 + PROOF_GAP_MS, rows: [] });
    expect(isStopOver(stop.state())).toBe(true);
  });

  test('needs them in a row', () => {
    const stop = play([unit()]);
    stop.look({ atMs: 0, rows: [] });
    stop.look({ atMs: 25, rows: [TASK] });
    stop.look({ atMs: 60, rows: [] });
    expect(isStopOver(stop.state())).toBe(false);
  });

  test('processes that appear after the proof are stopped as well', () => {
    const units = [unit(), unit({ name: 'api', leader: null })];
    const stop = play(units);
    const service = (pid: number) => (pid === 150 ? 'api' : 'web');
    stop.look({ atMs: 0, rows: [{ pid: 150 }], service });
    stop.look({ atMs: 60, rows: [{ pid: 150 }], service });
    expect(stop.state().units.get('web')?.phase.kind).toBe('ended');
    expect(stop.look({ atMs: 80, rows: [{ pid: 150 }, TASK], service })).toContain('SIGTERM -102');
    expect(isStopOver(stop.state())).toBe(false);
  });

  test('and given up after many revivals', () => {
    const stop = play([unit(), unit({ name: 'api', leader: null })]);
    const service = (pid: number) => (pid === 150 ? 'api' : 'web');
    const busy = { pid: 150 };
    for (let round = 0; round < 60; round += 1) {
      const at = round * 100;
      stop.look({ atMs: at, rows: [busy, { ...TASK, pid: 400 + round }], service });
      stop.look({ atMs: at + 1, rows: [busy], service });
      stop.look({ atMs: at + 60, rows: [busy], service });
    }
    expect(stop.state().units.get('web')?.phase.kind).toBe('survived');
  });
});

describe('waves', () => {
  const units = [unit(), unit({ name: 'db', wave: 1, leader: identity(102) })];
  const service = (pid: number) => (pid === 102 ? 'db' : 'web');

  test('a wave waits for the wave before it', () => {
    const stop = play(units);
    expect(stop.look({ atMs: 0, rows: [LEADER, TASK], service })[0]).toBe('SIGTERM -100');
    expect(stop.look({ atMs: 200, rows: [TASK], service })).toEqual([]);
    stop.look({ atMs: 260, rows: [TASK], service });
    expect(stop.look({ atMs: 261, rows: [TASK], service })).toContain('SIGTERM -102');
  });

  test('a longer grace period than usual delays the services that it needs', () => {
    const slow = [unit({ graceMs: 8_000 }), ...units.slice(1)];
    const stop = play(slow);
    stop.look({ atMs: 0, rows: [LEADER, TASK], service });
    expect(stop.look({ atMs: 8_499, rows: [LEADER, TASK], service })).not.toContain('SIGTERM -102');
    expect(stop.look({ atMs: 8_500, rows: [LEADER, TASK], service })).toContain('SIGTERM -102');
  });

  test('usual grace periods share a budget: six waves have begun after 4.5 s', () => {
    const six = Array.from({ length: 6 }, (_, wave) =>
      unit({ name: `s${wave}`, wave, graceMs: 3_000, leader: identity(110 + wave) }),
    );
    const rows = six.map((_, index) => ({ pid: 110 + index }));
    const stop = play(six);
    const name = (pid: number) => `s${pid - 110}`;
    for (let atMs = 0; atMs <= 4_500; atMs += 25) stop.look({ atMs, rows, service: name });
    expect(stop.state().waveBeganMs).toHaveLength(6);
  });
});

describe('control groups', () => {
  test('are killed first, each once, and the remaining processes as usual', () => {
    const stop = play([unit()]);
    const groups = ['/g/one', '/g/two'];
    stop.look({ atMs: 0, rows: [LEADER], groups });
    expect(stop.look({ atMs: 999, rows: [LEADER], groups })).toEqual([]);
    expect(stop.look({ atMs: 1_000, rows: [LEADER], groups })).toEqual([
      'kill-group web',
      'kill-group web',
    ]);
    expect(stop.look({ atMs: 1_010, rows: [LEADER], groups })).toEqual(['kill web']);
  });

  test('reach processes that we may not signal', () => {
    const stop = play([unit()]);
    const groups = ['/g/one'];
    stop.look({ atMs: 0, rows: [LEADER], groups });
    const look = { rows: [LEADER], denied: [identity(100)], groups };
    // No grace period: nothing that gets no signal can use it.
    expect(stop.look({ atMs: 10, ...look })).toEqual(['kill-group web']);
    expect(stop.look({ atMs: 20, ...look })).toEqual([]);
    expect(stop.state().units.get('web')?.phase.kind).toBe('survived');
  });
});

test('a unit that hides from two scans and comes back, again and again, is given up after ten seconds', () => {
  const stop = play([unit()]);
  stop.look({ atMs: 0, rows: [LEADER] });
  let atMs = 1_000;
  for (; stop.state().units.get('web')?.phase.kind !== 'survived'; atMs += 700) {
    expect(stop.look({ atMs, rows: [LEADER] })).toBeInstanceOf(Array);
    stop.look({ atMs: atMs + 100, rows: [] });
    stop.look({ atMs: atMs + 200, rows: [] });
    if (atMs < 11_000) expect(stop.state().units.get('web')?.phase.kind).toBe('ended');
  }
  expect(atMs).toBeLessThan(13_000);
});
