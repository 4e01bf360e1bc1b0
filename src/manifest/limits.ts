import { LIMIT_KINDS, type Limit, type LimitKind, type ResourceLimits } from './resolved.ts';
import type { ProjectLimits, ServiceLimits } from './schema-limits.ts';

/** Default time over which the cpu use is averaged. */
export const CPU_WINDOW_MS = 30_000;

/**
 * Warnings that apply whatever the manifest says. A test run once brought down a machine at these
 * thresholds.
 */
export const PROJECT_WARNINGS: readonly Limit[] = [
  { kind: 'processes', allowed: 100, windowMs: 0, action: 'warn' },
  { kind: 'memory', allowed: 8 * 1024 ** 3, windowMs: 0, action: 'warn' },
];

export function resolveServiceLimits(limits: ServiceLimits | undefined): readonly Limit[] {
  const { processes, memory, cpu, cpuWindow, runtime, idle, action = 'warn' } = limits ?? {};
  return limitsFrom({ processes, memory, cpu, runtime, idle }, cpuWindow, action);
}

export function resolveResources(limits: ServiceLimits | undefined): ResourceLimits {
  return { openFiles: limits?.openFiles ?? null, core: limits?.core ?? null };
}

/**
 * Resolves the limits of the project. Its `action` applies to the limits that it names; the other limits
 * stay warnings.
 */
export function resolveProjectLimits(limits: ProjectLimits | undefined): readonly Limit[] {
  if (limits === 'off') return [];
  const { processes, memory, cpu, cpuWindow, action = 'warn' } = limits ?? {};
  const numbers = {
    processes: processes === 'off' ? undefined : processes,
    memory: memory === 'off' ? undefined : memory,
    cpu,
  };
  const named = limits ?? {};
  return [
    ...limitsFrom(numbers, cpuWindow, action),
    ...PROJECT_WARNINGS.filter(({ kind }) => !(kind in named)),
  ];
}

function limitsFrom(
  numbers: { readonly [Kind in LimitKind]?: number | undefined },
  cpuWindow: number | undefined,
  action: Limit['action'],
): readonly Limit[] {
  return LIMIT_KINDS.flatMap((kind) => {
    const allowed = numbers[kind];
    const windowMs = kind === 'cpu' ? (cpuWindow ?? CPU_WINDOW_MS) : 0;
    return allowed === undefined ? [] : [{ kind, allowed, windowMs, action }];
  });
}
