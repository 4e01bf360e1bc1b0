import type { Identity } from '../processes/identity.ts';
import type { ProcessInfo, Snapshot } from '../processes/snapshot.ts';
import {
  EVIDENCE_KINDS,
  type Evidence,
  type OwnershipFacts,
  type RunGroup,
  type Spared,
  type Witnessed,
} from './claim.ts';
import { isWeak, protectedFrom } from './protection.ts';
import type { Vetoes } from './vetoes.ts';

/** The run that something belongs to, as far as it is known. */
export interface Origin {
  readonly service: string | null;
  readonly runId: string | null;
}

/** A piece of evidence, with the run that it speaks of. */
export interface Finding extends Evidence, Origin {}

/** Something once known to be ours that may have led a session or a group. */
export interface Leader {
  readonly identity: Identity;
  readonly origin: Origin;
  readonly fresh: boolean;
  readonly ledSession: boolean;
  readonly ledGroup: boolean;
  /** The session that its group was in; 0 where not known. */
  readonly sid: number;
}

/** One pass over the process table: what was found, and why. */
export interface Search {
  readonly facts: OwnershipFacts;
  readonly snapshot: Snapshot;
  readonly vetoes: Vetoes;
  readonly intentTicks: ReadonlyMap<string, number>;
  readonly leaders: readonly Leader[];
  readonly witnessed: ReadonlyMap<number, readonly Witnessed[]>;
  /** Those of our control groups in which services of another project are too. */
  readonly sharedGroups: ReadonlySet<RunGroup>;
  /** Pids of our supervisors and guards whose every child is ours. */
  readonly adopters: number[];
  readonly found: Map<number, Finding[]>;
  /** Of ours, but they run this very command: spared, while what else is below them is not. */
  readonly passed: Map<number, Finding[]>;
  readonly spared: Map<number, { findings: Finding[]; veto: Spared['veto'] }>;
}

/** The one gate to a claim: vetoes first, then each evidence once. */
export function add(search: Search, process: ProcessInfo, finding: Finding): void {
  const { pid, startTicks } = process.identity;
  if (isExempt(search, pid, finding)) return;
  const intent = finding.runId === null ? undefined : search.intentTicks.get(finding.runId);
  const { supervisors, guards } = search.vetoes;
  // They are ended last, by a rule of their own, and are nobody's claim: while it spawns, a supervisor is in the
  // control group of a run that is younger than itself.
  const isOwn = [...supervisors, ...guards].some(({ identity }) => identity.pid === pid);
  if (isOwn && !search.vetoes.byPid.has(pid)) return;
  // So is `devctl run` in that of its own.
  if (finding.kind === 'cgroup' && isHostOf(search, pid, finding.runId)) return;
  const veto =
    search.vetoes.byPid.get(pid) ??
    (intent !== undefined && startTicks < intent
      ? { kind: 'older-than-run' as const, detail: 'it started before the run did' }
      : undefined) ??
    protectedFrom(search.snapshot, search.vetoes.byPid, process, finding.kind);
  if (veto) {
    const spared = search.spared.get(pid) ?? { findings: [], veto };
    if (!spared.findings.some(({ kind }) => kind === finding.kind)) spared.findings.push(finding);
    search.spared.set(pid, spared);
    // But a number without a start time may be another's by now, and a shell may have the log of a service
    // open: what else that shell or CI agent has started is nobody's business.
    const passes = spared.findings.filter(({ kind }) => !isWeak(kind));
    if (veto.kind === 'ancestor' && passes.length > 0) search.passed.set(pid, passes);
    return;
  }
  const findings = search.found.get(pid);
  if (!findings) {
    search.found.set(pid, [finding]);
    return;
  }
  const known = findings.findIndex(
    ({ kind, detail }) => kind === finding.kind && detail === finding.detail,
  );
  if (known < 0) findings.push(finding);
  // Witnessed as nobody's at first, and by now as a service's.
  else if (findings[known]?.service === null) findings[known] = finding;
}

function isHostOf({ vetoes }: Search, pid: number, runId: string | null): boolean {
  return vetoes.oneOffParents.some(
    ({ process, run }) => process.identity.pid === pid && run.runId === runId,
  );
}

/** What carries the mark of such a run is its own, whatever else (a port, a log) points to it. */
function isExempt({ facts, vetoes }: Search, pid: number, { runId }: Finding): boolean {
  const marked = vetoes.cookies.get(pid)?.runId;
  return facts.exemptRuns?.some((exempt) => exempt === runId || exempt === marked) ?? false;
}

/** The origin according to the strongest evidence that names one. */
export function originOf(search: Search, pid: number): Origin {
  const findings = [...(search.found.get(pid) ?? search.passed.get(pid) ?? [])].sort(byStrength);
  const best = findings.find(({ service }) => service !== null);
  return best ? { service: best.service, runId: best.runId } : { service: null, runId: null };
}

/** Strongest first. */
export function byStrength(a: Evidence, b: Evidence): number {
  return EVIDENCE_KINDS.indexOf(a.kind) - EVIDENCE_KINDS.indexOf(b.kind);
}

export function toEvidence({ kind, detail }: Finding): Evidence {
  return { kind, detail };
}
