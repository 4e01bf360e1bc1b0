import {
  type DependencyGraph,
  stronglyConnectedComponents,
} from '../../manifest/dependency-order.ts';
import type { DependencyCondition } from '../../manifest/resolved.ts';
import type { StateKind } from './states.ts';

/**
 * Where a service stands, for those that need it. 'crashed': it failed after it was spawned. 'looping':
 * it ends again and again, and for longer than anybody can be asked to wait for it.
 */
export type Standing = StateKind | 'crashed' | 'looping';

/** What each service needs before it may be spawned: `ResolvedService.dependsOn`, by service. */
export type Needs = ReadonlyMap<string, Readonly<Record<string, DependencyCondition>>>;

/** A service that can no longer start, because something below it failed. */
export interface Blocked {
  readonly name: string;
  /** What it needs, nearest first, ending with the one that failed; long chains have a '…' inside. */
  readonly chain: readonly string[];
  /** What is wrong with the last of the chain, as in "db, which …". */
  readonly why: string;
}

export interface NextToStart {
  /** Waiting, and all that they need is there: spawn them now, side by side. */
  readonly startable: readonly string[];
  readonly blocked: readonly Blocked[];
}

/** Is the condition met in this state, can it still be, or why can it not any more? */
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
  stopping: 'is being stopped',
};

const READY: { readonly [Kind in Standing]: Outlook } = {
  ...STARTED,
  starting: 'open',
  unhealthy: 'is unhealthy',
  exited: 'has ended already',
};

const COMPLETED: { readonly [Kind in Standing]: Outlook } = {
  ...STARTED,
  starting: 'open',
  running: 'open',
  ready: 'open',
  unhealthy: 'open',
};

const OUTLOOKS: {
  readonly [Condition in DependencyCondition]: { readonly [Kind in Standing]: Outlook };
} = {
  started: STARTED,
  ready: READY,
  completed: COMPLETED,
  exited: { ...COMPLETED, crashed: 'met' },
};

const MAX_CHAIN = 6;

/**
 * Which of the waiting services may start now, and which never can.
 *
 * Services start as parallel as the graph allows: each as soon as its own needs are met, whatever
 * its neighbours do. Ask for all that a start wants before asking this, or what is not yet asked
 * for counts as lost. Linear in services and needs.
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

/** Both ends matter: what the user asked for, and what he has to repair. */
function lengthen(need: string, chain: readonly string[]): readonly string[] {
  const longer = [need, ...chain];
  if (longer.length <= MAX_CHAIN) return longer;
  return [...longer.slice(0, MAX_CHAIN - 2), '…', ...longer.slice(-1)];
}
