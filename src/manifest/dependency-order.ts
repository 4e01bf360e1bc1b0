/**
 * The names that each name depends on. A name without an entry depends on nothing, so a graph made from a
 * few records works too.
 */
export type DependencyGraph = ReadonlyMap<string, readonly string[]>;

/** Names in groups, earlier groups first. All names of one group may be handled at the same time. */
export type Waves = readonly (readonly string[])[];

/**
 * Finds the strongly connected components among `names` and everything they depend on. A component is one
 * name, or several names that depend on each other in a cycle. It comes after the components that it
 * depends on.
 *
 * This is Tarjan's algorithm with an explicit stack, because a chain of 10,000 services must not overflow
 * the call stack. The time is linear in nodes and edges. The result does not depend on the order of
 * `names`.
 */
export function stronglyConnectedComponents(
  names: Iterable<string>,
  graph: DependencyGraph,
): Waves {
  const components: string[][] = [];
  const marks = new Map<string, { readonly order: number; low: number; open: boolean }>();
  const open: string[] = [];

  for (const root of sorted(names)) {
    const path: { name: string; needs: readonly string[]; next: number }[] = [];
    const visit = (name: string): void => {
      marks.set(name, { order: marks.size, low: marks.size, open: true });
      open.push(name);
      path.push({ name, needs: sorted(graph.get(name) ?? []), next: 0 });
    };
    if (!marks.has(root)) visit(root);

    for (let step = path.at(-1); step; step = path.at(-1)) {
      const mark = marks.get(step.name);
      if (!mark) break;
      const need = step.needs[step.next];
      if (need !== undefined) {
        step.next += 1;
        const seen = marks.get(need);
        if (!seen) visit(need);
        else if (seen.open) mark.low = Math.min(mark.low, seen.order);
        continue;
      }
      path.pop();
      const caller = path.at(-1);
      const above = caller && marks.get(caller.name);
      if (above) above.low = Math.min(above.low, mark.low);
      if (mark.low === mark.order) components.push(popComponent(step.name, open, marks));
    }
  }
  return components;
}

/**
 * Groups `names` for a stop: dependents come before the names that they depend on.
 *
 * Only `names` are in the result, but the path between two of them may lead over other names. Names in a
 * cycle have no right order, so they share a group.
 */
export function stopWaves(names: Iterable<string>, graph: DependencyGraph): Waves {
  const wanted = new Set(names);
  const depth = new Map<string, number>();
  // Dependents come first, so a component has its final depth when the loop reaches it.
  for (const component of stronglyConnectedComponents(wanted, graph).toReversed()) {
    const own = Math.max(...component.map((name) => depth.get(name) ?? 0));
    const below = own + (component.some((name) => wanted.has(name)) ? 1 : 0);
    for (const name of component) depth.set(name, own);
    for (const need of needsOutside(component, graph)) {
      depth.set(need, Math.max(depth.get(need) ?? 0, below));
    }
  }
  return groupByDepth(wanted, depth);
}

function popComponent(
  root: string,
  open: string[],
  marks: ReadonlyMap<string, { open: boolean }>,
): string[] {
  const component = open.splice(open.lastIndexOf(root));
  for (const name of component) {
    const mark = marks.get(name);
    if (mark) mark.open = false;
  }
  return sorted(component);
}

function* needsOutside(component: readonly string[], graph: DependencyGraph): Generator<string> {
  const inside = new Set(component);
  for (const name of component) {
    for (const need of graph.get(name) ?? []) if (!inside.has(need)) yield need;
  }
}

function groupByDepth(names: Iterable<string>, depth: ReadonlyMap<string, number>): Waves {
  const waves = new Map<number, string[]>();
  for (const name of sorted(names)) {
    const wave = depth.get(name) ?? 0;
    const members = waves.get(wave);
    if (members) members.push(name);
    else waves.set(wave, [name]);
  }
  return [...waves.keys()].sort((a, b) => a - b).map((wave) => waves.get(wave) ?? []);
}

function sorted(names: Iterable<string>): string[] {
  return [...new Set(names)].sort();
}
