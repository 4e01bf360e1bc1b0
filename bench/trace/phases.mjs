// Sums up the notes of a traced process by phase.

/**
 * The phases of a command, in their order.
 *
 * - boot: from the spawn until Node runs its first line; of the supervisor with the shell that starts it
 * - load: the code, until the process first touches the project, a process or a terminal
 * - look: before the first signal, all work up to the last read of /proc
 * - signal: from one signal to the next, without looks
 * - prove: after the first signal, all work up to the last read of /proc
 * - spawn: services, tools and the supervisor
 * - report: work after the last look, to the exit
 * - wait: the event loop had nothing to do: a grace period, or the answer of another process
 */
export const PHASES = ['boot', 'load', 'look', 'signal', 'prove', 'spawn', 'report', 'wait'];

/**
 * @param line one process: { role, bootedAt, preloadedAt, notes }
 * @param window { from, to }: what was before and after it does not count
 * @param spawnedAt when the process was spawned; null for one that was there before the window
 */
export function phasesOf({ bootedAt, preloadedAt, notes }, { from, to }, spawnedAt) {
  const ms = Object.fromEntries(PHASES.map((name) => [name, 0]));
  const counts = { looks: 0, reads: 0, signals: 0, spawns: 0 };
  const inside = notes.filter(([, begin]) => begin >= from && begin <= to);
  const isNew = spawnedAt !== null;
  if (isNew) ms.boot = bootedAt - spawnedAt;
  const before = notes.findLast(([, begin]) => begin < from);
  let last = isNew ? preloadedAt : from;
  let idle = isNew ? 0 : (before?.[3] ?? 0);
  let hasSignalled = false;
  let isLoaded = !isNew;
  const lastRead = inside.findLastIndex(([kind]) => kind === 'look' || kind === 'read');
  for (const [index, [kind, , end, idleSoFar, count]] of inside.entries()) {
    // The first wait of a process that was there before has begun long before.
    const waited = Math.min(idleSoFar - idle, end - last);
    ms.wait += waited;
    const phase = phaseOf({ kind, isLoaded, hasSignalled, isAfterReads: index > lastRead });
    ms[phase] += Math.max(0, end - last - waited);
    idle = idleSoFar;
    last = end;
    isLoaded = true;
    if (kind === 'signal') hasSignalled = true;
    if (kind === 'look') counts.looks += count;
    if (kind === 'read') counts.reads += count;
    if (kind === 'signal') counts.signals += count;
    if (kind.startsWith('spawn')) counts.spawns += count;
  }
  if (to > last) ms[isNew && inside.at(-1)?.[0] === 'exit' ? 'report' : 'wait'] += to - last;
  return { ms, counts };
}

function phaseOf({ kind, isLoaded, hasSignalled, isAfterReads }) {
  if (!isLoaded) return 'load';
  if (kind === 'signal') return 'signal';
  if (kind.startsWith('spawn')) return 'spawn';
  if (isAfterReads) return 'report';
  return hasSignalled ? 'prove' : 'look';
}
