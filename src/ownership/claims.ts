import { type Identity, identityKey, sameIdentity, sameMachine } from '../processes/identity.ts';
import { isGone, type ProcessInfo, type Snapshot } from '../processes/snapshot.ts';
import {
  type Claim,
  EVIDENCE_KINDS,
  type Evidence,
  type EvidenceKind,
  type Ownership,
  type OwnershipFacts,
  type Spared,
  type Witnessed,
} from './claim.ts';
import { isInside } from './inside.ts';
import { isSameNumber } from './numbers.ts';
import { findStaleRuns } from './stale.ts';
import { findVetoes, type Vetoes } from './vetoes.ts';

interface Origin {
  readonly service: string | null;
  readonly runId: string | null;
}

interface Finding extends Evidence, Origin {}

/** Something once known to be ours that may have led a session or a group. */
interface Leader {
  readonly identity: Identity;
  readonly origin: Origin;
  readonly fresh: boolean;
  readonly ledSession: boolean;
  readonly ledGroup: boolean;
}

/** One pass over the process table: what was found, and why. */
interface Search {
  readonly facts: OwnershipFacts;
  readonly snapshot: Snapshot;
  readonly vetoes: Vetoes;
  readonly intentTicks: ReadonlyMap<string, number>;
  readonly leaders: readonly Leader[];
  readonly witnessed: ReadonlyMap<number, readonly Witnessed[]>;
  readonly found: Map<number, Finding[]>;
  /** Of ours, but they run this very command: spared, while what else is below them is not. */
  readonly passed: Map<number, Finding[]>;
  readonly spared: Map<number, { findings: Finding[]; veto: Spared['veto'] }>;
}

/**
 * Finds every living process that is ours.
 *
 * No single evidence is enough (measured): the process group misses every turbo task, the session
 * misses the nx daemon, the cookie misses turbo tasks and postgres backends, and the parent chain
 * misses everything once a parent is dead. So the result is the union of all evidence, closed under
 * "child of", "in a session led by" and "in a group led by".
 *
 * Pure and total. When in doubt a process is not ours: a missed orphan is found by other evidence, a
 * dead bystander is not revived.
 */
export function claimProcesses(facts: OwnershipFacts, snapshot: Snapshot): Ownership {
  const vetoes = findVetoes(facts, snapshot);
  const search: Search = {
    facts,
    snapshot,
    vetoes,
    intentTicks: new Map(
      // Ticks of another boot, or of the other kind of process table, cannot be compared.
      facts.runs
        .filter((run) => sameMachine(run, snapshot))
        .map(({ runId, intentTicks }) => [runId, intentTicks]),
    ),
    leaders: findLeaders(facts, snapshot),
    witnessed: indexByPid(facts.witnessed),
    found: new Map(),
    passed: new Map(),
    spared: new Map(),
  };

  for (const process of snapshot.byPid.values()) {
    if (isGone(process)) continue;
    for (const finding of directEvidence(search, process)) add(search, process, finding);
  }
  for (const supervisor of vetoes.supervisors) claimChildrenOfSupervisor(search, supervisor);

  let before = -1;
  while (before !== search.found.size + search.passed.size) {
    before = search.found.size + search.passed.size;
    closeOverFamilies(search, search.passed);
    closeOverFamilies(search, search.found);
    claimLeaderless(search);
  }

  return {
    claims: new Map([...search.found].flatMap(([pid]) => toClaim(search, pid))),
    spared: [...search.spared].flatMap(([pid, { findings, veto }]) => {
      const process = snapshot.byPid.get(pid);
      return process && !search.found.has(pid)
        ? [{ process, evidence: findings.map(toEvidence), veto }]
        : [];
    }),
    stale: findStaleRuns(facts.runs, snapshot),
    supervisors: vetoes.supervisors,
  };
}

function indexByPid(witnessed: readonly Witnessed[]): ReadonlyMap<number, readonly Witnessed[]> {
  const index = new Map<number, Witnessed[]>();
  for (const one of witnessed) {
    const list = index.get(one.identity.pid);
    if (list) list.push(one);
    else index.set(one.identity.pid, [one]);
  }
  return index;
}

