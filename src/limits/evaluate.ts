/*
 * The files of this folder, which measure services against their limits:
 *
 *   breach         a limit that is exceeded
 *   evaluate       decides which limits are exceeded
 *   meter          measures one run from sample to sample: its memory, its breaches
 *   growth-branch  finds the part of a process tree that has grown
 *   words          breaches in words
 *   breach-file    `.pids/breaches.json`, the breaches of this moment
 */
import type { Limit } from '../manifest/resolved.ts';

/** The use of a run, or of a project, at one moment. */
export interface LimitedUse {
  /** Monotonic, in ms. */
  readonly nowMs: number;
  readonly processes: number;
  readonly memoryBytes: number;
  /** Since the measurement before, in percent of one core. */
  readonly cpuPercent: number;
  /** Since the start of the run. */
  readonly runtimeMs: number;
  /** A text that changes whenever there is output; null when no limit needs it. */
  readonly output: string | null;
}

/** The memory of one run's measurements, kept from one to the next. */
export interface LimitMemory {
  /** Time of the first measurement. */
  readonly beganAtMs: number;
  /** Time of the last measurement. */
  readonly lastMs: number;
  /** The use of the processor between measurements, oldest first, as far back as the longest window. */
  readonly cpu: readonly {
    readonly endMs: number;
    readonly forMs: number;
    readonly percent: number;
  }[];
  readonly output: string | null;
  /** When the run last wrote output or used the processor. */
  readonly activeAtMs: number;
  /** The limits that were reported as exceeded, and still are. */
  readonly reported: readonly ReportedLimit[];
}

interface ReportedLimit {
  readonly limit: Limit;
  readonly atMs: number;
}

/** A limit that is exceeded. */
export interface Exceeded {
  readonly limit: Limit;
  readonly value: number;
  /** True when that is news, or when it is time to act once more. */
  readonly fresh: boolean;
}

/** Share of a limit below which it is kept again, so that a value that moves around it is reported once. */
const KEPT_AGAIN = 0.9;
/** Time after which an action is repeated, because the service still runs (another command held the lock). */
const ACT_AGAIN_MS = 10_000;
/** Use of one core up to which a service counts as idle: a service that waits looks at the clock now and then. */
const QUIET_PERCENT = 2;

/**
 * Finds the limits that are exceeded.
 *
 * @param before null: the first measurement of this run
 * @returns all limits that are exceeded, earlier reported ones too, and the memory for the next call
 */
export function evaluateLimits(
  before: LimitMemory | null,
  limits: readonly Limit[],
  use: LimitedUse,
): { readonly memory: LimitMemory; readonly exceeded: readonly Exceeded[] } {
  const seen = remember(before, limits, use);
  const exceeded: Exceeded[] = [];
  const reported: ReportedLimit[] = [];
  for (const limit of limits) {
    const value = measure(limit, use, seen);
    if (value === null) continue;
    const earlier = before?.reported.find((report) => isSame(report.limit, limit));
    // Time only grows, so a limit of time is exceeded as soon as it is reached.
    const isOver = isTime(limit) ? value >= limit.allowed : value > limit.allowed;
    const isStill = earlier !== undefined && value > limit.allowed * KEPT_AGAIN;
    if (!isOver && !isStill) continue;
    const isUndone = limit.action !== 'warn' && use.nowMs - (earlier?.atMs ?? 0) >= ACT_AGAIN_MS;
    const fresh = isOver && (earlier === undefined || isUndone);
    exceeded.push({ limit, value, fresh });
    reported.push({ limit, atMs: fresh ? use.nowMs : (earlier?.atMs ?? use.nowMs) });
  }
  return { memory: { ...seen, reported }, exceeded };
}

/** Returns in how many ms the next limit of time is reached, if nothing happens until then; null: none is. */
export function nextDueMs(
  memory: LimitMemory,
  limits: readonly Limit[],
  use: LimitedUse,
): number | null {
  const left = limits.flatMap((limit) => {
    const isReported = memory.reported.some((earlier) => isSame(earlier.limit, limit));
    const value = isTime(limit) && !isReported ? measure(limit, use, memory) : null;
    return value === null ? [] : [Math.max(0, limit.allowed - value)];
  });
  return left.length > 0 ? Math.min(...left) : null;
}

function remember(
  before: LimitMemory | null,
  limits: readonly Limit[],
  { nowMs, cpuPercent, output }: LimitedUse,
): LimitMemory {
  if (before === null) {
    const at = { beganAtMs: nowMs, lastMs: nowMs, activeAtMs: nowMs };
    return { ...at, cpu: [], output, reported: [] };
  }
  const windowMs = Math.max(0, ...limits.map((limit) => limit.windowMs));
  const stretch = { endMs: nowMs, forMs: nowMs - before.lastMs, percent: cpuPercent };
  const isActive = cpuPercent > QUIET_PERCENT || output !== before.output;
  return {
    ...before,
    lastMs: nowMs,
    cpu: [...before.cpu, stretch].filter(({ endMs }) => endMs > nowMs - windowMs),
    output,
    activeAtMs: isActive ? nowMs : before.activeAtMs,
  };
}

/** Measures the value that a limit speaks of; null when there is no value yet. */
function measure({ kind, windowMs }: Limit, use: LimitedUse, memory: LimitMemory): number | null {
  switch (kind) {
    case 'processes':
      return use.processes;
    case 'memory':
      return use.memoryBytes;
    case 'cpu':
      return use.nowMs - memory.beganAtMs >= windowMs
        ? meanCpu(memory, use.nowMs - windowMs)
        : null;
    case 'runtime':
      return use.runtimeMs;
    case 'idle':
      return use.nowMs - memory.activeAtMs;
  }
}

function meanCpu({ cpu }: LimitMemory, fromMs: number): number {
  let spent = 0;
  let time = 0;
  for (const { endMs, forMs, percent } of cpu) {
    const counts = Math.max(0, Math.min(forMs, endMs - fromMs));
    spent += percent * counts;
    time += counts;
  }
  return time === 0 ? 0 : Math.round((10 * spent) / time) / 10;
}

function isTime({ kind }: Limit): boolean {
  return kind === 'runtime' || kind === 'idle';
}

function isSame(one: Limit, other: Limit): boolean {
  const keys = ['kind', 'allowed', 'windowMs', 'action'] as const;
  return keys.every((key) => one[key] === other[key]);
}
