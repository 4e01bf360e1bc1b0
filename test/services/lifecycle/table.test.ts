import { describe, expect, test } from 'vitest';
import type { LifecycleEvent, LifecycleInput } from '../../../src/services/lifecycle/events.ts';
import { NO_RESTARTS } from '../../../src/services/lifecycle/restart-policy.ts';
import { exitInWords, idle, type LifecycleState } from '../../../src/services/lifecycle/states.ts';
import { lifecycle } from '../../../src/services/lifecycle/table.ts';

const leader = { pid: 100, startTicks: 5, bootId: 'boot', pidNamespace: 'ns' };
const other = { ...leader, pid: 200 };
const clean = { code: 0, signal: null };
const crash = { code: 3, signal: null };
const at = { run: 4, sinceMs: 10, restarts: NO_RESTARTS };
/** The default policy: no restarts. */
const never = {
  policy: 'no',
  maxRestarts: 2,
  windowMs: 60_000,
  backoffMs: 500,
  maxBackoffMs: 1_000,
  resetAfterMs: 5_000,
  successExitCodes: [0],
} as const;
const onFailure = { ...never, policy: 'on-failure' } as const;
const always = { ...never, policy: 'always' } as const;
const now: LifecycleInput = {
  nowMs: 99,
  random: 0,
  terms: { restart: never, oneShot: false },
};
const under = (restart: typeof never | typeof onFailure | typeof always): LifecycleInput => ({
  ...now,
  terms: { restart, oneShot: false },
});
const after = { total: 1, timesMs: [99], streak: 1 };

const STATES = {
  idle: { kind: 'idle', ...at },
  waiting: { kind: 'waiting', ...at },
  spawning: { kind: 'spawning', ...at },
  cancelling: { kind: 'cancelling', ...at, endsTree: false },
  starting: { kind: 'starting', ...at, leader },
  running: { kind: 'running', ...at, leader },
  ready: { kind: 'ready', ...at, leader },
  unhealthy: { kind: 'unhealthy', ...at, leader, reason: 'slow', was: 'starting' },
  exited: { kind: 'exited', ...at, exit: clean, reason: 'exited with code 0', done: false },
  failed: { kind: 'failed', ...at, exit: crash, reason: 'exited with code 3' },
  clearing: {
    kind: 'clearing',
    ...at,
    leader,
    exit: null,
    reason: 'sick',
    dueMs: 150,
    wanted: false,
  },
  backoff: { kind: 'backoff', ...at, exit: crash, reason: 'exited with code 3' },
  stopping: { kind: 'stopping', ...at, leader, exit: null, reason: null },
} as const satisfies { [Kind in LifecycleState['kind']]: Extract<LifecycleState, { kind: Kind }> };

const EVENTS = {
  askedToStart: { kind: 'askedToStart' },
  dependenciesMet: { kind: 'dependenciesMet' },
  dependencyFailed: { kind: 'dependencyFailed', chain: ['api', 'db'], why: 'failed' },
  spawned: { kind: 'spawned', run: 4, identity: other, probed: true },
  spawnFailed: { kind: 'spawnFailed', run: 4, reason: 'no such command' },
  adopted: {
    kind: 'adopted',
    identity: other,
    wasReady: true,
    probed: true,
    restarts: 0,
    unhealthy: null,
  },
  recalled: { kind: 'recalled', exit: clean, reason: 'exited with code 0', restarts: 0 },
  interrupted: { kind: 'interrupted', exit: crash, reason: 'exited with code 3', restarts: 2 },
  exited: { kind: 'exited', run: 4, exit: crash },
  probeSucceeded: { kind: 'probeSucceeded', run: 4 },
  probeTimedOut: { kind: 'probeTimedOut', run: 4, reason: 'connection refused' },
  healthLost: { kind: 'healthLost', run: 4, reason: 'sick', restarts: true },
  noticed: { kind: 'noticed', run: 4, what: 'elsewhere', isAnswer: false },
  daemonized: { kind: 'daemonized', run: 4, identity: leader },
  healthRegained: { kind: 'healthRegained', run: 4 },
  limitPassed: { kind: 'limitPassed', run: 4, reason: 'used 2 GB', action: 'stop' },
  terminalLost: { kind: 'terminalLost', run: 4, reason: 'its holder was ended' },
  pauseOver: { kind: 'pauseOver', run: 4 },
  stuck: { kind: 'stuck', run: 4, reason: 'init outlives SIGKILL' },
  askedToStop: { kind: 'askedToStop' },
  standDown: { kind: 'standDown' },
  stopped: { kind: 'stopped', run: 4 },
} as const satisfies { [Kind in LifecycleEvent['kind']]: Extract<LifecycleEvent, { kind: Kind }> };

