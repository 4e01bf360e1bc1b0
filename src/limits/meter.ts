import type { Limit } from '../manifest/resolved.ts';
import type { Claim } from '../ownership/claim.ts';
import { describeCommand } from '../processes/describe.ts';
import { readPss } from '../processes/linux/shared-memory.ts';
import type { ProcessInfo, Snapshot } from '../processes/snapshot.ts';
import type { Breach, BreachBranch } from './breach.ts';
import {
  type Exceeded,
  evaluateLimits,
  type LimitedUse,
  type LimitMemory,
  nextDueMs,
} from './evaluate.ts';
import { growthBranch } from './growth-branch.ts';

/** The use of a process tree that its processes do not show by themselves. */
export interface TreeUse {
  /** Since the sample before, in percent of one core. */
  readonly cpuPercent: number;
  readonly runtimeMs: number;
  /** A text that changes whenever there is output; null when no limit needs it. */
  readonly output: string | null;
}

/** The result of one measurement. */
export interface MeterReading {
  /** All limits that are exceeded. */
  readonly breaches: readonly Breach[];
  /** The breaches that are news. */
  readonly fresh: readonly Breach[];
}

/** Measures one run, or a project, against its limits, from sample to sample. */
export interface LimitMeter {
  /**
   * Measures once.
   *
   * @param claims all processes of the run, or of the project
   */
  measure(
    limits: readonly Limit[],
    claims: readonly Claim[],
    snapshot: Snapshot,
    use: TreeUse,
  ): MeterReading;
  /** Tells whether a limit with an action is so near that the next sample should come sooner. */
  isNear(): boolean;
}

/** Refresh a recorded breach when its value has grown by a quarter. */
const GROWN = 1.25;
/** Share of each of its limits up to which a tree is as it should be. */
const CALM_SHARE = 0.5;
/** Share of a limit from which on it is near. */
const NEAR_SHARE = 0.8;
/** A limit of time that is reached within this time is near. */
const NEAR_MS = 6_000;

/**
 * Creates the meter of a run.
 *
 * @param service null: all services of the project together
 */
export function createLimitMeter(service: string | null): LimitMeter {
  return new Meter(service);
}

class Meter implements LimitMeter {
  readonly #service: string | null;
  readonly #measureMemory = createMemoryMeter();
  #memory: LimitMemory | null = null;
  /**
   * The tree when it last was as it should be; growth is measured from there. Empty at first, because the first
   * sample may have come when nearly all processes were there.
   */
  #calmTree: readonly ProcessInfo[] = [];
  #breaches: readonly Breach[] = [];
  #isNear = false;

  constructor(service: string | null) {
    this.#service = service;
  }

  measure(
    limits: readonly Limit[],
    claims: readonly Claim[],
    snapshot: Snapshot,
    use: TreeUse,
  ): MeterReading {
    const processes = claims.map(({ process }) => process);
    const memory = this.#measureMemory(processes, limits, snapshot);
    const now: LimitedUse = {
      ...use,
      nowMs: snapshot.takenAtMs,
      processes: processes.length,
      memoryBytes: memory.bytes,
    };
    const { memory: next, exceeded } = evaluateLimits(this.#memory, limits, now);
    this.#memory = next;
    const isCalm = limits.every((limit) => shareOf(limit, now) <= CALM_SHARE);
    if (isCalm) this.#calmTree = processes;
    this.#isNear = isNearAny(next, limits, now);
    return this.#read(exceeded, { before: this.#calmTree, claims, snapshot, memory });
  }

  isNear(): boolean {
    return this.#isNear;
  }

  /** Turns the exceeded limits into breaches. A breach that has hardly grown stays as it was recorded. */
  #read(exceeded: readonly Exceeded[], scene: Scene): MeterReading {
    const fresh: Breach[] = [];
    this.#breaches = exceeded.map((excess) => {
      const recorded = this.#breaches.find(({ limit }) => limit === excess.limit.kind);
      if (recorded && !excess.fresh && excess.value < recorded.value * GROWN) return recorded;
      const breach = this.#toBreach(excess, scene);
      if (excess.fresh) fresh.push(breach);
      return recorded && !excess.fresh ? { ...breach, atMs: recorded.atMs } : breach;
    });
    return { breaches: this.#breaches, fresh };
  }

  #toBreach({ limit, value }: Exceeded, scene: Scene): Breach {
    return {
      service: this.#service,
      limit: limit.kind,
      value: limit.kind === 'cpu' ? value : Math.round(value),
      allowed: limit.allowed,
      action: limit.action,
      measuredAs: limit.kind === 'memory' ? scene.memory.as : null,
      branch: branchOf(limit, scene),
      atMs: Date.now(),
    };
  }
}

