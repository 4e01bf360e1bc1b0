import type { Limit } from '../manifest/resolved.ts';
import type { Claim } from '../ownership/claim.ts';
import { describeCommand } from '../processes/describe.ts';
import { readPss } from '../processes/linux/shared-memory.ts';
import type { ProcessInfo, Snapshot } from '../processes/snapshot.ts';
import {
  type Breach,
  type BreachBranch,
  type Exceeded,
  evaluateLimits,
  type LimitMemory,
  nextDueMs,
} from './evaluate.ts';
import { growthBranch } from './growth-branch.ts';

/** What a tree used that somebody has put limits on, beside what its processes show. */
export interface TreeUse {
  /** Since the sample before, in percent of one core. */
  readonly cpuPercent: number;
  readonly runtimeMs: number;
  /** Changes whenever there is output; null where nobody looks for it. */
  readonly output: string | null;
}

export interface MeterReading {
  /** All limits that are exceeded. */
  readonly breaches: readonly Breach[];
  /** Those of them that are news. */
  readonly fresh: readonly Breach[];
}

/** One run under its limits, from look to look. */
export interface LimitMeter {
  measure(
    limits: readonly Limit[],
    claims: readonly Claim[],
    snapshot: Snapshot,
    use: TreeUse,
  ): MeterReading;
  /** Is it so near to a limit that ends it that it should be looked at more often? */
  isNear(): boolean;
}

/** What is exceeded by so much more than was told is told anew where it is looked up. */
const GROWN = 1.25;
/** With less than this share of each of its limits a tree is as it should be. */
const CALM_SHARE = 0.5;
const NEAR_SHARE = 0.8;
/** A limit of time that is reached within this time is near. */
const NEAR_MS = 6_000;

/** @param service null: the project */
export function createLimitMeter(service: string | null): LimitMeter {
  let limitMemory: LimitMemory | null = null;
  // How it began is no measure: the first look may have come when nearly everything was there.
  let calm: readonly ProcessInfo[] = [];
  let breaches: readonly Breach[] = [];
  let near = false;
  const measureMemory = createMemoryMeter();

  return {
    measure(limits, claims, snapshot, use) {
      const processes = claims.map(({ process }) => process);
      const memory = measureMemory(processes, limits, snapshot);
      const now = {
        ...use,
        nowMs: snapshot.takenAtMs,
        processes: processes.length,
        memoryBytes: memory.bytes,
      };
      const { memory: next, exceeded } = evaluateLimits(limitMemory, limits, now);
      limitMemory = next;
      const shares = limits.map((limit) => shareOf(limit, now));
      if (shares.every((share) => share <= CALM_SHARE)) calm = processes;
      const ending = limits.filter(({ action }) => action !== 'warn');
      const isNearOne = ending.some((limit) => shareOf(limit, now) >= NEAR_SHARE);
      near = isNearOne || (nextDueMs(next, ending, now) ?? NEAR_MS) < NEAR_MS;

      const before = calm;
      const toBreach = ({ limit, value }: Exceeded): Breach => ({
        service,
        limit: limit.kind,
        value: limit.kind === 'cpu' ? value : Math.round(value),
        allowed: limit.allowed,
        action: limit.action,
        measuredAs: limit.kind === 'memory' ? memory.as : null,
        branch: branchOf(limit, { before, claims, snapshot, memoryOf: memory.of }),
        atMs: Date.now(),
      });
      const fresh: Breach[] = [];
      breaches = exceeded.map((one) => {
        const told = breaches.find(({ limit }) => limit === one.limit.kind);
        if (told && !one.fresh && one.value < told.value * GROWN) return told;
        const breach = toBreach(one);
        if (one.fresh) fresh.push(breach);
        return told && !one.fresh ? { ...breach, atMs: told.atMs } : breach;
      });
      return { breaches, fresh };
    },
    isNear: () => near,
  };
}

function shareOf(
  { kind, allowed }: Limit,
  now: {
    readonly processes: number;
    readonly memoryBytes: number;
    readonly cpuPercent: number;
  },
): number {
  if (kind === 'processes') return now.processes / allowed;
  if (kind === 'memory') return now.memoryBytes / allowed;
  return kind === 'cpu' ? now.cpuPercent / allowed : 0;
}

interface Scene {
  readonly before: readonly ProcessInfo[];
  readonly claims: readonly Claim[];
  readonly snapshot: Snapshot;
  readonly memoryOf: (process: ProcessInfo) => number;
}

function branchOf(
  { kind }: Limit,
  { before, claims, snapshot, memoryOf }: Scene,
): BreachBranch | null {
  if (kind === 'runtime' || kind === 'idle') return null;
  const processes = claims.map(({ process }) => process);
  const branch = growthBranch(before, processes, kind, memoryOf);
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

interface Memory {
  readonly bytes: number;
  readonly as: 'rss' | 'pss';
  readonly of: (process: ProcessInfo) => number;
}

/** Until RSS has grown by so much, or so much time has passed, what it was without shared pages is not read again. */
const READ_AGAIN_SHARE = 1.05;
const READ_AGAIN_MS = 10_000;

/** RSS as long as that is within the limit: it never says less than PSS, which costs far more to read. */
function createMemoryMeter() {
  let last: { readonly memory: Memory; readonly rss: number; readonly atMs: number } | null = null;

  return (processes: readonly ProcessInfo[], limits: readonly Limit[], at: Snapshot): Memory => {
    const rss = processes.reduce((sum, { rssBytes }) => sum + rssBytes, 0);
    const ofRss: Memory = { bytes: rss, as: 'rss', of: ({ rssBytes }) => rssBytes };
    const allowed = limits.find(({ kind }) => kind === 'memory')?.allowed;
    if (allowed === undefined || rss <= allowed) return ofRss;
    const isRecent = last !== null && at.takenAtMs - last.atMs < READ_AGAIN_MS;
    if (last && isRecent && rss <= last.rss * READ_AGAIN_SHARE) return last.memory;
    const memory = readShared(processes) ?? ofRss;
    last = { memory, rss, atMs: at.takenAtMs };
    return memory;
  };
}

/** Null where it cannot be read of each of them. */
function readShared(processes: readonly ProcessInfo[]): Memory | null {
  const shares = new Map<number, number>();
  for (const { identity } of processes) {
    const pss = readPss(identity.pid);
    if (pss === null) return null;
    shares.set(identity.pid, pss);
  }
  const bytes = [...shares.values()].reduce((sum, pss) => sum + pss, 0);
  return { bytes, as: 'pss', of: ({ identity, rssBytes }) => shares.get(identity.pid) ?? rssBytes };
}