/** '-' ignored, '!' impossible, otherwise the next state and the effects (without 'tell', which always comes). */
const TABLE: { [Kind in LifecycleState['kind']]: { [Kind in LifecycleEvent['kind']]: string } } = {
  idle: {
    askedToStart: 'waiting',
    dependenciesMet: '-',
    dependencyFailed: '-',
    spawned: '!',
    spawnFailed: '!',
    adopted: 'ready: writeRecord',
    recalled: 'exited: writeRecord',
    interrupted: 'failed: writeRecord',
    exited: '-',
    noticed: '-',
    daemonized: '-',
    probeSucceeded: '-',
    probeTimedOut: '-',
    healthLost: '-',
    healthRegained: '-',
    limitPassed: '-',
    terminalLost: '-',
    pauseOver: '-',
    stuck: '-',
    askedToStop: '-',
    standDown: '-',
    stopped: '-',
  },
  waiting: {
    askedToStart: '-',
    dependenciesMet: 'spawning: writeRecord spawn',
    dependencyFailed: 'failed: writeRecord',
    spawned: '!',
    spawnFailed: '!',
    adopted: 'ready: writeRecord',
    recalled: '-',
    interrupted: '-',
    exited: '-',
    noticed: '-',
    daemonized: '-',
    probeSucceeded: '-',
    probeTimedOut: '-',
    healthLost: '-',
    healthRegained: '-',
    limitPassed: '-',
    terminalLost: '-',
    pauseOver: '-',
    stuck: '-',
    askedToStop: 'idle',
    standDown: 'idle',
    stopped: '-',
  },
  spawning: {
    askedToStart: '-',
    dependenciesMet: '-',
    dependencyFailed: '-',
    spawned: 'starting: writeRecord startProbe',
    spawnFailed: 'failed: writeRecord',
    adopted: '!',
    recalled: '-',
    interrupted: '-',
    exited: '!',
    noticed: '-',
    daemonized: '-',
    probeSucceeded: '!',
    probeTimedOut: '!',
    healthLost: '-',
    healthRegained: '-',
    limitPassed: '-',
    terminalLost: '-',
    pauseOver: '-',
    stuck: '-',
    askedToStop: 'cancelling: writeRecord',
    standDown: 'cancelling: writeRecord',
    stopped: '-',
  },
  cancelling: {
    askedToStart: '-',
    dependenciesMet: '-',
    dependencyFailed: '-',
    spawned: 'stopping: writeRecord',
    spawnFailed: 'stopping',
    adopted: '!',
    recalled: '-',
    interrupted: '-',
    exited: '!',
    noticed: '-',
    daemonized: '-',
    probeSucceeded: '!',
    probeTimedOut: '!',
    healthLost: '-',
    healthRegained: '-',
    limitPassed: '-',
    terminalLost: '-',
    pauseOver: '-',
    stuck: '-',
    askedToStop: 'cancelling:',
    standDown: 'cancelling:',
    stopped: '-',
  },
  starting: {
    askedToStart: '-',
    dependenciesMet: '-',
    dependencyFailed: '-',
    spawned: '!',
    spawnFailed: '!',
    adopted: '!',
    recalled: '-',
    interrupted: '-',
    exited: 'failed: stopProbe writeRecord',
    noticed: 'starting',
    daemonized: 'starting: stopProbe startProbe',
    probeSucceeded: 'ready: stopProbe writeRecord',
    probeTimedOut: 'unhealthy: stopProbe writeRecord startProbe',
    healthLost: '-',
    healthRegained: '-',
    limitPassed: 'stopping: stopProbe writeRecord stopTree',
    terminalLost: 'stopping: stopProbe writeRecord stopTree',
    pauseOver: '-',
    stuck: '-',
    askedToStop: 'stopping: stopProbe writeRecord stopTree',
    standDown: 'stopping: stopProbe writeRecord',
    stopped: 'idle: stopProbe',
  },
  running: {
    askedToStart: '-',
    dependenciesMet: '-',
    dependencyFailed: '-',
    spawned: '!',
    spawnFailed: '!',
    adopted: '!',
    recalled: '-',
    interrupted: '-',
    exited: 'failed: writeRecord',
    noticed: '-',
    daemonized: 'starting: writeRecord startProbe',
    probeSucceeded: '!',
    probeTimedOut: '!',
    healthLost: 'unhealthy: writeRecord',
    healthRegained: '-',
    limitPassed: 'stopping: writeRecord stopTree',
    terminalLost: 'stopping: writeRecord stopTree',
    pauseOver: '-',
    stuck: '-',
    askedToStop: 'stopping: writeRecord stopTree',
    standDown: 'stopping: writeRecord',
    stopped: 'idle',
  },
  ready: {
    askedToStart: '-',
    dependenciesMet: '-',
    dependencyFailed: '-',
    spawned: '!',
    spawnFailed: '!',
    adopted: '!',
    recalled: '-',
    interrupted: '-',
    exited: 'failed: writeRecord',
    noticed: '-',
    daemonized: 'starting: writeRecord startProbe',
    probeSucceeded: '-',
    probeTimedOut: '-',
    healthLost: 'unhealthy: writeRecord',
    healthRegained: '-',
    limitPassed: 'stopping: writeRecord stopTree',
    terminalLost: 'stopping: writeRecord stopTree',
    pauseOver: '-',
    stuck: '-',
    askedToStop: 'stopping: writeRecord stopTree',
    standDown: 'stopping: writeRecord',
    stopped: 'idle',
  },
  unhealthy: {
    askedToStart: 'starting: stopProbe writeRecord startProbe',
    dependenciesMet: '-',
    dependencyFailed: '-',
    spawned: '!',
    spawnFailed: '!',
    adopted: '!',
    recalled: '-',
    interrupted: '-',
    exited: 'failed: stopProbe writeRecord',
    noticed: '-',
    daemonized: 'starting: stopProbe writeRecord startProbe',
    probeSucceeded: 'ready: stopProbe writeRecord',
    probeTimedOut: '-',
    healthLost: '-',
    healthRegained: '-',
    limitPassed: 'stopping: stopProbe writeRecord stopTree',
    terminalLost: 'stopping: stopProbe writeRecord stopTree',
    pauseOver: '-',
    stuck: '-',
    askedToStop: 'stopping: stopProbe writeRecord stopTree',
    standDown: 'stopping: stopProbe writeRecord',
    stopped: 'idle: stopProbe',
  },
  exited: {
    askedToStart: 'waiting',
    dependenciesMet: '-',
    dependencyFailed: '-',
    spawned: '!',
    spawnFailed: '!',
    adopted: '!',
    recalled: '-',
    interrupted: '-',
    exited: '!',
    noticed: '-',
    daemonized: '-',
    probeSucceeded: '-',
    probeTimedOut: '-',
    healthLost: '-',
    healthRegained: '-',
    limitPassed: '-',
    terminalLost: '-',
    pauseOver: '-',
    stuck: '-',
    askedToStop: 'stopping: writeRecord stopTree',
    standDown: '-',
    stopped: 'idle',
  },
  failed: {
    askedToStart: 'waiting',
    dependenciesMet: '-',
    dependencyFailed: '-',
    spawned: '!',
    spawnFailed: '!',
    adopted: '!',
    recalled: '-',
    interrupted: '-',
    exited: '!',
    noticed: '-',
    daemonized: '-',
    probeSucceeded: '-',
    probeTimedOut: '-',
    healthLost: '-',
    healthRegained: '-',
    limitPassed: '-',
    terminalLost: '-',
    pauseOver: '-',
    stuck: '-',
    askedToStop: 'stopping: writeRecord stopTree',
    standDown: '-',
    stopped: 'idle',
  },
  clearing: {
    askedToStart: 'clearing:',
    dependenciesMet: '-',
    dependencyFailed: '-',
    spawned: '!',
    spawnFailed: '!',
    adopted: '!',
    recalled: '-',
    interrupted: '-',
    exited: 'clearing: writeRecord',
    noticed: '-',
    daemonized: '-',
    probeSucceeded: '-',
    probeTimedOut: '-',
    healthLost: '-',
    healthRegained: '-',
    limitPassed: '-',
    terminalLost: '-',
    pauseOver: '-',
    stuck: 'failed: writeRecord',
    askedToStop: 'stopping: leaveTree writeRecord stopTree',
    standDown: 'stopping: leaveTree writeRecord',
    stopped: 'backoff: writeRecord startPause',
  },
  backoff: {
    askedToStart: 'waiting: stopPause',
    dependenciesMet: '-',
    dependencyFailed: '-',
    spawned: '!',
    spawnFailed: '!',
    adopted: '!',
    recalled: '-',
    interrupted: '-',
    exited: '-',
    noticed: '-',
    daemonized: '-',
    probeSucceeded: '-',
    probeTimedOut: '-',
    healthLost: '-',
    healthRegained: '-',
    limitPassed: '-',
    terminalLost: '-',
    pauseOver: 'spawning: stopPause writeRecord spawn',
    stuck: 'failed: stopPause writeRecord',
    askedToStop: 'stopping: stopPause writeRecord stopTree',
    standDown: 'stopping: stopPause writeRecord',
    stopped: 'idle: stopPause',
  },
  stopping: {
    askedToStart: '-',
    dependenciesMet: '-',
    dependencyFailed: '-',
    spawned: '!',
    spawnFailed: '!',
    adopted: '!',
    recalled: '-',
    interrupted: '-',
    exited: 'stopping',
    noticed: '-',
    daemonized: '-',
    probeSucceeded: '-',
    probeTimedOut: '-',
    healthLost: '-',
    healthRegained: '-',
    limitPassed: '-',
    terminalLost: '-',
    pauseOver: '-',
    stuck: 'failed: writeRecord',
    askedToStop: 'stopping: stopTree',
    standDown: 'stopping: leaveTree',
    stopped: 'idle',
  },
};

