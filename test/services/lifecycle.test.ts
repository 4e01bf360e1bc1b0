import { describe, expect, test } from 'vitest';
import { idle, type Life, type LifeEvent } from '../../src/services/life.ts';
import { lifecycle } from '../../src/services/lifecycle.ts';

const leader = { pid: 100, startTicks: 5, bootId: 'boot', pidNamespace: 'ns' };
const other = { ...leader, pid: 200 };
const clean = { code: 0, signal: null };
const crash = { code: 3, signal: null };
const at = { run: 4, sinceMs: 10 };

const STATES = {
  idle: { kind: 'idle', ...at },
  waiting: { kind: 'waiting', ...at },
  spawning: { kind: 'spawning', ...at },
  cancelling: { kind: 'cancelling', ...at, endsTree: false },
  starting: { kind: 'starting', ...at, leader },
  running: { kind: 'running', ...at, leader },
  ready: { kind: 'ready', ...at, leader },
  unhealthy: { kind: 'unhealthy', ...at, leader, reason: 'slow' },
  exited: { kind: 'exited', ...at, exit: clean, reason: 'exited with code 0' },
  failed: { kind: 'failed', ...at, exit: crash, reason: 'exited with code 3' },
  stopping: { kind: 'stopping', ...at, leader, exit: null },
} as const satisfies { [Kind in Life['kind']]: Extract<Life, { kind: Kind }> };

const EVENTS = {
  askedToStart: { kind: 'askedToStart' },
  dependenciesMet: { kind: 'dependenciesMet' },
  dependencyFailed: { kind: 'dependencyFailed', chain: ['api', 'db'], why: 'failed' },
  spawned: { kind: 'spawned', run: 4, identity: other, probed: true },
  spawnFailed: { kind: 'spawnFailed', run: 4, reason: 'no such command' },
  adopted: { kind: 'adopted', identity: other, wasReady: true, probed: true },
  exited: { kind: 'exited', run: 4, exit: crash },
  probeSucceeded: { kind: 'probeSucceeded', run: 4 },
  probeTimedOut: { kind: 'probeTimedOut', run: 4, reason: 'connection refused' },
  askedToStop: { kind: 'askedToStop' },
  standDown: { kind: 'standDown' },
  stopped: { kind: 'stopped', run: 4 },
} as const satisfies { [Kind in LifeEvent['kind']]: Extract<LifeEvent, { kind: Kind }> };

/** '-' ignored, '!' impossible, otherwise the next state and what is done ('tell' is always done). */
const TABLE: { [Kind in Life['kind']]: { [Kind in LifeEvent['kind']]: string } } = {
  idle: {
    askedToStart: 'waiting',
    dependenciesMet: '-',
    dependencyFailed: '-',
    spawned: '!',
    spawnFailed: '!',
    adopted: 'ready: writeRecord',
    exited: '-',
    probeSucceeded: '-',
    probeTimedOut: '-',
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
    exited: '-',
    probeSucceeded: '-',
    probeTimedOut: '-',
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
    exited: '!',
    probeSucceeded: '!',
    probeTimedOut: '!',
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
    exited: '!',
    probeSucceeded: '!',
    probeTimedOut: '!',
    askedToStop: 'cancelling:',
    standDown: '-',
    stopped: '-',
  },
  starting: {
    askedToStart: '-',
    dependenciesMet: '-',
    dependencyFailed: '-',
    spawned: '!',
    spawnFailed: '!',
    adopted: '!',
    exited: 'failed: stopProbe writeRecord',
    probeSucceeded: 'ready: stopProbe writeRecord',
    probeTimedOut: 'unhealthy: stopProbe writeRecord',
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
    exited: 'failed: writeRecord',
    probeSucceeded: '!',
    probeTimedOut: '!',
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
    exited: 'failed: writeRecord',
    probeSucceeded: '-',
    probeTimedOut: '-',
    askedToStop: 'stopping: writeRecord stopTree',
    standDown: 'stopping: writeRecord',
    stopped: 'idle',
  },
  unhealthy: {
    askedToStart: 'starting: writeRecord startProbe',
    dependenciesMet: '-',
    dependencyFailed: '-',
    spawned: '!',
    spawnFailed: '!',
    adopted: '!',
    exited: 'failed: writeRecord',
    probeSucceeded: 'ready: writeRecord',
    probeTimedOut: '-',
    askedToStop: 'stopping: writeRecord stopTree',
    standDown: 'stopping: writeRecord',
    stopped: 'idle',
  },
  exited: {
    askedToStart: 'waiting',
    dependenciesMet: '-',
    dependencyFailed: '-',
    spawned: '!',
    spawnFailed: '!',
    adopted: '!',
    exited: '!',
    probeSucceeded: '-',
    probeTimedOut: '-',
    askedToStop: 'exited: stopTree',
    standDown: '-',
    stopped: '-',
  },
  failed: {
    askedToStart: 'waiting',
    dependenciesMet: '-',
    dependencyFailed: '-',
    spawned: '!',
    spawnFailed: '!',
    adopted: '!',
    exited: '!',
    probeSucceeded: '-',
    probeTimedOut: '-',
    askedToStop: 'failed: stopTree',
    standDown: '-',
    stopped: '-',
  },
  stopping: {
    askedToStart: '-',
    dependenciesMet: '-',
    dependencyFailed: '-',
    spawned: '!',
    spawnFailed: '!',
    adopted: '!',
    exited: 'stopping',
    probeSucceeded: '-',
    probeTimedOut: '-',
    askedToStop: 'stopping: stopTree',
    standDown: '-',
    stopped: 'idle',
  },
};