function findLeaders(facts: OwnershipFacts, snapshot: Snapshot): Search['leaders'] {
  const leaders = new Map<string, Leader>();
  const keep = (leader: Leader): void => {
    if (leader.identity.pid <= 1 || !sameMachine(leader.identity, snapshot)) return;
    const key = identityKey(leader.identity);
    const known = leaders.get(key);
    leaders.set(key, {
      ...(known ?? leader),
      fresh: leader.fresh || (known?.fresh ?? false),
      ledSession: leader.ledSession || (known?.ledSession ?? false),
      ledGroup: leader.ledGroup || (known?.ledGroup ?? false),
    });
  };
  for (const { leader: identity, service, runId } of facts.runs) {
    if (identity === null) continue;
    const origin = { service, runId };
    keep({ identity, origin, fresh: false, ledSession: true, ledGroup: true });
  }
  for (const { identity, service, runId, fresh = false, pgid = 0, sid = 0 } of facts.witnessed) {
    const ledSession = sid === 0 || sid === identity.pid;
    const ledGroup = pgid === 0 || pgid === identity.pid;
    keep({ identity, origin: { service, runId }, fresh, ledSession, ledGroup });
  }
  return [...leaders.values()];
}

/** Evidence that a process carries itself, without looking at its relatives. */
function directEvidence(search: Search, process: ProcessInfo): Finding[] {
  const { facts, snapshot, vetoes } = search;
  const { identity } = process;
  const findings: Finding[] = [];

  for (const { leader, service, runId } of facts.runs) {
    if (leader && sameIdentity(leader, identity) && leadsItsSession(process)) {
      findings.push({
        kind: 'leader',
        detail: `recorded as the leader of ${service}`,
        service,
        runId,
      });
    }
  }
  for (const { identity: seen, service, runId } of search.witnessed.get(identity.pid) ?? []) {
    if (!sameIdentity(seen, identity)) continue;
    findings.push({ kind: 'ledger', detail: 'witnessed earlier', service, runId });
  }
  const cookie = vetoes.cookies.get(identity.pid);
  if (cookie) {
    const { service, runId } = cookie;
    findings.push({ kind: 'cookie', detail: `DEVCTL_RUN=${runId ?? ''}`, service, runId });
  }
  for (const { pid, service, writtenTicks } of facts.foundingPids) {
    if (pid !== identity.pid || identity.startTicks > writtenTicks) continue;
    if (!isInside(facts.root, snapshot.details.cwd(process))) continue;
    findings.push({
      kind: 'founding-file',
      detail: 'listed in services.pids',
      service,
      runId: null,
    });
  }
  return findings;
}

/**
 * A leader was spawned as the head of its own session, and the kernel lets no session leader leave
 * it (setsid(2), setpgid(2)). A record that points to anything else was edited or is damaged.
 */
function leadsItsSession({ identity, sid, pgid }: ProcessInfo): boolean {
  return pgid === identity.pid && (sid === identity.pid || sid === 0);
}

/**
 * Whatever is a direct child of a supervisor is ours: it spawns only leaders and probes, and where it
 * is a subreaper every orphan becomes its child, however it escaped.
 */
function claimChildrenOfSupervisor(search: Search, { identity: { pid } }: ProcessInfo): void {
  for (const child of search.snapshot.byParent.get(pid) ?? []) {
    if (isGone(child)) continue;
    const detail = `child of the supervisor (pid ${pid})`;
    add(search, child, { kind: 'descendant', detail, service: null, runId: null });
  }
}