const MARKS = { ignored: '-', impossible: '!' };

function shown(state: LifecycleState, event: LifecycleEvent): string {
  const step = lifecycle(state, event, now);
  if (step.refusal) {
    expect(step.state).toBe(state);
    expect(step.effects).toEqual([]);
    expect(step.refusal.why).not.toBe('');
    return MARKS[step.refusal.kind];
  }
  const tells = step.effects.some((effect) => effect.kind === 'tell');
  const work = step.effects.filter((effect) => effect.kind !== 'tell').map(({ kind }) => kind);
  return [step.state.kind + (work.length > 0 || !tells ? ':' : ''), ...work].join(' ');
}

describe.each(Object.entries(STATES))('a service that is %s', (name, state) => {
  test.each(Object.entries(EVENTS))('%s', (event, value) => {
    const row = TABLE[name as LifecycleState['kind']];
    expect(shown(state, value)).toBe(row[event as LifecycleEvent['kind']]);
  });
});

test('the intent is written before the spawn, the probe is silenced before the record', () => {
  const nothing = { reason: null, leader: null, exit: null, restarts: 0 };
  expect(lifecycle(STATES.waiting, EVENTS.dependenciesMet, now)).toEqual({
    state: { kind: 'spawning', run: 5, sinceMs: 99, restarts: NO_RESTARTS },
    effects: [
      { kind: 'writeRecord', run: 5, state: 'starting', ...nothing },
      { kind: 'spawn', run: 5 },
      { kind: 'tell', from: 'waiting', to: 'spawning', reason: null },
    ],
    refusal: null,
  });
});

