import { sameMachine } from '../processes/identity.ts';
import { isGone, type ProcessInfo, type Snapshot } from '../processes/snapshot.ts';
import type { Claim, EvidenceKind, Ownership, OwnershipFacts, Witnessed } from './claim.ts';
import { directEvidence, isSharedGroup } from './evidence.ts';
import { claimLeaderless, findLeaders } from './leaders.ts';
import { openFileEvidence } from './open-files.ts';
import {
  add,
  byStrength,
  type Finding,
  type Origin,
  originOf,
  type Search,
  toEvidence,
} from './search.ts';
import { findStaleRuns } from './stale.ts';
import { ancestry, findVetoes, type Veto } from './vetoes.ts';

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
    sharedGroups: new Set(
      facts.groups?.filter((group) => isSharedGroup(group, snapshot, vetoes.byPid)),
    ),
    adopters: [],
    found: new Map(),
    passed: new Map(),
    spared: new Map(),
  };

  for (const process of snapshot.byPid.values()) {
    if (isGone(process)) continue;
    for (const finding of directEvidence(search, process)) add(search, process, finding);
    for (const finding of openFileEvidence(search, process)) add(search, process, finding);
  }
  for (const supervisor of vetoes.supervisors) claimChildren(search, supervisor, 'supervisor');
  for (const guard of vetoes.guards) claimChildren(search, guard, 'guard');
  for (const { process, run } of vetoes.oneOffParents) {
    if (run.subreaper) claimChildren(search, process, 'devctl run', run);
  }

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
    guards: vetoes.guards,
    oneOffParents: vetoes.oneOffParents,
    adopters: [
      ...vetoes.supervisors,
      ...vetoes.guards,
      ...vetoes.oneOffParents.map(({ process }) => process),
    ].filter(({ identity }) => search.adopters.includes(identity.pid)),
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

const NOBODYS: Origin = { service: null, runId: null };

/**
 * Whatever is a direct child of a supervisor is ours: it spawns only leaders and probes, and where it
 * is a subreaper every orphan becomes its child, however it escaped. A guard spawns only the supervisor,
 * and inherits what that one leaves. The holder of a one-off spawns only that.
 */
function claimChildren(
  search: Search,
  { identity: { pid } }: ProcessInfo,
  role: 'supervisor' | 'guard' | 'devctl run',
  { service, runId }: Origin = NOBODYS,
): void {
  const nested = findNestedProject(search, pid);
  if (!nested) search.adopters.push(pid);
  const own = [...search.vetoes.supervisors, ...search.vetoes.guards];
  for (const child of search.snapshot.byParent.get(pid) ?? []) {
    if (isGone(child) || own.includes(child)) continue;
    const detail = `child of the ${role} (pid ${pid})`;
    const finding = { kind: 'descendant', detail, service, runId } as const;
    const isKnown = [search.found, search.vetoes.cookies].some((map) =>
      map.has(child.identity.pid),
    );
    if (nested && !isKnown) {
      search.spared.set(child.identity.pid, { findings: [finding], veto: nested });
    } else add(search, child, finding);
  }
}

/**
 * Another project that was started inside one of our services, and so lives below our supervisor. Where no
 * guard of its own holds it, its orphans come to ours, and those that have cleared their environment cannot
 * be told from ours: then only what is known as ours counts.
 */
function findNestedProject({ snapshot, vetoes }: Search, top: number): Veto | null {
  for (const [pid, veto] of vetoes.byPid) {
    if (veto.kind !== 'other-project') continue;
    const above = ancestry(pid, snapshot).map(({ identity }) => identity.pid);
    if (!above.includes(top)) continue;
    // Between the two: we may stand below a guard of somebody else's ourselves.
    const between = above.slice(0, above.indexOf(top));
    if (between.some((one) => vetoes.foreignGuards.has(one))) continue;
    return { kind: 'other-project', detail: `may be of a project below us: ${veto.detail}` };
  }
  return null;
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

function toClaim(search: Search, pid: number): [number, Claim][] {
  const process = search.snapshot.byPid.get(pid);
  const findings = [...(search.found.get(pid) ?? [])].sort(byStrength);
  if (!process || findings.length === 0) return [];
  return [[pid, { process, ...originOf(search, pid), evidence: findings.map(toEvidence) }]];
}
