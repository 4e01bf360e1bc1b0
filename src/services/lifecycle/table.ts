/*
 * The files of this folder, which decide what a service does next:
 *
 *   table           state × event → next state and effects: every combination
 *   states          the states, with their data
 *   events          the events, and the effects that the supervisor carries out
 *   moves           the decisions of starting, stopping and being ready
 *   ends            the decisions at the end of a run
 *   restart-policy  whether and when a service that has ended is started again
 *   dependencies    which waiting services may start
 *   settle          how long a service must live to count as up
 */
import {
  beginPause,
  endByItself,
  endCleared,
  endUnhealthy,
  exceedLimit,
  failToSpawn,
  failToStart,
  loseHealth,
  loseTerminal,
  resumeRestart,
  timeOut,
} from './ends.ts';
import type { LifecycleEvent, LifecycleEventKind, LifecycleInput, Step } from './events.ts';
import {
  adoptRun,
  becomeIdle,
  becomeReady,
  beginSpawn,
  beginStopping,
  beginWaiting,
  cancelSpawn,
  cancelSpawnAgain,
  cancelStart,
  completeSpawn,
  endCancelled,
  endStopped,
  exitWhileStopping,
  failDependency,
  failStuck,
  followDaemon,
  handOver,
  handOverStop,
  type In,
  ignore,
  ignoreLateEnd,
  impossible,
  type Move,
  type On,
  probeAgain,
  regainHealth,
  restoreDone,
  startAgain,
  stopAgain,
  tellNews,
} from './moves.ts';
import type { LifecycleState, StateKind } from './states.ts';

const notAsked = ignore('it was not asked to start');
const asksTwice = ignore('it was asked to start already');
const isUp = ignore('it is up already');
const isStopping = ignore('it is being stopped: ask again when that is done');
const notWaiting = ignore('it does not wait for dependencies any more');
const hasEnded = ignore('nothing of it runs');
const lateProbe = ignore('the answer of the probe came after it was over');
const lateLimit = ignore('it is not up any more');
const latePause = ignore('the pause was over already');
const lateExit = ignore('the stop had proved this end before it was reported');
const spawnIsOut = ignore('a spawn is on its way, so nothing is proved yet');
const notStuck = ignore('nothing of it is being ended any more');
const isKnown = ignore('it has a life here already');
const noSpawn = impossible('no spawn was asked for');
const spawnedTwice = impossible('its one spawn was answered already');
const noProbe = impossible('no probe was started');
const ownProcess = impossible('it has a process of its own');
const hasLeftovers = impossible('what it left behind is ended before a start, not adopted');
const endedTwice = impossible('its leader ended already');

type Row<State extends StateKind> = {
  readonly [Event in LifecycleEventKind]: Move<In<State>, On<Event>>;
};

/** Events that come too late in every state that does not wait for them. */
const LATE = {
  recalled: isKnown,
  interrupted: isKnown,
  noticed: lateProbe,
  daemonized: ignore('it does not run any more'),
  probeSucceeded: lateProbe,
  probeTimedOut: lateProbe,
  healthLost: lateProbe,
  healthRegained: lateProbe,
  limitPassed: lateLimit,
  terminalLost: lateLimit,
  pauseOver: latePause,
  stuck: notStuck,
};

/** Events before a spawn was asked for. */
const UNSPAWNED = { ...LATE, spawned: noSpawn, spawnFailed: noSpawn, exited: lateExit };

/** Events from the order to spawn on. */
const SPAWNED = {
  ...LATE,
  dependenciesMet: notWaiting,
  dependencyFailed: notWaiting,
  spawned: spawnedTwice,
  spawnFailed: spawnedTwice,
  adopted: ownProcess,
};

/** Events until the spawn is answered. */
const UNANSWERED = {
  ...SPAWNED,
  exited: impossible('its spawn was not answered yet'),
  probeSucceeded: noProbe,
  probeTimedOut: noProbe,
  stopped: spawnIsOut,
};

/** Events while the leader is alive. */
const ALIVE = {
  ...SPAWNED,
  daemonized: followDaemon,
  limitPassed: exceedLimit,
  terminalLost: loseTerminal,
  askedToStop: beginStopping,
  standDown: handOver,
  stopped: becomeIdle,
};

