import { basename } from 'node:path';
import { type Port, parsePort } from '../processes/ports.ts';
import { checkContainers } from './containers/settings.ts';
import { type DependencyGraph, stronglyConnectedComponents } from './dependency-order.ts';
import { checkFolders } from './folders.ts';
import { nearest } from './nearest.ts';
import { type Position, type Problem, problem, show, type ValuePath } from './problem.ts';
import {
  entriesOf,
  itemsOf,
  keyPositionOf,
  positionOf,
  scalarOf,
  type Tree,
  valueAt,
} from './tree.ts';
import { parseSize } from './units.ts';

/**
 * Checks rules that the schema cannot see: unknown names, dependency cycles, ports given twice, missing
 * folders. It works on a tree of any shape and skips the values that the schema complains about, so that
 * problems of both kinds are reported together.
 *
 * @param root the folder of the manifest, for paths
 */
export function checkSemantics(tree: Tree, root: string): Problem[] {
  return [
    ...checkContents(tree),
    ...checkDependencies(tree),
    ...checkCycles(tree),
    ...checkTasks(tree),
    ...checkTerminals(tree),
    ...checkPorts(tree),
    ...checkReadyPorts(tree),
    ...checkGroups(tree),
    ...checkCase(tree),
    ...checkFolders(tree, root),
    ...checkLogs(tree),
    ...checkContainers(tree),
  ];
}

/** Checks that there is anything to start: services, or containers alone. */
function checkContents(tree: Tree): Problem[] {
  const services = valueAt(tree, 'services');
  const isEmpty =
    services === undefined || (services.kind === 'object' && serviceNames(tree).length === 0);
  if (tree.kind !== 'object' || !isEmpty || valueAt(tree, 'containers') !== undefined) return [];
  const how = services === undefined ? 'is missing' : 'is empty';
  const message = `${how}: name what to run, such as {"web": {"command": "npm run dev"}}`;
  return [problem(positionOf(tree, ['services']), ['services'], message)];
}

/** Checks that a task can end, and that a service can end when another service waits for its end. */
function checkTasks(tree: Tree): Problem[] {
  const find = (...path: string[]) => valueAt(tree, 'services', ...path);
  const restartsAlways = (service: string): boolean =>
    (scalarOf(find(service, 'restart')) ?? scalarOf(find(service, 'restart', 'policy'))) ===
    'always';
  return serviceNames(tree).flatMap((service) => {
    const refuse = (key: string, message: string) => {
      const path = ['services', service, key];
      return problem(keyPositionOf(tree, path), path, message);
    };
    const isTask = scalarOf(find(service, 'oneShot')) === true;
    const has = (key: string) => isTask && find(service, key) !== undefined;
    const endless = [...entriesOf(find(service, 'dependsOn'))].filter(([name, { value }]) => {
      const condition = scalarOf(value);
      return (condition === 'completed' || condition === 'exited') && restartsAlways(name);
    });
    return [
      ...(has('ready')
        ? [refuse('ready', 'does not go with oneShot: a task is done, not up')]
        : []),
      ...(has('live') ? [refuse('live', 'does not go with oneShot: a task is done, not up')] : []),
      ...(isTask && restartsAlways(service)
        ? [
            refuse(
              'restart',
              'would do the task of a oneShot for ever; "on-failure" tries it again',
            ),
          ]
        : []),
      ...endless.map(([name, { value }]) => {
        const path = ['services', service, 'dependsOn', name];
        const never = `never comes: ${show(name)} is always started again`;
        return problem(keyPositionOf(tree, path), path, `${show(scalarOf(value))} ${never}`);
      }),
    ];
  });
}

/** Refuses a terminal without keys. */
function checkTerminals(tree: Tree): Problem[] {
  return serviceNames(tree).flatMap((service) => {
    const hasTerminal = scalarOf(valueAt(tree, 'services', service, 'tty')) === true;
    const stdin = valueAt(tree, 'services', service, 'stdin');
    if (!hasTerminal || stdin === undefined || scalarOf(stdin) !== 'null') return [];
    const message = 'does not go with tty: what is typed into the terminal is its stdin';
    return [problem(stdin.at, ['services', service, 'stdin'], message)];
  });
}