const MARKS = { ignored: '-', impossible: '!' };

function shown(state: Life, event: LifeEvent): string {
  const step = lifecycle(state, event, 99);
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
    const row = TABLE[name as Life['kind']];
    expect(shown(state, value)).toBe(row[event as LifeEvent['kind']]);
  });
});

test('the intent is written before the spawn, the probe is silenced before the record', () => {
  expect(lifecycle(STATES.waiting, EVENTS.dependenciesMet, 99)).toEqual({
    state: { kind: 'spawning', run: 5, sinceMs: 99 },
    effects: [
      { kind: 'writeRecord', run: 5, state: 'starting', reason: null, leader: null, exit: null },
      { kind: 'spawn', run: 5 },
      { kind: 'tell', from: 'waiting', to: 'spawning', reason: null },
    ],
    refusal: null,
  });
});

test('without a readiness probe, spawned is up', () => {
  const step = lifecycle(STATES.spawning, { ...EVENTS.spawned, probed: false }, 99);
  expect(step.state).toEqual({ kind: 'running', run: 4, sinceMs: 99, leader: other });
  expect(step.effects.map(({ kind }) => kind)).toEqual(['writeRecord', 'tell']);
});

test.each([
  ['ready before', { wasReady: true, probed: true }, 'ready'],
  ['not yet ready', { wasReady: false, probed: true }, 'starting'],
  ['without a probe', { wasReady: false, probed: false }, 'running'],
])('what another supervisor started is adopted: %s', (_name, found, kind) => {
  const { state } = lifecycle(idle, { ...EVENTS.adopted, ...found }, 99);
  expect(state).toEqual({ kind, run: 1, sinceMs: 99, leader: other });
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
  ['running', { code: null, signal: null }, 'failed', 'ended, how is not known'],
] as const)('%s and an exit %j', (name, exit, kind, reason) => {
  const { state } = lifecycle(STATES[name], { ...EVENTS.exited, exit }, 99);
  expect(state).toEqual({ kind, run: 4, sinceMs: 99, exit, reason });
});

test('a failed need is named with the way to it', () => {
  expect(lifecycle(STATES.waiting, EVENTS.dependencyFailed, 99).state).toMatchObject({
    reason: 'not started: it needs api, which needs db, which failed',
  });
});

test('an exit while it is being stopped is told, not recorded', () => {
  const step = lifecycle(STATES.stopping, EVENTS.exited, 99);
  expect(step.state).toEqual({ ...STATES.stopping, exit: crash });
  expect(step.effects.map(({ kind }) => kind)).toEqual(['tell']);
  expect(lifecycle(step.state, EVENTS.exited, 99).refusal?.kind).toBe('impossible');
});

test('a stop that was asked for during the spawn ends what was spawned', () => {
  const cancelled = lifecycle(STATES.spawning, EVENTS.askedToStop, 99).state;
  const step = lifecycle(cancelled, EVENTS.spawned, 99);
  expect(step.state).toMatchObject({ kind: 'stopping', leader: other });
  expect(step.effects.map(({ kind }) => kind)).toEqual(['writeRecord', 'stopTree', 'tell']);
});

test('news of an earlier run changes nothing', () => {
  for (const state of Object.values(STATES)) {
    for (const event of Object.values(EVENTS)) {
      if (!('run' in event)) continue;
      expect(lifecycle(state, { ...event, run: 3 }, 99).refusal).toMatchObject({ kind: 'ignored' });
    }
  }
});
