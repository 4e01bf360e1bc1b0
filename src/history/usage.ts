import type { Sample, ServiceUse } from './samples.ts';

/** One process of a scan, with the fields that count. */
export interface CountedProcess {
  /** Its identity key. */
  readonly key: string;
  readonly service: string;
  readonly pid: number;
  readonly ppid: number;
  /** On the clock of the process table. */
  readonly startTicks: number;
  /** Processor time of the process, and of the children that it has waited for. */
  readonly cpuTicks: number;
  readonly rssBytes: number;
  /** True for a zombie: only its processor time is left, and its parent has not waited for it yet. */
  readonly gone: boolean;
}

/** All processes of services in one scan. */
export interface CountedScan {
  /** Since the epoch, in ms. */
  readonly atMs: number;
  /** On the clock of the process table. */
  readonly nowTicks: number;
  readonly processes: readonly CountedProcess[];
}

/**
 * Computes the use of each service from two scans in a row.
 *
 * When a process ends and its parent waits for it, all of its processor time moves to the parent, also the
 * part that was counted before. That part is left out here. So a build of ten thousand short commands counts,
 * and nothing counts twice.
 *
 * @param before null: there was no earlier scan, so nothing is known of the processor yet
 * @param cores number of cores of the machine, the upper bound when a clock is off
 */
export function takeSample(before: CountedScan | null, now: CountedScan, cores: number): Sample {
  const spent = before ? ticksSince(before, now) : new Map<string, number>();
  const passed = before ? Math.max(1, now.nowTicks - before.nowTicks) : 1;
  // No plain object: a service may be called "constructor", which every object has.
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

/** Counts the ticks of processor time since the scan before, by service. */
function ticksSince(before: CountedScan, now: CountedScan): ReadonlyMap<string, number> {
  const earlier = new Map(before.processes.map((counted) => [counted.key, counted]));
  const here = new Set(now.processes.map(({ key }) => key));
  const inherited = ticksOfTheDead(before, here);
  const spent = new Map<string, number>();
  for (const { key, service, cpuTicks, startTicks } of now.processes) {
    const known = earlier.get(key);
    // An older process that was not ours in the scan before used its time before it became ours.
    const from = known ? known.cpuTicks : startTicks >= before.nowTicks ? 0 : cpuTicks;
    const ticks = Math.max(0, cpuTicks - from - (inherited.get(key) ?? 0));
    spent.set(service, (spent.get(service) ?? 0) + ticks);
  }
  return spent;
}

/**
 * Counts the ticks that ended processes had used in the scan before, by the key of their nearest living
 * ancestor.
 */
function ticksOfTheDead(
  before: CountedScan,
  here: ReadonlySet<string>,
): ReadonlyMap<string, number> {
  const byPid = new Map(before.processes.map((counted) => [counted.pid, counted]));
  const inherited = new Map<string, number>();
  for (const dead of before.processes) {
    if (here.has(dead.key)) continue;
    let above = byPid.get(dead.ppid);
    // A table that changes while it is read may show a circle.
    for (let steps = 0; above && !here.has(above.key); steps += 1) {
      above = steps < byPid.size ? byPid.get(above.ppid) : undefined;
    }
    if (above) inherited.set(above.key, (inherited.get(above.key) ?? 0) + dead.cpuTicks);
  }
  return inherited;
}

/** Use of all services together, in percent of one core, below which they count as still. */
const STILL_PERCENT = 5;
/** Change of the memory, as a share of it and in bytes, below which services count as still. */
const STILL_SHARE = 0.05;
const STILL_BYTES = 8 * 1024 * 1024;

/** Tells whether the use of services changes, so that samples should come more often. */
export function isMoving(before: Sample | null, now: Sample): boolean {
  const [was, is] = [totalOf(before), totalOf(now)];
  const grown = Math.abs(is.memoryBytes - was.memoryBytes);
  return (
    is.processes !== was.processes ||
    is.cpuPercent >= STILL_PERCENT ||
    (grown >= STILL_BYTES && grown >= STILL_SHARE * was.memoryBytes)
  );
}

/** Sums up the use of all services. */
export function totalOf(sample: Sample | null): ServiceUse {
  const total = { processes: 0, memoryBytes: 0, cpuPercent: 0 };
  for (const use of Object.values(sample?.services ?? {})) {
    total.processes += use.processes;
    total.memoryBytes += use.memoryBytes;
    total.cpuPercent += use.cpuPercent;
  }
  return total;
}