/** Lists the names in the `dependsOn` of a service with their paths. `dependsOn` is a list or an object. */
function dependenciesOf(
  tree: Tree,
  service: string,
): readonly { readonly name: string; readonly path: ValuePath }[] {
  const path = ['services', service, 'dependsOn'];
  const value = valueAt(tree, ...path);
  const names = [...entriesOf(value).keys()].map((name) => ({ name, path: [...path, name] }));
  const listed = itemsOf(value).flatMap((item, index) => {
    const name = scalarOf(item);
    return typeof name === 'string' ? [{ name, path: [...path, index] }] : [];
  });
  return [...names, ...listed];
}

function serviceNames(tree: Tree): readonly string[] {
  return [...entriesOf(valueAt(tree, 'services')).keys()];
}

function checkDependencies(tree: Tree): Problem[] {
  const names = serviceNames(tree);
  const groups = entriesOf(valueAt(tree, 'groups'));
  const known = new Set(names);
  const suggest = limitedSuggestions(names);
  // Only the compose file knows its services, and a start reads it.
  const hasContainers = valueAt(tree, 'containers') !== undefined;
  return names.flatMap((service) => {
    const seen = new Set<string>();
    return dependenciesOf(tree, service).flatMap(({ name, path }) => {
      const repeated = seen.has(name);
      seen.add(name);
      const where = keyPositionOf(tree, path);
      if (repeated) return [problem(where, path, `${show(name)} is given twice`)];
      return known.has(name) || hasContainers
        ? []
        : [unknownService(where, path, name, suggest, groups.has(name))];
    });
  });
}

/** Reports one problem for each dependency cycle, at the dependency that closes it. */
function checkCycles(tree: Tree): Problem[] {
  const names = serviceNames(tree);
  const graph: DependencyGraph = new Map(
    names.map((name) => [name, dependenciesOf(tree, name).map((need) => need.name)]),
  );
  return stronglyConnectedComponents(names, graph).flatMap((component) => {
    const first = names.find((name) => component.includes(name)) ?? '';
    const cycle = shortestCycle(first, new Set(component), graph);
    const last = cycle.at(-2);
    if (last === undefined) return [];
    const closing = dependenciesOf(tree, last).find(({ name }) => name === first);
    const path = closing?.path ?? ['services', last, 'dependsOn'];
    return [problem(keyPositionOf(tree, path), path, `goes in a circle: ${shorten(cycle)}`)];
  });
}

/**
 * Finds the shortest cycle from a name through its component back to the name: `[a, b, a]`; empty when
 * there is none.
 */
function shortestCycle(
  start: string,
  component: ReadonlySet<string>,
  graph: DependencyGraph,
): string[] {
  const cameFrom = new Map<string, string>();
  const queue = [start];
  for (const name of queue) {
    for (const need of graph.get(name) ?? []) {
      if (need === start) {
        const cycle = [start];
        for (let step: string | undefined = name; step !== undefined; step = cameFrom.get(step))
          cycle.unshift(step);
        return cycle;
      }
      if (!component.has(need) || cameFrom.has(need)) continue;
      cameFrom.set(need, name);
      queue.push(need);
    }
  }
  return [];
}

function shorten(cycle: readonly string[]): string {
  const shown = cycle.length > 20 ? [...cycle.slice(0, 10), '…', ...cycle.slice(-5)] : cycle;
  return shown.join(' → ');
}

function checkPorts(tree: Tree): Problem[] {
  const owners = new Map<Port, { readonly service: string; readonly at: Position }>();
  return serviceNames(tree).flatMap((service) => {
    const path = ['services', service, 'ports'];
    const declared = valueAt(tree, ...path);
    const all: readonly (readonly [string | number, Tree])[] = [
      ...itemsOf(declared).map((item, index) => [index, item] as const),
      ...[...entriesOf(declared)].map(([name, { value }]) => [name, value] as const),
    ];
    return all.flatMap(([step, { at }]) => {
      const port = parsePort(scalarOf(valueAt(tree, ...path, step)));
      if (port === null) return [];
      const owner = owners.get(port);
      if (owner === undefined) {
        owners.set(port, { service, at });
        return [];
      }
      const message =
        owner.service === service
          ? `port ${port} is given twice`
          : `port ${port} is also a port of ${show(owner.service)} (${basename(owner.at.file)}:${owner.at.line})`;
      return [problem(at, [...path, step], message)];
    });
  });
}