test('without a readiness probe a spawned service is up', () => {
  const step = lifecycle(STATES.spawning, { ...EVENTS.spawned, probed: false }, now);
  expect(step.state).toEqual({ ...at, kind: 'running', sinceMs: 99, leader: other });
  expect(step.effects.map(({ kind }) => kind)).toEqual(['writeRecord', 'tell']);
});

test.each([
  ['ready before', { wasReady: true, probed: true }, 'ready'],
  ['not yet ready', { wasReady: false, probed: true }, 'starting'],
  ['without a probe', { wasReady: false, probed: false }, 'running'],
])('what another supervisor started is adopted: %s', (_name, found, kind) => {
  const { state } = lifecycle(idle, { ...EVENTS.adopted, ...found }, now);
  expect(state).toEqual({ ...idle, kind, run: 1, sinceMs: 99, leader: other });
});

test.each([
  ['starting', crash, 'failed', 'exited with code 3 before it was ready'],
  ['starting', clean, 'failed', 'exited with code 0 before it was ready'],
  [
    'unhealthy',
    { code: null, signal: 'SIGKILL' },
    'failed',
    'ended by SIGKILL before it was ready',
  ],
  ['ready', clean, 'exited', 'exited with code 0'],
  ['ready', crash, 'failed', 'exited with code 3'],
  ['running', clean, 'exited', 'exited with code 0'],
  ['running', { code: null, signal: 'SIGSEGV' }, 'failed', 'ended by SIGSEGV'],
  [
    'running',
    { code: null, signal: null },
    'failed',
    'ended, exit code unknown (it was taken over)',
  ],
] as const)('%s and an exit %j', (name, exit, kind, reason) => {
  const { state } = lifecycle(STATES[name], { ...EVENTS.exited, exit }, now);
  expect(state).toMatchObject({ kind, run: 4, sinceMs: 99, exit, reason });
});

