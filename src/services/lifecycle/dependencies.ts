import {
  type DependencyGraph,
  stronglyConnectedComponents,
} from '../../manifest/dependency-order.ts';
import type { DependencyCondition } from '../../manifest/resolved.ts';
import type { StateKind } from './states.ts';

/**
 * The state of a service, as the services that need it see it. 'crashed': it failed after it was spawned.
 * 'looping': it ends again and again, for longer than anybody can be asked to wait for it. 'recovering': it is unhealthy
 * since before this start, and may be well again soon.
 */
export type Standing = StateKind | 'crashed' | 'looping' | 'recovering';

/** The services that each service needs before it may be spawned: `ResolvedService.dependsOn`, by service. */
export type Needs = ReadonlyMap<string, Readonly<Record<string, DependencyCondition>>>;

/** A service that can no longer start, because a service that it needs has failed. */
export interface Blocked {
  readonly name: string;
  /**
   * The services between it and the fault, nearest first: the last one has failed. A long chain has a '…'
   * inside.
   */
  readonly chain: readonly string[];
  /** The fault of the last service of the chain, as in "db, which …". */
  readonly why: string;
}

/** The waiting services of which something can be said. */
export interface NextToStart {
  /** Services whose needs are all met: spawn them now, side by side. */
  readonly startable: readonly string[];
  readonly blocked: readonly Blocked[];
}

/** The outlook for a condition in one state: it is met, it is open, or the reason why it can no longer be met. */
type Outlook = 'met' | 'open' | string;

const STARTED: { readonly [Kind in Standing]: Outlook } = {
  idle: 'is not being started',
  waiting: 'open',
  spawning: 'open',
  cancelling: 'is being stopped',
  starting: 'met',
  running: 'met',
  ready: 'met',
  unhealthy: 'met',
  exited: 'met',
  failed: 'failed',
  crashed: 'failed',
  clearing: 'open',
  backoff: 'open',
  looping: 'ends again and again',
  recovering: 'met',
  stopping: 'is being stopped',
};

const READY: { readonly [Kind in Standing]: Outlook } = {
  ...STARTED,
  starting: 'open',
  unhealthy: 'is unhealthy',
  recovering: 'open',
  exited: 'has ended already',
};

const COMPLETED: { readonly [Kind in Standing]: Outlook } = {
  ...STARTED,
  starting: 'open',
  running: 'open',
  ready: 'open',
  unhealthy: 'open',
  recovering: 'open',
};

const OUTLOOKS: {
  readonly [Condition in DependencyCondition]: { readonly [Kind in Standing]: Outlook };
} = {
  started: STARTED,
  ready: READY,
  completed: COMPLETED,
  exited: { ...COMPLETED, crashed: 'met' },
};

/** Longest chain that is shown in full. */
const MAX_CHAIN = 6;

/**
 * Finds the waiting services that may start now, and those that never can.
 *
 * Services start as parallel as the graph allows: each as soon as its own needs are met, whatever its
 * neighbours do. Every service of a start must be `waiting` before this is called, because an `idle` one
 * counts as lost. Linear in services and needs.
 */
export function nextToStart(states: ReadonlyMap<string, Standing>, needs: Needs): NextToStart {
  const startable: string[] = [];
  const blocked = new Map<string, Blocked>();
  const waiting = [...states.keys()].filter((name) => states.get(name) === 'waiting');
  for (const knot of stronglyConnectedComponents(waiting, namesOf(needs))) {
    for (const name of knot) {
      if (states.get(name) !== 'waiting') continue;
      const obstacle = firstObstacle(name, states, needs, blocked);
      if (typeof obstacle === 'object') blocked.set(name, obstacle);
      else if (obstacle === 'none') startable.push(name);
    }
  }
  return { startable, blocked: [...blocked.values()] };
}

function namesOf(needs: Needs): DependencyGraph {
  return new Map([...needs].map(([name, conditions]) => [name, Object.keys(conditions)]));
}

/** Finds the first need that keeps a service from starting. */
function firstObstacle(
  name: string,
  states: ReadonlyMap<string, Standing>,
  needs: Needs,
  blocked: ReadonlyMap<string, Blocked>,
): Blocked | 'open' | 'none' {
  let open = false;
  for (const [need, condition] of Object.entries(needs.get(name) ?? {})) {
    const below = blocked.get(need);
    if (below) return { name, chain: lengthen(need, below.chain), why: below.why };
    const outlook = OUTLOOKS[condition][states.get(need) ?? 'idle'];
    if (outlook === 'open') open = true;
    else if (outlook !== 'met') return { name, chain: [need], why: outlook };
  }
  return open ? 'open' : 'none';
}

/**
 * Puts a need in front of a chain. A long chain is cut in the middle, because both ends matter: the service
 * that the user asked for, and the one that has to be repaired.
 */
function lengthen(need: string, chain: readonly string[]): readonly string[] {
  const longer = [need, ...chain];
  if (longer.length <= MAX_CHAIN) return longer;
  return [...longer.slice(0, MAX_CHAIN - 2), '…', ...longer.slice(-1)];
}
