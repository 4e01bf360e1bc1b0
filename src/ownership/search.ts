import { type Identity, sameIdentity } from '../processes/identity.ts';
import type { ProcessInfo, Snapshot } from '../processes/snapshot.ts';
import { variantIn } from '../project/project-id.ts';
import type { ForeignMark, OwnershipFacts, Run, RunGroup, Spared, Witnessed } from './claim.ts';
import type { Cookie } from './cookie.ts';
import { EVIDENCE_KINDS, type Evidence, type EvidenceKind } from './evidence-kinds.ts';
import { findNearerGroup, nearestProject } from './nearest-project.ts';
import { findProtection, isWeakEvidence, ownProtection } from './protection.ts';
import { containerVeto, type Veto, type Vetoes } from './vetoes.ts';
import { isCookieInDoubt } from './whose-cookie.ts';

/** The run that a process belongs to, as far as it is known. */
export interface Origin {
  readonly service: string | null;
  readonly runId: string | null;
}

/** A piece of evidence, with the run that it points to. */
export interface Finding extends Evidence, Origin {
  /** The reason for which this piece by itself makes nothing ours; missing: none. */
  readonly veto?: Veto;
}

/** A process once known to be ours that may have led a session or a group. */
export interface Leader {
  readonly identity: Identity;
  readonly origin: Origin;
  /** As in `Witnessed`. */
  readonly fresh: boolean;
  readonly ledSession: boolean;
  readonly ledGroup: boolean;
  /** The session that its group was in; 0 when unknown. */
  readonly sid: number;
}

/** The evidence for a process that a veto protects, and that veto. */
interface SparedFindings {
  readonly findings: Finding[];
  readonly veto: Spared['veto'];
}

/** The state of one search through the process table: its facts, and the findings so far. */
export interface ClaimSearch {
  readonly facts: OwnershipFacts;
  readonly snapshot: Snapshot;
  readonly vetoes: Vetoes;
  /** `Run.intentTicks` by run id, for the runs whose ticks can be compared with this snapshot. */
  readonly intentTicks: ReadonlyMap<string, number>;
  readonly leaders: readonly Leader[];
  /** By the pids of leader and keepers of the terminal. */
  readonly runs: ReadonlyMap<number, readonly Run[]>;
  /** By the pids of members. */
  readonly groups: ReadonlyMap<number, readonly RunGroup[]>;
  /** By pid. */
  readonly witnessed: ReadonlyMap<number, readonly Witnessed[]>;
  /** Control groups of ours that also contain services of another project. */
  readonly sharedGroups: ReadonlySet<RunGroup>;
  /** Control groups that have the name of our path, and whose runs may be those of a project that was moved away. */
  readonly groupsInDoubt: ReadonlySet<string>;
  /** Logs and FIFOs of ours that a process with another project's mark holds open as well. */
  readonly sharedOutputs: Set<string>;
  /** Pids of supervisors, guards and one-off parents whose every child is ours. */
  readonly adopters: number[];
  /** Evidence for the processes that are claimed, by pid. */
  readonly found: Map<number, Finding[]>;
  /** Evidence for our processes that run this very command, by pid. They are spared, their other descendants are not. */
  readonly passed: Map<number, Finding[]>;
  /** Evidence for the processes that a veto protects, by pid. */
  readonly spared: Map<number, SparedFindings>;
  /** Whether the rules protect a process, by pid, as far as it was asked. */
  readonly protectedBy: Map<number, Veto | null>;
  /** Other projects whose records decide about a process that evidence ties to us. */
  readonly foreignMarks: Map<string, ForeignMark>;
}

/**
 * Adds a finding for a process: the only way to a claim. A veto spares the process, and the same finding is
 * kept once.
 */