test('a failed dependency is named with the chain that leads to it', () => {
  expect(lifecycle(STATES.waiting, EVENTS.dependencyFailed, now).state).toMatchObject({
    reason: 'waits for api, which needs db, which failed',
  });
});

test('an exit during a stop is told, not recorded', () => {
  const step = lifecycle(STATES.stopping, EVENTS.exited, now);
  expect(step.state).toEqual({ ...STATES.stopping, exit: crash });
  expect(step.effects.map(({ kind }) => kind)).toEqual(['tell']);
  expect(lifecycle(step.state, EVENTS.exited, now).refusal?.kind).toBe('impossible');
});

test('a stop that was asked for during the spawn ends the spawned process', () => {
  const cancelled = lifecycle(STATES.spawning, EVENTS.askedToStop, now).state;
  const step = lifecycle(cancelled, EVENTS.spawned, now);
  expect(step.state).toMatchObject({ kind: 'stopping', leader: other });
  expect(step.effects.map(({ kind }) => kind)).toEqual(['writeRecord', 'stopTree', 'tell']);
});

test('news of an earlier run changes nothing', () => {
  for (const state of Object.values(STATES)) {
    for (const event of Object.values(EVENTS)) {
      if (!('run' in event)) continue;
      expect(lifecycle(state, { ...event, run: 3 }, now).refusal).toMatchObject({
        kind: 'ignored',
      });
    }
  }
});