/** Events after a run has ended by itself. */
const ENDED = {
  ...SPAWNED,
  adopted: hasLeftovers,
  askedToStop: beginStopping,
  standDown: hasEnded,
  stopped: becomeIdle,
};

/**
 * The lifecycle of a service: the decision for each event in each state.
 *
 * Every combination is there, the impossible ones too. So a new state is a new row, a new event is a new
 * column, and the compiler asks for each combination. News of another run than the present one never gets
 * here.
 */
const LIFECYCLE: { readonly [State in StateKind]: Row<State> } = {
  idle: {
    ...UNSPAWNED,
    askedToStart: beginWaiting,
    dependenciesMet: notAsked,
    dependencyFailed: notAsked,
    adopted: adoptRun,
    recalled: restoreDone,
    interrupted: resumeRestart,
    askedToStop: hasEnded,
    standDown: hasEnded,
    stopped: hasEnded,
  },
  waiting: {
    ...UNSPAWNED,
    askedToStart: asksTwice,
    dependenciesMet: beginSpawn,
    dependencyFailed: failDependency,
    adopted: adoptRun,
    askedToStop: cancelStart,
    standDown: cancelStart,
    stopped: hasEnded,
  },
  spawning: {
    ...UNANSWERED,
    askedToStart: asksTwice,
    spawned: completeSpawn,
    spawnFailed: failToSpawn,
    askedToStop: cancelSpawn,
    standDown: cancelSpawn,
  },
  cancelling: {
    ...UNANSWERED,
    askedToStart: isStopping,
    spawned: endCancelled,
    spawnFailed: endCancelled,
    askedToStop: cancelSpawnAgain,
    standDown: cancelSpawnAgain,
  },
  starting: {
    ...ALIVE,
    askedToStart: asksTwice,
    exited: failToStart,
    noticed: tellNews,
    probeSucceeded: becomeReady,
    probeTimedOut: timeOut,
  },
  running: {
    ...ALIVE,
    askedToStart: isUp,
    exited: endByItself,
    probeSucceeded: noProbe,
    probeTimedOut: noProbe,
    healthLost: loseHealth,
  },
  ready: { ...ALIVE, askedToStart: isUp, exited: endByItself, healthLost: loseHealth },
  unhealthy: {
    ...ALIVE,
    askedToStart: probeAgain,
    exited: endUnhealthy,
    probeSucceeded: becomeReady,
    healthLost: loseHealth,
    healthRegained: regainHealth,
  },
  exited: { ...ENDED, askedToStart: startAgain, exited: endedTwice },
  failed: { ...ENDED, askedToStart: beginWaiting, exited: ignoreLateEnd },
  clearing: {
    ...SPAWNED,
    askedToStart: (state) => ({ state: { ...state, wanted: true }, effects: [], refusal: null }),
    exited: (state, event, now) =>
      state.leader === null ? endedTwice(state) : endCleared(state, event, now),
    askedToStop: beginStopping,
    standDown: handOver,
    stopped: beginPause,
    stuck: failStuck,
  },
  backoff: {
    ...SPAWNED,
    askedToStart: beginWaiting,
    exited: lateExit,
    pauseOver: beginSpawn,
    askedToStop: beginStopping,
    standDown: handOver,
    stopped: becomeIdle,
    stuck: failStuck,
  },
  stopping: {
    ...SPAWNED,
    askedToStart: isStopping,
    exited: (state, event, now) =>
      state.exit === null && state.leader !== null
        ? exitWhileStopping(state, event, now)
        : endedTwice(state),
    askedToStop: stopAgain,
    standDown: handOverStop,
    stopped: endStopped,
    stuck: failStuck,
  },
};

const otherRun = ignore('it is news of an earlier run');

/**
 * Decides what an event means for a service.
 *
 * @returns the next state and the effects, in order; `refusal` says why nothing happened
 */
export function lifecycle(state: LifecycleState, event: LifecycleEvent, now: LifecycleInput): Step {
  if ('run' in event && event.run !== state.run) return otherRun(state);
  // The table pairs each state with its own moves; the compiler cannot follow that through a lookup.
  const move = LIFECYCLE[state.kind][event.kind] as Move;
  return move(state, event, now);
}
