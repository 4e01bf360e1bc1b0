import { type Problem, problem, type ValuePath } from './problem.ts';
import { entriesOf, type Tree } from './tree.ts';

/** The keys whose times are hardly ever shorter than a second. */
const LONG_TIMES: ReadonlySet<string> = new Set([
  'timeout',
  'attemptTimeout',
  'ttl',
  'window',
  'runtime',
  'idle',
  'resetAfter',
  'cpuWindow',
]);
const SHORT_TIMES: ReadonlySet<string> = new Set([
  'settle',
  'stopGrace',
  'grace',
  'interval',
  'delay',
  'backoff',
  'maxBackoff',
]);
const SHORTEST_LONG_MS = 1_000;
const SHORTEST_MS = 10;

/**
 * Finds times without a unit that were probably meant in seconds: `"timeout": 60` is 60 ms. Zero is zero in
 * every unit.
 */
export function findBareTimes(tree: Tree): Problem[] {
  return [...timesBelow(tree, [])];
}

function* timesBelow(tree: Tree, path: ValuePath): Generator<Problem> {
  for (const [key, { value }] of entriesOf(tree)) {
    const here = [...path, key];
    if (isEnvironment(here)) continue;
    if (value.kind === 'object') yield* timesBelow(value, here);
    if (value.kind !== 'scalar' || typeof value.value !== 'number') continue;
    const time = value.value;
    if (time > 0 && time < shortestOf(key)) {
      const message = `${time} without a unit is ${time} ms: write "${time}s" or "${time}ms"`;
      yield problem(value.at, here, message);
    }
  }
}

function shortestOf(key: string): number {
  if (LONG_TIMES.has(key)) return SHORTEST_LONG_MS;
  return SHORT_TIMES.has(key) ? SHORTEST_MS : 0;
}

/** Variables may have any name. */
function isEnvironment(path: ValuePath): boolean {
  const isOfService = path.length === 3 && path[0] === 'services' && path[2] === 'env';
  return isOfService || (path.length === 1 && path[0] === 'env');
}
