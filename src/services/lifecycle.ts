import type { Life, LifeEvent, LifeEventKind, LifeKind, Step } from './life.ts';
import {
  adopt,
  becomeReady,
  cancel,
  cancelOurselves,
  comeUp,
  dropOut,
  endAsAsked,
  endByItself,
  endCancelled,
  failToStart,
  giveUp,
  type In,
  ignore,
  impossible,
  letStop,
  type Move,
  notSpawned,
  type On,
  probeAgain,
  rest,
  spawn,
  stop,
  stopLeftovers,
  timeOut,
  wait,
} from './lifecycle-moves.ts';

const notAsked = ignore('it was not asked to start');
const asksTwice = ignore('it was asked to start already');
const isUp = ignore('it is up already');
const isStopping = ignore('it is being stopped: ask again when that is done');
const notWaiting = ignore('it does not wait for dependencies any more');
const hasEnded = ignore('nothing of it runs');
const lateProbe = ignore('the answer of the probe came after it was over');
const lateExit = ignore('the stop had proved this end before it was reported');
const stoodDown = ignore('somebody else is ending it already');
const spawnIsOut = ignore('a spawn is on its way, so nothing is proved yet');
const noSpawn = impossible('no spawn was asked for');
const spawnedTwice = impossible('its one spawn was answered already');
const noProbe = impossible('no probe was started');
const noProcess = impossible('it has no process');
const ownProcess = impossible('it has a process of its own');
const endedTwice = impossible('its leader ended already');

type Row<State extends LifeKind> = {
  readonly [Event in LifeEventKind]: Move<In<State>, On<Event>>;
};

/**
 * The life of a service: what each event does in each state.
 *
 * Every field is there, the impossible ones too, so that adding a state or an event is adding a
 * row or a column and the compiler asks for each meeting of the two. Events that are news of another
 * run than the present one never get here.
 */
const LIFECYCLE: { readonly [State in LifeKind]: Row<State> } = {
  idle: {
    askedToStart: wait,
    dependenciesMet: notAsked,
    dependencyFailed: notAsked,
    spawned: noSpawn,
    spawnFailed: noSpawn,
    adopted: adopt,
    exited: lateExit,
    probeSucceeded: lateProbe,
    probeTimedOut: lateProbe,
    askedToStop: hasEnded,
    standDown: hasEnded,
    stopped: hasEnded,
  },
  waiting: {
    askedToStart: asksTwice,
    dependenciesMet: spawn,
    dependencyFailed: giveUp,
    spawned: noSpawn,
    spawnFailed: noSpawn,
    adopted: adopt,
    exited: lateExit,
    probeSucceeded: lateProbe,
    probeTimedOut: lateProbe,
    askedToStop: dropOut,
    standDown: dropOut,
    stopped: hasEnded,
  },
  spawning: {
    askedToStart: asksTwice,
    dependenciesMet: notWaiting,
    dependencyFailed: notWaiting,
    spawned: comeUp,
    spawnFailed: notSpawned,
    adopted: ownProcess,
    exited: impossible('its spawn was not answered yet'),
    probeSucceeded: noProbe,
    probeTimedOut: noProbe,
    askedToStop: cancel,
    standDown: cancel,
    stopped: spawnIsOut,
  },
  cancelling: {
    askedToStart: isStopping,
    dependenciesMet: notWaiting,
    dependencyFailed: notWaiting,
    spawned: endCancelled,
    spawnFailed: endCancelled,
    adopted: ownProcess,
    exited: impossible('its spawn was not answered yet'),
    probeSucceeded: noProbe,
    probeTimedOut: noProbe,
    askedToStop: cancelOurselves,
    standDown: stoodDown,
    stopped: spawnIsOut,
  },
  starting: {
    askedToStart: asksTwice,
    dependenciesMet: notWaiting,
    dependencyFailed: notWaiting,
    spawned: spawnedTwice,
    spawnFailed: spawnedTwice,
    adopted: ownProcess,
    exited: failToStart,
    probeSucceeded: becomeReady,
    probeTimedOut: timeOut,
    askedToStop: stop,
    standDown: letStop,
    stopped: rest,
  },
  running: {
    askedToStart: isUp,
    dependenciesMet: notWaiting,
    dependencyFailed: notWaiting,
    spawned: spawnedTwice,
    spawnFailed: spawnedTwice,
    adopted: ownProcess,
    exited: endByItself,
    probeSucceeded: noProbe,
    probeTimedOut: noProbe,
    askedToStop: stop,
    standDown: letStop,
    stopped: rest,
  },
  ready: {
    askedToStart: isUp,
    dependenciesMet: notWaiting,
    dependencyFailed: notWaiting,
    spawned: spawnedTwice,
    spawnFailed: spawnedTwice,
    adopted: ownProcess,
    exited: endByItself,
    probeSucceeded: lateProbe,
    probeTimedOut: lateProbe,
    askedToStop: stop,
    standDown: letStop,
    stopped: rest,
  },
  unhealthy: {
    askedToStart: probeAgain,
    dependenciesMet: notWaiting,
    dependencyFailed: notWaiting,
    spawned: spawnedTwice,
    spawnFailed: spawnedTwice,
    adopted: ownProcess,
    exited: failToStart,
    probeSucceeded: becomeReady,
    probeTimedOut: lateProbe,
    askedToStop: stop,
    standDown: letStop,
    stopped: rest,
  },
  exited: {
    askedToStart: wait,
    dependenciesMet: notWaiting,
    dependencyFailed: notWaiting,
    spawned: spawnedTwice,
    spawnFailed: spawnedTwice,
    adopted: impossible('what it left behind is ended before a start, not adopted'),
    exited: endedTwice,
    probeSucceeded: lateProbe,
    probeTimedOut: lateProbe,
    askedToStop: stopLeftovers,
    standDown: hasEnded,
    stopped: hasEnded,
  },
  failed: {
    askedToStart: wait,
    dependenciesMet: notWaiting,
    dependencyFailed: notWaiting,
    spawned: spawnedTwice,
    spawnFailed: spawnedTwice,
    adopted: impossible('what it left behind is ended before a start, not adopted'),
    exited: noProcess,
    probeSucceeded: lateProbe,
    probeTimedOut: lateProbe,
    askedToStop: stopLeftovers,
    standDown: hasEnded,
    stopped: hasEnded,
  },
  stopping: {
    askedToStart: isStopping,
    dependenciesMet: notWaiting,
    dependencyFailed: notWaiting,
    spawned: spawnedTwice,
    spawnFailed: spawnedTwice,
    adopted: ownProcess,
    exited: (life, event, nowMs) =>
      life.exit === null && life.leader !== null
        ? endAsAsked(life, event, nowMs)
        : endedTwice(life),
    probeSucceeded: lateProbe,
    probeTimedOut: lateProbe,
    askedToStop: stopLeftovers,
    standDown: stoodDown,
    stopped: rest,
  },
};

const otherRun = ignore('it is news of an earlier run');

/**
 * Decides what an event means for a service.
 *
 * @param nowMs  monotonic ms, as `Host.nowMs`
 * @returns the state after it and what is to be done, in order; `refusal` says why nothing happened
 */
export function lifecycle(state: Life, event: LifeEvent, nowMs: number): Step {
  if ('run' in event && event.run !== state.run) return otherRun(state);
  // The table pairs each state with its own moves; the compiler cannot follow that through a lookup.
  const move = LIFECYCLE[state.kind][event.kind] as Move;
  return move(state, event, nowMs);
}