export function addFinding(search: ClaimSearch, process: ProcessInfo, finding: Finding): void {
  const { pid, startTicks } = process.identity;
  if (isExempt(search, pid, finding)) return;
  const intent = finding.runId === null ? undefined : search.intentTicks.get(finding.runId);
  const { supervisors, guards } = search.vetoes;
  // A full stop ends supervisors and guards last, so they are never claimed. Evidence may point to them all
  // the same: while it spawns, a supervisor is in the control group of a run that is younger than itself.
  const isResident = [...supervisors, ...guards].some(({ identity }) => identity.pid === pid);
  if (isResident && !search.vetoes.byPid.has(pid)) return;
  // In the same way `devctl run` is in the control group of its own run.
  if (finding.kind === 'cgroup' && isOneOffParentOf(search, pid, finding.runId)) return;
  const veto =
    containerVeto(search.snapshot, process) ??
    judgeMark(search, process, finding.kind) ??
    finding.veto ??
    findDoubt(search, pid, finding) ??
    (intent !== undefined && startTicks < intent
      ? { kind: 'older-than-run' as const, detail: 'it started before the run did' }
      : null) ??
    ownProtection(search, process) ??
    findProtection(search, process, finding.kind);
  if (veto) {
    const before = search.spared.get(pid);
    const spared = { findings: before?.findings ?? [], veto: graverVeto(before, veto) };
    if (!spared.findings.some(({ kind }) => kind === finding.kind)) spared.findings.push(finding);
    search.spared.set(pid, spared);
    // Weak evidence (a bare pid, an open log) does not extend to the other children of an ancestor.
    const passes = spared.findings.filter(({ kind }) => !isWeakEvidence(kind));
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
  // The ledger first knew the process without a service, and knows the service by now.
  else if (findings[known]?.service === null) findings[known] = finding;
}

/**
 * Chooses between the veto that a process has already and the veto of one more finding. Doubt outweighs the mark of
 * another project, and it outweighs each veto that only weak evidence has met so far: another finding ties the process
 * to us, and then nobody can tell whose it is.
 */
function graverVeto(before: SparedFindings | undefined, veto: Veto): Veto {
  if (!before) return veto;
  const isOutweighed =
    before.veto.kind === 'other-project' ||
    before.findings.every(({ kind }) => isWeakEvidence(kind));
  return veto.kind === 'in-doubt' && isOutweighed ? veto : before.veto;
}

/** Evidence that names a process for ever. It outweighs any mark, unless another project stands between. */
const RECORDED: readonly EvidenceKind[] = ['leader', 'cgroup'];

/** Evidence from the place of a process among its relatives, or from before its execve(2). */
const BY_PLACE: readonly EvidenceKind[] = ['ledger', 'descendant', 'session', 'group'];

/**
 * Weighs the mark in the environment of a process against where it is.
 *
 * A recorded identity outweighs any mark, because a service may read another project's environment from a file.
 * Where another project stands nearer, the process is that project's, whatever its mark says. In between devctl
 * does not guess: the process is left alone and told of.
 */
function judgeMark(search: ClaimSearch, process: ProcessInfo, kind: EvidenceKind): Veto | null {
  const { facts, snapshot, vetoes, found } = search;
  const { pid } = process.identity;
  const veto = vetoes.byPid.get(pid) ?? null;
  const foreign = vetoes.foreignCookies.get(pid);
  if (veto?.kind !== 'other-project' || !foreign) {
    if (veto || found.has(pid)) return veto;
    const there = kind === 'leader' ? null : judgeRecorded(search, process, kind);
    if (there) return there;
    if (kind === 'cookie') return judgeOwnMark(search, process);
    return vetoes.cookies.has(pid) ? null : judgeUnmarked(search, process, kind);
  }
  if (found.has(pid)) return null;
  if (!RECORDED.includes(kind) && !BY_PLACE.includes(kind)) return veto;
  askForRecords(search, foreign);
  const nearest = nearestProject(facts, snapshot, vetoes, process);
  if (nearest !== 'ours' && nearest !== 'none') return veto;
  if (RECORDED.includes(kind)) return null;
  return {
    kind: 'in-doubt',
    detail: `it is among our processes, but carries the mark of another project (${veto.detail})`,
  };
}

/** Doubts a mark and a control group of our path where the project that they stand for may have been moved away. */
function findDoubt(
  { facts: { project }, vetoes, found, groupsInDoubt }: ClaimSearch,
  pid: number,
  { kind, runId }: Finding,
): Veto | null {
  if (found.has(pid)) return null;
  const cookie = vetoes.cookies.get(pid);
  const isInDoubt =
    kind === 'cookie'
      ? cookie !== undefined && isCookieInDoubt(project, cookie)
      : kind === 'cgroup' && runId !== null && groupsInDoubt.has(runId);
  if (!isInDoubt) return null;
  return { kind: 'in-doubt', detail: 'its project may have been moved away' };
}

/** Asks for the records of the project of a cookie: they decide about a process here. */
function askForRecords({ foreignMarks }: ClaimSearch, cookie: Cookie | undefined): void {
  for (const mark of cookie?.projects ?? []) {
    foreignMarks.set(mark, { mark, projectId: cookie?.projectId ?? null });
  }
}

/** Our mark on a process below another project: a service there may have read our environment from a file. */
function judgeOwnMark(search: ClaimSearch, process: ProcessInfo): Veto | null {
  const { facts, snapshot, vetoes } = search;
  const isInOwnGroup = search.groups.has(process.identity.pid);
  // No group of another project is nearer than ours, so only a process of it could stand between.
  if (isInOwnGroup && vetoes.elsewhere.size === 0) return null;
  const nearest = nearestProject(facts, snapshot, vetoes, process);
  const detail = 'it carries our mark, but is below another project that runs';
  if (nearest === 'other' || nearest === 'in-group-of-other') {
    return { kind: 'other-project', detail };
  }
  if (nearest !== 'adopted-by-other') return null;
  // The records of that project name its leaders. Any other child of its supervisor may be an orphan of ours.
  askForRecords(search, vetoes.foreignCookies.get(process.ppid));
  return { kind: 'in-doubt', detail };
}

/**
 * Leaves a process to the other project that has recorded it. Our witness may have seen it before the other project had
 * recorded it, so our ledger does not outweigh the record. Where the other project has only seen it as well, each of the
 * two may have adopted it from the other.
 */
function judgeRecorded(
  { vetoes, witnessed }: ClaimSearch,
  { identity }: ProcessInfo,
  kind: EvidenceKind,
): Veto | null {
  const anchor = vetoes.ours.has(identity.pid) ? undefined : vetoes.elsewhere.get(identity.pid);
  const detail = 'the records of another project name it';
  if (anchor === 'recorded') return { kind: 'other-project', detail };
  if (anchor !== 'seen') return null;
  if (vetoes.cookies.has(identity.pid) && kind !== 'cookie' && kind !== 'ledger') return null;
  const isSeenHere = witnessed
    .get(identity.pid)
    ?.some((seen) => sameIdentity(seen.identity, identity));
  if (!isSeenHere) return { kind: 'other-project', detail };
  return { kind: 'in-doubt', detail: 'our ledger and that of another project name it' };
}

/**
 * Judges a process without any mark, which is another project's where that project stands nearer. The place among our own
 * processes says more than the name of a log or a port, so there only a control group or a record shows another project.
 */
function judgeUnmarked(search: ClaimSearch, process: ProcessInfo, kind: EvidenceKind): Veto | null {
  const { facts, snapshot, vetoes } = search;
  if (kind === 'leader') return null;
  const detail = 'it is in the control group of another project';
  if (BY_PLACE.includes(kind)) {
    const group = findNearerGroup(facts, snapshot, vetoes, process);
    if (group === 'none') return null;
    return { kind: group === 'nested' ? 'other-project' : 'in-doubt', detail };
  }
  const nearest = nearestProject(facts, snapshot, vetoes, process);
  // We may have been started inside that project and have made no groups: then our log is with it by our own doing.
  if (nearest === 'in-group-of-other') {
    return { kind: kind === 'output' ? 'in-doubt' : 'other-project', detail };
  }
  const isTheirs =
    nearest === 'other' ||
    (nearest === 'adopted-by-other' && isOfOtherManifest(facts.project, vetoes, process.ppid));
  if (!isTheirs) return null;
  return { kind: 'other-project', detail: 'it is below another project that runs' };
}

/** Tells whether a process is certain to be another project's, although it is among ours. */
export function isOfNearerProject(search: ClaimSearch, process: ProcessInfo): boolean {
  const { facts, snapshot, vetoes } = search;
  const { pid } = process.identity;
  if (vetoes.ours.has(pid) || vetoes.cookies.has(pid)) return false;
  const anchor = vetoes.elsewhere.get(pid);
  if (anchor === 'recorded' || anchor === 'seen') return true;
  return findNearerGroup(facts, snapshot, vetoes, process) === 'nested';
}

/**
 * Tells whether a process has the mark of another manifest of our folder. Only one of the two runs at a time, so its
 * supervisor has adopted no orphan of ours.
 */
function isOfOtherManifest(
  { marks, variant }: OwnershipFacts['project'],
  { foreignCookies }: Vetoes,
  pid: number,
): boolean {
  const { projects = [], projectId = null } = foreignCookies.get(pid) ?? {};
  if (projectId === null || !projects.every((mark) => marks.has(mark))) return false;
  return variantIn(projectId) !== variant;
}

function isOneOffParentOf({ vetoes }: ClaimSearch, pid: number, runId: string | null): boolean {
  return vetoes.oneOffParents.some(
    ({ process, run }) => process.identity.pid === pid && run.runId === runId,
  );
}

/**
 * Tells whether a finding or the process itself belongs to an exempt run. A process with the cookie of an
 * exempt run belongs to that run, even if a port or a log points to another one.
 */
function isExempt({ facts, vetoes }: ClaimSearch, pid: number, { runId }: Finding): boolean {
  const marked = vetoes.cookies.get(pid)?.runId;
  return facts.exemptRuns?.some((exempt) => exempt === runId || exempt === marked) ?? false;
}

/** Finds the run of a process, according to the strongest evidence that names a service. */
export function originOf(search: ClaimSearch, pid: number): Origin {
  return strongestOrigin(search.found.get(pid) ?? search.passed.get(pid) ?? []);
}

/** Finds the run that the strongest of these findings names. */
export function strongestOrigin(findings: readonly Finding[]): Origin {
  const best = [...findings].sort(byStrength).find(({ service }) => service !== null);
  return best ? { service: best.service, runId: best.runId } : { service: null, runId: null };
}

/** Compares two pieces of evidence, to sort the strongest first. */
export function byStrength(a: Evidence, b: Evidence): number {
  return EVIDENCE_KINDS.indexOf(a.kind) - EVIDENCE_KINDS.indexOf(b.kind);
}

export function toEvidence({ kind, detail }: Finding): Evidence {
  return { kind, detail };
}
