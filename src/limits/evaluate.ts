import type { Limit, LimitKind } from '../manifest/resolved.ts';

/** A limit that was exceeded, by a service or by all of them together. */
export interface Breach {
  /** Null: the project. */
  readonly service: string | null;
  readonly limit: LimitKind;
  /** In the unit of the limit: processes, bytes, percent of one core, ms. */
  readonly value: number;
  readonly allowed: number;
  readonly action: Limit['action'];
  /** Of `memory`: with what processes share counted once (pss), or for each of them (rss). Else null. */
  readonly measuredAs: 'pss' | 'rss' | null;
  /** The part of the tree that has grown; null where that has no meaning, or is not known. */
  readonly branch: BreachBranch | null;
  /** Since the epoch, in ms. */
  readonly atMs: number;
}

/** A process with everything below it. */
export interface BreachBranch {
  readonly pid: number;
  readonly command: string;
  readonly processes: number;
  readonly memoryBytes: number;
  /** Null: of no known one. */
  readonly service: string | null;
}

/** What somebody with limits used, at one moment. */
export interface LimitedUse {
  /** Monotonic, in ms. */
  readonly nowMs: number;
  readonly processes: number;
  readonly memoryBytes: number;
  /** Since the look before, in percent of one core. */
  readonly cpuPercent: number;
  /** Since the start of the run. */
  readonly runtimeMs: number;
  /** Changes whenever there is output; null where nobody looks for it. */
  readonly output: string | null;
}

/** What is remembered of one run between two looks. */
export interface LimitWatch {
  readonly beganAtMs: number;
  readonly lastMs: number;
  /** The last stretches of time, oldest first. */
  readonly cpu: readonly {
    readonly endMs: number;
    readonly forMs: number;
    readonly percent: number;
  }[];
  readonly output: string | null;
  /** When there was output or cpu last. */
  readonly activeAtMs: number;
  /** What was told, and is still so. */
  readonly told: readonly Told[];
}

interface Told {
  readonly limit: Limit;
  readonly atMs: number;
}

/** A limit that is exceeded; `fresh`: that is news, or it is time to act once more. */
export interface Exceeded {
  readonly limit: Limit;
  readonly value: number;
  readonly fresh: boolean;
}

/** Below this share of it a limit is kept again: what moves up and down around it is told once. */
const KEPT_AGAIN = 0.9;
/** What should have ended something by now, and has not (somebody was at work), is done again. */
const ACT_AGAIN_MS = 10_000;
/** Of one core: what waits for something to happen looks at the clock now and then. */
const QUIET_PERCENT = 2;

/**
 * Which limits are exceeded?
 *
 * @param before null: the first look at this run
 * @returns all that are, those told before too, and what to remember
 */
export function evaluateLimits(
  before: LimitWatch | null,
  limits: readonly Limit[],
  use: LimitedUse,
): { readonly watch: LimitWatch; readonly exceeded: readonly Exceeded[] } {
  const seen = remember(before, limits, use);
  const exceeded: Exceeded[] = [];
  const told: Told[] = [];
  for (const limit of limits) {
    const value = measure(limit, use, seen);
    if (value === null) continue;
    const earlier = before?.told.find((one) => isSame(one.limit, limit));
    // Time does not come back: there the limit itself is too much.
    const isOver = isTime(limit) ? value >= limit.allowed : value > limit.allowed;
    const isStill = earlier !== undefined && value > limit.allowed * KEPT_AGAIN;
    if (!isOver && !isStill) continue;
    const isUndone = limit.action !== 'warn' && use.nowMs - (earlier?.atMs ?? 0) >= ACT_AGAIN_MS;
    const fresh = isOver && (earlier === undefined || isUndone);
    exceeded.push({ limit, value, fresh });
    told.push({ limit, atMs: fresh ? use.nowMs : (earlier?.atMs ?? use.nowMs) });
  }
  return { watch: { ...seen, told }, exceeded };
}

/** In how many ms will a limit of time be reached, if nothing happens until then? Null: by none. */
export function nextDueMs(
  watch: LimitWatch,
  limits: readonly Limit[],
  use: LimitedUse,
): number | null {
  const left = limits.flatMap((limit) => {
    const isTold = watch.told.some((told) => isSame(told.limit, limit));
    const value = isTime(limit) && !isTold ? measure(limit, use, watch) : null;
    return value === null ? [] : [Math.max(0, limit.allowed - value)];
  });
  return left.length > 0 ? Math.min(...left) : null;
}

function remember(
  before: LimitWatch | null,
  limits: readonly Limit[],
  { nowMs, cpuPercent, output }: LimitedUse,
): LimitWatch {
  if (before === null) {
    const at = { beganAtMs: nowMs, lastMs: nowMs, activeAtMs: nowMs };
    return { ...at, cpu: [], output, told: [] };
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

/** Null: that cannot be said yet. */
function measure({ kind, windowMs }: Limit, use: LimitedUse, watch: LimitWatch): number | null {
  switch (kind) {
    case 'processes':
      return use.processes;
    case 'memory':
      return use.memoryBytes;
    case 'cpu':
      return use.nowMs - watch.beganAtMs >= windowMs ? meanCpu(watch, use.nowMs - windowMs) : null;
    case 'runtime':
      return use.runtimeMs;
    case 'idle':
      return use.nowMs - watch.activeAtMs;
  }
}

function meanCpu({ cpu }: LimitWatch, fromMs: number): number {
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
