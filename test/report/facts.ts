import type { Sample, ServiceUse } from '../../src/history/samples.ts';
import type { ReportInput } from '../../src/report/build.ts';
import type { StateChange } from '../../src/report/spans.ts';
import type { StateKind } from '../../src/services/lifecycle/states.ts';

/** Builds changes of one service: each state, and its time. */
export function changesOf(
  service: string,
  ...steps: readonly (readonly [atMs: number, to: StateKind, reason?: string])[]
): StateChange[] {
  return steps.map(([atMs, to, reason = null], index) => ({
    atMs,
    service,
    from: steps[index - 1]?.[1] ?? 'idle',
    to,
    reason,
    pid: null,
  }));
}

export function sample(atMs: number, services: Readonly<Record<string, number>>): Sample {
  const uses = Object.entries(services).map(([name, count]) => [name, use(count)] as const);
  return { atMs, services: Object.fromEntries(uses) };
}

function use(count: number): ServiceUse {
  return { processes: count, memoryBytes: count * 1000, cpuPercent: count };
}

/** Builds the input of a report on a project without history. */
export function facts(some: Partial<ReportInput> = {}): ReportInput {
  return {
    project: '/work/shop',
    name: 'shop',
    nowMs: 1_000_000,
    sinceMs: null,
    samples: [],
    changes: [],
    breaches: [],
    supervisor: [],
    leases: [],
    isWatched: false,
    declared: [],
    lastStop: null,
    stoppedMs: null,
    left: { services: [], orphans: [], unattributed: 0 },
    problems: [],
    ...some,
  };
}
