import type { Sample, ServiceUse } from './samples.ts';

/** What of one process counts, in one look. */
export interface CountedProcess {
  /** Its identity, as a key. */
  readonly key: string;
  readonly service: string;
  readonly pid: number;
  readonly ppid: number;
  /** On the clock of the process table. */
  readonly startTicks: number;
  /** Its own, and of the children that it has waited for. */
  readonly cpuTicks: number;
  readonly rssBytes: number;
  /** A zombie: nothing of it is left but what it used, which nobody has waited for yet. */
  readonly gone: boolean;
}

/** One look at all processes that services have. */
export interface CountedScan {
  /** Since the epoch, in ms. */
  readonly atMs: number;
  /** The clock of the process table. */
  readonly nowTicks: number;
  readonly processes: readonly CountedProcess[];
}

/**
 * What each service uses.
 *
 * A process that has ended takes its time along, unless its parent waited for it: then the parent has all of it,
 * also what was counted before, which is left out here. So a build of ten thousand short commands counts,
 * and nothing counts twice.
 *
 * @param before null: there was none, so nothing can be said of the cpu yet
 * @param cores of the machine: no clock that is off makes more of it
 */
export function takeSample(before: CountedScan | null, now: CountedScan, cores: number): Sample {
  const spent = before ? ticksSince(before, now) : new Map<string, number>();
  const passed = before ? Math.max(1, now.nowTicks - before.nowTicks) : 1;
  // No plain object: "constructor" is a good name for a service, and every object has one.
  const services = new Map<string, ServiceUse>();
  for (const { service, rssBytes, gone } of now.processes) {
    if (gone) continue;
    const { processes, memoryBytes } = services.get(service) ?? { processes: 0, memoryBytes: 0 };
    const percent = Math.min(100 * cores, (100 * (spent.get(service) ?? 0)) / passed);
    services.set(service, {
      processes: processes + 1,
      memoryBytes: memoryBytes + rssBytes,
      cpuPercent: Math.round(10 * percent) / 10,
    });
  }
  return { atMs: now.atMs, services: Object.fromEntries(services) };
}

/** By service. */
function ticksSince(before: CountedScan, now: CountedScan): ReadonlyMap<string, number> {
  const earlier = new Map(before.processes.map((one) => [one.key, one]));
  const here = new Set(now.processes.map(({ key }) => key));
  const inherited = ticksOfTheDead(before, here);
  const spent = new Map<string, number>();
  for (const { key, service, cpuTicks, startTicks } of now.processes) {
    const known = earlier.get(key);
    // One that is older and was not seen as ours has used what it has used before.
    const from = known ? known.cpuTicks : startTicks >= before.nowTicks ? 0 : cpuTicks;
    const ticks = Math.max(0, cpuTicks - from - (inherited.get(key) ?? 0));
    spent.set(service, (spent.get(service) ?? 0) + ticks);
  }
  return spent;
}

/** What those that have ended since had used then, by the nearest above them that has not. */
function ticksOfTheDead(
  before: CountedScan,
  here: ReadonlySet<string>,
): ReadonlyMap<string, number> {
  const byPid = new Map(before.processes.map((one) => [one.pid, one]));
  const inherited = new Map<string, number>();
  for (const dead of before.processes) {
    if (here.has(dead.key)) continue;
    let above = byPid.get(dead.ppid);
    // A table that is read while it changes may show a circle.
    for (let steps = 0; above && !here.has(above.key); steps += 1) {
      above = steps < byPid.size ? byPid.get(above.ppid) : undefined;
    }
    if (above) inherited.set(above.key, (inherited.get(above.key) ?? 0) + dead.cpuTicks);
  }
  return inherited;
}

/** Of all services together, in percent of one core: below this nothing moves. */
const STILL_PERCENT = 5;
/** What has grown or shrunk by less of itself, or by less than so many bytes, has not moved. */
const STILL_SHARE = 0.05;
const STILL_BYTES = 8 * 1024 * 1024;

/** Is something going on that is worth a closer look? */
export function isMoving(before: Sample | null, now: Sample): boolean {
  const [was, is] = [totalOf(before), totalOf(now)];
  const grown = Math.abs(is.memoryBytes - was.memoryBytes);
  return (
    is.processes !== was.processes ||
    is.cpuPercent >= STILL_PERCENT ||
    (grown >= STILL_BYTES && grown >= STILL_SHARE * was.memoryBytes)
  );
}

/** All services together. */
export function totalOf(sample: Sample | null): ServiceUse {
  const total = { processes: 0, memoryBytes: 0, cpuPercent: 0 };
  for (const use of Object.values(sample?.services ?? {})) {
    total.processes += use.processes;
    total.memoryBytes += use.memoryBytes;
    total.cpuPercent += use.cpuPercent;
  }
  return total;
}