/** Tells whether any limit with an action is near. */
function isNearAny(memory: LimitMemory, limits: readonly Limit[], now: LimitedUse): boolean {
  const acting = limits.filter(({ action }) => action !== 'warn');
  if (acting.some((limit) => shareOf(limit, now) >= NEAR_SHARE)) return true;
  return (nextDueMs(memory, acting, now) ?? NEAR_MS) < NEAR_MS;
}

/** Returns the share of a limit that is used; 0 for a limit of time. */
function shareOf({ kind, allowed }: Limit, now: LimitedUse): number {
  if (kind === 'processes') return now.processes / allowed;
  if (kind === 'memory') return now.memoryBytes / allowed;
  return kind === 'cpu' ? now.cpuPercent / allowed : 0;
}

/** The processes of one measurement, in which a grown branch is searched. */
interface Scene {
  /** The same tree when all was well. */
  readonly before: readonly ProcessInfo[];
  readonly claims: readonly Claim[];
  readonly snapshot: Snapshot;
  readonly memory: Memory;
}

/** Finds the branch of a tree that has exceeded a limit; null for a limit of time. */
function branchOf(
  { kind }: Limit,
  { before, claims, snapshot, memory }: Scene,
): BreachBranch | null {
  if (kind === 'runtime' || kind === 'idle') return null;
  const processes = claims.map(({ process }) => process);
  const branch = growthBranch(before, processes, kind, memory.of);
  if (!branch) return null;
  const { top } = branch;
  return {
    pid: top.identity.pid,
    command: describeCommand(snapshot, top),
    processes: branch.processes,
    memoryBytes: branch.memoryBytes,
    service: claims.find(({ process }) => process === top)?.service ?? null,
  };
}

/** The memory of a process tree. */
interface Memory {
  readonly bytes: number;
  /** 'pss' counts a page that processes share once, 'rss' counts it for each process. */
  readonly as: 'rss' | 'pss';
  /** Returns the memory of one process in bytes. */
  readonly of: (process: ProcessInfo) => number;
}

/** PSS is read again only when RSS has grown by this share, or when this time has passed. */
const READ_AGAIN_SHARE = 1.05;
const READ_AGAIN_MS = 10_000;

/**
 * Creates the meter of a tree's memory. It reads RSS, and PSS only when RSS exceeds the limit: RSS is never less
 * than PSS, and PSS costs far more to read.
 */
function createMemoryMeter() {
  let last: { readonly memory: Memory; readonly rss: number; readonly atMs: number } | null = null;

  return (processes: readonly ProcessInfo[], limits: readonly Limit[], at: Snapshot): Memory => {
    const rss = processes.reduce((sum, { rssBytes }) => sum + rssBytes, 0);
    const ofRss: Memory = { bytes: rss, as: 'rss', of: ({ rssBytes }) => rssBytes };
    const allowed = limits.find(({ kind }) => kind === 'memory')?.allowed;
    if (allowed === undefined || rss <= allowed) return ofRss;
    const isRecent = last !== null && at.takenAtMs - last.atMs < READ_AGAIN_MS;
    if (last && isRecent && rss <= last.rss * READ_AGAIN_SHARE) return last.memory;
    const memory = readSharedMemory(processes) ?? ofRss;
    last = { memory, rss, atMs: at.takenAtMs };
    return memory;
  };
}

/** Reads the PSS of a tree; null when it cannot be read for every process. */
function readSharedMemory(processes: readonly ProcessInfo[]): Memory | null {
  const shares = new Map<number, number>();
  for (const { identity } of processes) {
    const pss = readPss(identity.pid);
    if (pss === null) return null;
    shares.set(identity.pid, pss);
  }
  const bytes = [...shares.values()].reduce((sum, pss) => sum + pss, 0);
  return { bytes, as: 'pss', of: ({ identity, rssBytes }) => shares.get(identity.pid) ?? rssBytes };
}