/** Children of what is ours, and the sessions and groups that living processes of ours lead. */
function closeOverFamilies(search: Search, heads: ReadonlyMap<number, Finding[]>): void {
  const { snapshot } = search;
  // A map's iterator also visits what is added during the walk: this is the whole closure.
  for (const pid of heads.keys()) {
    const head = snapshot.byPid.get(pid);
    if (!head) continue;
    const origin = originOf(search, pid);
    const families: readonly [EvidenceKind, string, readonly ProcessInfo[] | undefined][] = [
      ['descendant', `child of ${pid} (${head.name})`, snapshot.byParent.get(pid)],
      ['session', `in session ${pid}`, snapshot.bySession.get(pid)],
      ['group', `in process group ${pid}`, snapshot.byGroup.get(pid)],
    ];
    for (const [kind, detail, members] of families) {
      for (const member of members ?? []) {
        if (member === head || isGone(member)) continue;
        // Older than its head: the link is to an earlier process with the same number.
        if (member.identity.startTicks < head.identity.startTicks) continue;
        add(search, member, { kind, detail, ...origin });
      }
    }
  }
}

/** Sessions and groups whose leader, known to be ours, has died. */
function claimLeaderless(search: Search): void {
  const { facts, snapshot, found } = search;
  for (const { identity, origin, fresh, ledSession, ledGroup } of search.leaders) {
    const current = snapshot.byPid.get(identity.pid);
    // Alive and claimed: settled. Alive and not: a stranger, or vetoed, and so is what it leads.
    if (current && !isGone(current)) continue;
    for (const [kind, led, index] of [
      ['session', ledSession, snapshot.bySession],
      ['group', ledGroup, snapshot.byGroup],
    ] as const) {
      const all = led ? index.get(identity.pid) : undefined;
      if (!all || !isSameNumber(identity, current, all)) continue;
      const members = all.filter((member) => !isGone(member));
      // One member known by other evidence proves that the number was never free.
      const anchored = fresh || members.some(({ identity: { pid } }) => found.has(pid));
      for (const member of members) {
        if (!anchored && !isInside(facts.root, snapshot.details.cwd(member))) continue;
        const what = kind === 'session' ? 'session' : 'process group';
        const detail = `in ${what} ${identity.pid}, whose leader has died`;
        add(search, member, { kind, detail, ...origin });
      }
    }
  }
}

/** The one gate to a claim: vetoes first, then each evidence once. */
function add(search: Search, process: ProcessInfo, finding: Finding): void {
  const { pid, startTicks } = process.identity;
  const intent = finding.runId === null ? undefined : search.intentTicks.get(finding.runId);
  const veto =
    search.vetoes.byPid.get(pid) ??
    (intent !== undefined && startTicks < intent
      ? { kind: 'older-than-run' as const, detail: 'it started before the run did' }
      : undefined);
  if (veto) {
    const spared = search.spared.get(pid) ?? { findings: [], veto };
    if (!spared.findings.some(({ kind }) => kind === finding.kind)) spared.findings.push(finding);
    search.spared.set(pid, spared);
    if (veto.kind === 'ancestor') search.passed.set(pid, spared.findings);
    return;
  }
  // The supervisor is ended last, by its own rule; it is nobody's claim.
  if (search.vetoes.supervisors.some((supervisor) => supervisor.identity.pid === pid)) return;
  const findings = search.found.get(pid);
  if (!findings) search.found.set(pid, [finding]);
  else if (
    !findings.some(({ kind, detail }) => kind === finding.kind && detail === finding.detail)
  ) {
    findings.push(finding);
  }
}

/** The origin according to the strongest evidence that names one. */
function originOf(search: Search, pid: number): Origin {
  const findings = [...(search.found.get(pid) ?? search.passed.get(pid) ?? [])].sort(byStrength);
  const best = findings.find(({ service }) => service !== null);
  return best ? { service: best.service, runId: best.runId } : { service: null, runId: null };
}

function toClaim(search: Search, pid: number): [number, Claim][] {
  const process = search.snapshot.byPid.get(pid);
  const findings = [...(search.found.get(pid) ?? [])].sort(byStrength);
  if (!process || findings.length === 0) return [];
  return [[pid, { process, ...originOf(search, pid), evidence: findings.map(toEvidence) }]];
}

function byStrength(a: Evidence, b: Evidence): number {
  return EVIDENCE_KINDS.indexOf(a.kind) - EVIDENCE_KINDS.indexOf(b.kind);
}

function toEvidence({ kind, detail }: Finding): Evidence {
  return { kind, detail };
}