describe('a restart', () => {
  test('that an earlier supervisor did not live to finish is resumed', () => {
    const { state, effects } = lifecycle(STATES.idle, EVENTS.interrupted, under(onFailure));
    expect(state).toEqual({
      kind: 'clearing',
      run: 5,
      sinceMs: 99,
      restarts: { total: 2, timesMs: [99], streak: 1 },
      leader: null,
      exit: crash,
      reason: 'exited with code 3; restart 2 after a pause of 500 ms',
      dueMs: 599,
      wanted: false,
    });
    expect(effects.map(({ kind }) => kind)).toEqual(['writeRecord', 'stopTree', 'tell']);
  });

  test.each([
    ['starting', 'exited with code 3 before it was ready; restart 1 after a pause of 500 ms'],
    ['running', 'exited with code 3; restart 1 after a pause of 500 ms'],
    ['ready', 'exited with code 3; restart 1 after a pause of 500 ms'],
    ['unhealthy', 'exited with code 3 before it was ready; restart 1 after a pause of 500 ms'],
  ] as const)('after the end of one that was %s', (name, reason) => {
    const { state, effects } = lifecycle(STATES[name], EVENTS.exited, under(onFailure));
    expect(state).toEqual({
      kind: 'clearing',
      run: 4,
      sinceMs: 99,
      restarts: after,
      leader: null,
      exit: crash,
      reason,
      dueMs: 599,
      wanted: false,
    });
    expect(effects).toContainEqual({ kind: 'stopTree', run: 4, command: false });
    const record = { state: 'backoff', reason, leader: null, exit: crash, restarts: 1 };
    expect(effects).toContainEqual({ kind: 'writeRecord', run: 4, ...record });
  });

  test.each([
    ['running', EVENTS.healthLost, 'sick; restart 1 after a pause of 500 ms'],
    ['starting', EVENTS.probeTimedOut, 'connection refused; restart 1 after a pause of 500 ms'],
  ] as const)('of one that is alive (%s) begins with its stop command', (name, event, reason) => {
    const { state, effects } = lifecycle(STATES[name], event, under(onFailure));
    expect(state).toMatchObject({ kind: 'clearing', leader, exit: null, reason });
    expect(effects).toContainEqual({ kind: 'stopTree', run: 4, command: true });
  });

  test('waits for the rest of the pause once the old tree is proved gone', () => {
    const { effects } = lifecycle(STATES.clearing, EVENTS.stopped, now);
    expect(effects).toContainEqual({ kind: 'startPause', run: 4, ms: 51 });
    const late = lifecycle(STATES.clearing, EVENTS.stopped, { ...now, nowMs: 1_000 });
    expect(late.effects).toContainEqual({ kind: 'startPause', run: 4, ms: 0 });
  });

  test('does not pause when somebody waits for it, and counts anew', () => {
    const clearing = { ...STATES.clearing, restarts: after };
    const wanted = lifecycle(clearing, EVENTS.askedToStart, now).state;
    const { state } = lifecycle(wanted, EVENTS.stopped, now);
    expect(state).toMatchObject({ kind: 'waiting', restarts: NO_RESTARTS });
  });

  test('does not take place when the remains of the old run cannot be ended', () => {
    const { state } = lifecycle(STATES.clearing, EVENTS.stuck, now);
    expect(state).toMatchObject({ kind: 'failed', reason: 'sick, but init outlives SIGKILL' });
  });

  test('does not follow when the very first spawn fails, but does when a later one fails', () => {
    const first = lifecycle(STATES.spawning, EVENTS.spawnFailed, under(always));
    expect(first.state.kind).toBe('failed');
    const again = { ...STATES.spawning, restarts: after };
    expect(lifecycle(again, EVENTS.spawnFailed, under(always)).state).toMatchObject({
      kind: 'clearing',
      reason: 'no such command; restart 2 after a pause of 1 s',
    });
  });

  test.each([
    ['a task that has succeeded is done', 0, true, false, { kind: 'exited', done: true }],
    ['a task that has failed is not done', 3, true, false, { kind: 'failed', exit: { code: 3 } }],
    ['a service that is no task has ended', 0, false, false, { kind: 'exited', done: false }],
    ['a service that was not ready yet has failed', 0, false, true, { kind: 'failed' }],
  ] as const)(
    'of a process that ended before it could be read: %s',
    (_, code, oneShot, probed, state) => {
      const exit = { code, signal: null };
      const terms = { restart: never, oneShot };
      const event = { ...EVENTS.spawnFailed, exit, probed } as const;
      expect(lifecycle(STATES.spawning, event, { ...now, terms }).state).toMatchObject(state);
    },
  );

  test('beyond the maximum: the service has failed, or is left alive when it is unhealthy', () => {
    const often = { total: 9, timesMs: [90, 95], streak: 9 };
    const ended = lifecycle({ ...STATES.running, restarts: often }, EVENTS.exited, under(always));
    expect(ended.state).toMatchObject({
      kind: 'failed',
      reason: 'exited with code 3; given up after 2 restarts within 1 min',
    });
    const sick = { ...STATES.ready, restarts: often };
    const { state } = lifecycle(sick, EVENTS.healthLost, under(always));
    expect(state).toMatchObject({
      kind: 'unhealthy',
      was: 'ready',
      reason: 'sick; given up after 2 restarts within 1 min',
    });
    expect(lifecycle(state, EVENTS.healthRegained, now).state).toMatchObject({ kind: 'ready' });
    expect(lifecycle(state, EVENTS.exited, now).state).toMatchObject({
      reason: 'exited with code 3; before that: sick; given up after 2 restarts within 1 min',
    });
  });

  test('an end with success: "always" starts again, "on-failure" does not', () => {
    const event = { ...EVENTS.exited, exit: clean };
    expect(lifecycle(STATES.ready, event, under(always)).state.kind).toBe('clearing');
    expect(lifecycle(STATES.ready, event, under(onFailure)).state.kind).toBe('exited');
    const custom: LifecycleInput = {
      ...now,
      terms: { restart: { ...onFailure, successExitCodes: [3] }, oneShot: true },
    };
    expect(lifecycle(STATES.ready, EVENTS.exited, custom).state).toMatchObject({
      kind: 'exited',
      done: true,
    });
    expect(lifecycle(STATES.ready, event, custom).state.kind).toBe('clearing');
  });

  test('does not follow for an adopted service that nobody has asked for since', () => {
    const unknown = { ...now, terms: null };
    expect(lifecycle(STATES.ready, EVENTS.exited, unknown).state.kind).toBe('failed');
  });
});

