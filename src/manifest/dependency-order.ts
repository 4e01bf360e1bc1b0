/**
 * Who depends on whom, by name. A name that is needed but is no key is a node without needs
 * of its own, so graphs that were put together from a few records work too.
 */
export type DependencyGraph = ReadonlyMap<string, readonly string[]>;

/** Names grouped so that everything in one wave may be done at the same time, earlier waves first. */
export type Waves = readonly (readonly string[])[];

/**
 * `names` and all they depend on, in knots: a knot is one name, or several that depend on each
 * other in a circle. A knot comes after all that it depends on.
 *
 * Tarjan's algorithm, with a stack of its own: a chain of 10,000 services must not overflow the
 * call stack. Linear in nodes and edges; the answer depends on the names alone, not on their order.
 */
export function knots(names: Iterable<string>, graph: DependencyGraph): Waves {
  const found: string[][] = [];
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
      if (mark.low === mark.order) found.push(untie(step.name, open, marks));
    }
  }
  return found;
}

/**
 * In which order to stop: dependents before what they depend on.
 *
 * Only `names` are in the answer, but the way between two of them may lead over others. Names that
 * depend on each other in a circle have no right order and are stopped side by side.
 */
export function stopWaves(names: Iterable<string>, graph: DependencyGraph): Waves {
  const wanted = new Set(names);
  const depth = new Map<string, number>();
  // Dependents first: by the time a knot is reached, all that depend on it have pushed it down.
  for (const knot of knots(wanted, graph).toReversed()) {
    const own = Math.max(...knot.map((name) => depth.get(name) ?? 0));
    const below = own + (knot.some((name) => wanted.has(name)) ? 1 : 0);
    for (const name of knot) depth.set(name, own);
    for (const need of outside(knot, graph)) {
      depth.set(need, Math.max(depth.get(need) ?? 0, below));
    }
  }
  return inWaves(wanted, depth);
}

function untie(
  root: string,
  open: string[],
  marks: ReadonlyMap<string, { open: boolean }>,
): string[] {
  const knot = open.splice(open.lastIndexOf(root));
  for (const name of knot) {
    const mark = marks.get(name);
    if (mark) mark.open = false;
  }
  return sorted(knot);
}

function* outside(knot: readonly string[], graph: DependencyGraph): Generator<string> {
  const inside = new Set(knot);
  for (const name of knot) {
    for (const need of graph.get(name) ?? []) if (!inside.has(need)) yield need;
  }
}

function inWaves(names: Iterable<string>, depth: ReadonlyMap<string, number>): Waves {
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