/** Refuses a port that readiness is to count and that the service does not declare: nobody would look whether it is free. */
function checkReadyPorts(tree: Tree): Problem[] {
  return serviceNames(tree).flatMap((service) => {
    const declared = valueAt(tree, 'services', service, 'ports');
    const values = [
      ...itemsOf(declared),
      ...[...entriesOf(declared).values()].map((one) => one.value),
    ];
    if (values.length === 0) return [];
    const ports = new Set(values.map((value) => parsePort(scalarOf(value))));
    const path = ['services', service, 'ready', 'ports'];
    return itemsOf(valueAt(tree, ...path)).flatMap((item, index) => {
      const port = parsePort(scalarOf(item));
      if (port === null || ports.has(port)) return [];
      return [
        problem(item.at, [...path, index], `port ${port} is not in its "ports": add it there`),
      ];
    });
  });
}

function checkGroups(tree: Tree): Problem[] {
  const names = serviceNames(tree);
  const known = new Set(names);
  const suggest = limitedSuggestions(names);
  const groups = entriesOf(valueAt(tree, 'groups'));
  return [...groups].flatMap(([group, { keyAt, value }]) => {
    const nameClash = known.has(group)
      ? [problem(keyAt, ['groups', group], `is also the name of a service: a name means one thing`)]
      : [];
    const seen = new Set<string>();
    const members = itemsOf(value).flatMap((item, index) => {
      const name = scalarOf(item);
      const path = ['groups', group, index];
      if (typeof name !== 'string') return [];
      if (seen.has(name)) return [problem(item.at, path, `${show(name)} is given twice`)];
      seen.add(name);
      return known.has(name)
        ? []
        : [unknownService(item.at, path, name, suggest, groups.has(name))];
    });
    return [...nameClash, ...members];
  });
}

/**
 * Refuses names that differ in case only, because `web` and `Web` would share one record file where file
 * names ignore case, as on macOS.
 */
function checkCase(tree: Tree): Problem[] {
  const seen = new Map<string, string>();
  return serviceNames(tree).flatMap((name) => {
    const other = seen.get(name.toLowerCase());
    seen.set(name.toLowerCase(), name);
    const path = ['services', name];
    return other === undefined
      ? []
      : [problem(keyPositionOf(tree, path), path, `differs from ${show(other)} in case only`)];
  });
}

function unknownService(
  where: Problem['at'],
  path: ValuePath,
  name: string,
  suggest: (name: string) => string | null,
  isGroup: boolean,
): Problem {
  return isGroup
    ? problem(where, path, `${show(name)} is a group: name services`)
    : problem(where, path, `no service is called ${show(name)}`, suggest(name));
}

/**
 * Creates a function that suggests a name for each of the first 20 unknown names. To compare a thousand
 * wrong names with a thousand right names would take seconds.
 */
function limitedSuggestions(names: readonly string[]): (name: string) => string | null {
  let left = 20;
  return (name) => (left-- > 0 ? nearest(name, names) : null);
}

/**
 * Smallest size of a log that can be rotated, in bytes: two blocks of a disk, one to move and one to stay.
 */
const SMALLEST_LOG = 8 * 1024;

/** Refuses a `keep` without rotation, and a `maxSize` that is too small for rotation. */
function checkLogs(tree: Tree): Problem[] {
  const keep = valueAt(tree, 'logs', 'keep');
  const maxSize = valueAt(tree, 'logs', 'maxSize');
  if (keep !== undefined && maxSize === undefined) {
    const message = 'without maxSize no log is rotated, and there is nothing to keep';
    return [problem(keep.at, ['logs', 'keep'], message)];
  }
  const size = scalarOf(maxSize);
  const bytes = typeof size === 'string' || typeof size === 'number' ? parseSize(size) : null;
  if (maxSize === undefined || bytes === null || bytes >= SMALLEST_LOG) return [];
  return [problem(maxSize.at, ['logs', 'maxSize'], `must be at least "8KB", got ${show(size)}`)];
}