describe('beyond a limit', () => {
  const restarts = { ...EVENTS.limitPassed, action: 'restart' } as const;

  test('a service is ended with its stop command, and has failed when its end is proved', () => {
    const { state, effects } = lifecycle(STATES.ready, EVENTS.limitPassed, now);
    expect(state).toMatchObject({ kind: 'stopping', leader, reason: 'used 2 GB' });
    expect(effects).toContainEqual({ kind: 'stopTree', run: 4, command: true });
    const ended = lifecycle(state, EVENTS.exited, now).state;
    expect(lifecycle(ended, EVENTS.stopped, now).state).toMatchObject({
      kind: 'failed',
      exit: crash,
      reason: 'used 2 GB',
    });
    const early = lifecycle(state, EVENTS.stopped, now).state;
    expect(early).toMatchObject({ kind: 'failed', exit: { code: null, signal: null } });
    expect(lifecycle(early, EVENTS.exited, now).refusal?.kind).toBe('ignored');
    expect(lifecycle(state, EVENTS.stuck, now).state).toMatchObject({
      reason: 'used 2 GB, but init outlives SIGKILL',
    });
  });

  test.each(['askedToStop', 'standDown'] as const)(
    '%s meanwhile makes it an ordinary stop',
    (event) => {
      const { state } = lifecycle(STATES.ready, EVENTS.limitPassed, now);
      const asked = lifecycle(state, EVENTS[event], now).state;
      expect(lifecycle(asked, EVENTS.stopped, now).state.kind).toBe('idle');
    },
  );

  test('a service is started again when its limit says so, whatever its policy', () => {
    for (const policy of [never, onFailure, always]) {
      const { state, effects } = lifecycle(STATES.running, restarts, under(policy));
      const reason = 'used 2 GB; restart 1 after a pause of 500 ms';
      expect(state).toMatchObject({ kind: 'clearing', leader, exit: null, reason });
      expect(effects).toContainEqual({ kind: 'stopTree', run: 4, command: true });
    }
  });

  test('a service is started again as often as its policy allows, then ended', () => {
    const often = { ...STATES.ready, restarts: { total: 9, timesMs: [90, 95], streak: 9 } };
    const { state } = lifecycle(often, restarts, now);
    expect(state).toMatchObject({
      kind: 'stopping',
      reason: 'used 2 GB; given up after 2 restarts within 1 min',
    });
    expect(lifecycle(state, EVENTS.stopped, now).state.kind).toBe('failed');
  });
});

describe('a task', () => {
  const task = { ...now, terms: { restart: onFailure, oneShot: true } };
  const done = { ...STATES.exited, done: true };

  test('that has succeeded is done, and not done again', () => {
    const { state } = lifecycle(STATES.running, { ...EVENTS.exited, exit: clean }, task);
    expect(state).toMatchObject({ kind: 'exited', done: true });
    expect(lifecycle(state, EVENTS.askedToStart, task).refusal?.kind).toBe('ignored');
  });

  test('is done again when it is no task any more, or after a stop', () => {
    expect(lifecycle(done, EVENTS.askedToStart, now).state.kind).toBe('waiting');
    expect(lifecycle(done, EVENTS.stopped, now).state.kind).toBe('idle');
  });

  test('whose exit code is unknown is not tried again, because it may have succeeded', () => {
    const exit = { code: null, signal: null };
    const { state } = lifecycle(STATES.running, { ...EVENTS.exited, exit }, task);
    expect(state).toMatchObject({
      kind: 'failed',
      reason: 'ended, exit code unknown (it was taken over)',
    });
    const service = lifecycle(STATES.running, { ...EVENTS.exited, exit }, under(onFailure));
    expect(service.state.kind).toBe('clearing');
  });
});

test('a service that was not well before its supervisor ended is not well after the adoption', () => {
  const adopt = (was: 'starting' | 'ready') =>
    lifecycle(idle, { ...EVENTS.adopted, unhealthy: { reason: 'slow', was } }, now);
  expect(adopt('ready').state).toMatchObject({ kind: 'unhealthy', was: 'ready', reason: 'slow' });
  expect(adopt('starting').effects).toContainEqual({ kind: 'startProbe', run: 1, late: true });
});

test('what is not well already is started again when its liveness probe fails, and by nothing else', () => {
  const ill = { ...STATES.unhealthy, was: 'ready' as const };
  const lost = (restarts: boolean) =>
    lifecycle(ill, { ...EVENTS.healthLost, restarts }, under(onFailure)).state.kind;
  expect([lost(true), lost(false)]).toEqual(['clearing', 'unhealthy']);
});

test('an adopted service keeps its number of restarts', () => {
  const { state, effects } = lifecycle(idle, { ...EVENTS.adopted, restarts: 3 }, now);
  expect(state.restarts).toEqual({ total: 3, timesMs: [], streak: 0 });
  expect(effects).toContainEqual(expect.objectContaining({ kind: 'writeRecord', restarts: 3 }));
});

test('an unhealthy service is not probed again as if it had just been started', () => {
  const sick = { ...STATES.unhealthy, was: 'ready' as const };
  expect(lifecycle(sick, EVENTS.askedToStart, now).refusal?.kind).toBe('ignored');
});

test('an exit code in which a shell hides a signal names the signal', () => {
  const words = (code: number) => exitInWords({ code, signal: null });
  expect(words(137)).toBe('exited with code 137 (128 + SIGKILL)');
  expect([words(128), words(3)]).toEqual(['exited with code 128', 'exited with code 3']);
});
