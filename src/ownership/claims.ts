/*
 * The files of this folder, which answers: whose process is it?
 *
 *   evidence-kinds   the kinds of evidence and of vetoes
 *   claim            the data: claims, spared processes, and the facts they are drawn from
 *   claims           finds every process that is ours: all evidence, then the closure over families;
 *                    records that no longer describe a process
 *   search           the state of that search, and the only way to a claim
 *   evidence         evidence that a process shows by itself
 *   open-files       evidence from open files and ports
 *   leaders          evidence from dead leaders of sessions and groups
 *   cookie           our mark in the environment: written and read
 *   vetoes           processes that no evidence makes ours; supervisors and guards
 *   one-off-parents  living `devctl run` commands
 *   devctl-argv      command lines of devctl itself
 *   protection       programs that weak evidence must not claim, and those that the manifest protects
 *   personal-programs  the built-in list of the latter
 *   whose-cookie     whether a mark with an id is ours
 *   nearest-project  which project is nearer to a process
 *   nameless         which manifest of a folder has witnessed a process of no known run
 *   just-forked      judges a single process in the middle of a scan
 *   sweep            the last net: programs that look like ours
 *   patterns         command lines that the sweep looks for and those that it protects
 */
import { sameIdentity, sameMachine } from '../processes/identity.ts';
import { isGone, type ProcessInfo, type Snapshot } from '../processes/snapshot.ts';
import { ancestry } from './ancestry.ts';
import type { Claim, Ownership, OwnershipFacts, Run, StaleRun } from './claim.ts';
import { directEvidence, findSharedGroups } from './evidence.ts';
import type { EvidenceKind } from './evidence-kinds.ts';
import { claimLeaderless, findLeaders } from './leaders.ts';
import { findSharedOutputs, openFileEvidence } from './open-files.ts';
import {
  addFinding,
  byStrength,
  type ClaimSearch,
  type Finding,
  isOfNearerProject,
  type Origin,
  originOf,
  strongestOrigin,
  toEvidence,
} from './search.ts';
import { findVetoes, type Veto, type Vetoes } from './vetoes.ts';
import { isCookieInDoubt } from './whose-cookie.ts';

/**
 * Finds every living process that is ours.
 *
 * No single evidence is enough (measured): the process group misses every turbo task, the session
 * misses the nx daemon, the cookie misses turbo tasks and postgres backends, and the parent chain
 * misses everything once a parent is dead. So the result is the union of all evidence, closed under
 * "child of", "in a session led by" and "in a group led by".
 *
 * Never throws. When in doubt a process is not ours: other evidence finds a missed orphan, but nothing
 * revives a dead bystander.
 */
export function claimProcesses(known: OwnershipFacts, snapshot: Snapshot): Ownership {
  const vetoes = findVetoes(known, snapshot);
  const facts = withNamedGroups(known, vetoes.cookies);
  const search: ClaimSearch = {
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
    runs: indexByPid(facts.runs, ({ leader, terminal }) =>
      [leader, terminal?.session, terminal?.holder].flatMap((one) => one?.pid ?? []),
    ),
    groups: indexByPid(facts.groups ?? [], ({ pids }) => pids),
    witnessed: indexByPid(facts.witnessed, ({ identity }) => [identity.pid]),
    sharedGroups: findSharedGroups(facts, snapshot, vetoes),
    groupsInDoubt: findGroupsInDoubt(facts, vetoes),
    sharedOutputs: new Set(),
    adopters: [],
    found: new Map(),
    passed: new Map(),
    spared: new Map(),
    protectedBy: new Map(),
    foreignMarks: new Map(vetoes.unsettled.map((mark) => [`${mark.mark} ${mark.projectId}`, mark])),
  };

  findSharedOutputs(search);
  for (const process of snapshot.byPid.values()) {
    if (isGone(process)) continue;
    for (const finding of directEvidence(search, process)) addFinding(search, process, finding);
    if (isOfUnwanted(search, process)) continue;
    for (const finding of openFileEvidence(search, process)) addFinding(search, process, finding);
  }
  for (const supervisor of vetoes.supervisors) claimChildren(search, supervisor, 'supervisor');
  for (const guard of vetoes.guards) claimChildren(search, guard, 'guard');
  for (const { process, run } of vetoes.oneOffParents) {
    if (run.subreaper) claimChildren(search, process, 'devctl run', run);
  }

  sparePerhapsOurs(search);
  spareUnreadable(search);

  let sizeBefore = -1;
  while (sizeBefore !== search.found.size + search.passed.size) {
    sizeBefore = search.found.size + search.passed.size;
    closeOverFamilies(search, search.passed);
    closeOverFamilies(search, search.found);
    claimLeaderless(search);
  }

  return {
    claims: new Map([...search.found].flatMap(([pid]) => toClaim(search, pid))),
    spared: [...search.spared].flatMap(([pid, { findings, veto }]) => {
      const process = snapshot.byPid.get(pid);
      if (!process || search.found.has(pid)) return [];
      const { service } = strongestOrigin(findings);
      return [{ process, service, evidence: findings.map(toEvidence), veto }];
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
    foreignMarks: [...search.foreignMarks.values()],
  };
}

/** Tells whether a process is known to be of a service that is not asked for. No open file outweighs that evidence. */
function isOfUnwanted(search: ClaimSearch, { identity: { pid } }: ProcessInfo): boolean {
  const { wanted } = search.facts.openFiles ?? {};
  if (!wanted || !search.found.has(pid)) return false;
  const { service } = originOf(search, pid);
  return service !== null && !wanted.has(service);
}

/** Names the services of control groups whose runs have lost their records, by the cookies of these runs. */
function withNamedGroups(facts: OwnershipFacts, cookies: Vetoes['cookies']): OwnershipFacts {
  const unnamed = facts.groups?.filter(({ service }) => service === null) ?? [];
  if (unnamed.length === 0) return facts;
  const services = new Map([...cookies.values()].map(({ runId, service }) => [runId, service]));
  const groups = facts.groups?.map((group) => ({
    ...group,
    service: group.service ?? services.get(group.runId) ?? null,
  }));
  return groups ? { ...facts, groups } : facts;
}

/**
 * Finds the runs whose control groups have the name of our path while nothing shows that they are ours. A mark of ours
 * in the group shows it.
 */
function findGroupsInDoubt(
  { groups = [], project, runs, witnessed }: OwnershipFacts,
  { cookies }: Vetoes,
): ReadonlySet<string> {
  const isMovedPerhaps = project.inDoubt !== undefined;
  const known = new Set([...runs, ...witnessed].map(({ runId }) => runId));
  const proved = new Set(
    [...cookies.values()].filter((one) => !isCookieInDoubt(project, one)).map(({ runId }) => runId),
  );
  const unproved = groups.filter(
    ({ runId, byNameOnly }) =>
      (byNameOnly || isMovedPerhaps) && !known.has(runId) && !proved.has(runId),
  );
  return new Set(unproved.map(({ runId }) => runId));
}

/** Leaves alone what records name of which nobody can tell whether they are ours. */
function sparePerhapsOurs({ facts, snapshot, vetoes, spared }: ClaimSearch): void {
  for (const { identity, service, runId, why } of facts.perhapsOurs ?? []) {
    const process = snapshot.byPid.get(identity.pid);
    if (!process || isGone(process) || !sameIdentity(process.identity, identity)) continue;
    // devctl itself, and what runs it, is nobody's survivor.
    const known = vetoes.byPid.get(identity.pid);
    if (known && known.kind !== 'other-project') continue;
    const finding = { kind: 'ledger', detail: 'recorded here', service, runId } as const;
    spared.set(identity.pid, { findings: [finding], veto: { kind: 'in-doubt', detail: why } });
  }
}

/**
 * Leaves alone what has a number that a record of this boot names, where the record cannot be compared with this snapshot:
 * it was written in another PID namespace, or with the other kind of process table. The process may be the recorded one.
 */
function spareUnreadable({ facts, snapshot, vetoes, spared }: ClaimSearch): void {
  const veto = {
    kind: 'in-doubt',
    detail:
      'a record has its number, and cannot be compared with it: it has the times of another process table',
  } as const;
  const residents = [...vetoes.supervisors, ...vetoes.guards];
  const leaders = facts.runs.map((run) => ({ ...run, identity: run.leader }));
  for (const { identity, service, runId } of [...leaders, ...facts.witnessed]) {
    if (!identity || identity.bootId !== snapshot.bootId || sameMachine(identity, snapshot))
      continue;
    const { pid } = identity;
    const process = snapshot.byPid.get(pid);
    if (!process || isGone(process) || vetoes.byPid.has(pid) || residents.includes(process))
      continue;
    if (facts.exemptRuns?.includes(runId ?? '') || spared.has(pid)) continue;
    const finding = { kind: 'ledger', detail: 'its number is recorded', service, runId } as const;
    spared.set(pid, { findings: [finding], veto });
  }
}

/** Without it each process would be compared with each run and each group: with 250 services that took half of a look. */
function indexByPid<Entry>(
  entries: readonly Entry[],
  pidsOf: (entry: Entry) => Iterable<number>,
): ReadonlyMap<number, readonly Entry[]> {
  const index = new Map<number, Entry[]>();
  for (const entry of entries) {
    for (const pid of new Set(pidsOf(entry))) {
      const list = index.get(pid);
      if (list) list.push(entry);
      else index.set(pid, [entry]);
    }
  }
  return index;
}

const NO_ORIGIN: Origin = { service: null, runId: null };

/**
 * Claims the direct children of a supervisor, a guard or a one-off parent.
 *
 * A supervisor spawns only leaders and probes, and where it is a subreaper every orphan becomes its child,
 * however the orphan escaped. A guard spawns only the supervisor, and inherits the orphans of a dead
 * supervisor. A one-off parent spawns only its one-off.
 */
function claimChildren(
  search: ClaimSearch,
  { identity: { pid } }: ProcessInfo,
  role: 'supervisor' | 'guard' | 'devctl run',
  { service, runId }: Origin = NO_ORIGIN,
): void {
  const nestedVeto = findNestedProject(search, pid);
  if (!nestedVeto) search.adopters.push(pid);
  const residents = [...search.vetoes.supervisors, ...search.vetoes.guards];
  for (const child of search.snapshot.byParent.get(pid) ?? []) {
    if (isGone(child) || residents.includes(child)) continue;
    const detail = `child of the ${role} (pid ${pid})`;
    const finding = { kind: 'descendant', detail, service, runId } as const;
    const isKnown = [search.found, search.vetoes.cookies].some((map) =>
      map.has(child.identity.pid),
    );
    if (nestedVeto && !isKnown && !isOfNearerProject(search, child)) {
      search.spared.set(child.identity.pid, { findings: [finding], veto: nestedVeto });
    } else addFinding(search, child, finding);
  }
}

/**
 * Finds another project that was started inside one of our services, and so lives below our supervisor.
 *
 * Where that project has no guard, our supervisor adopts its orphans, and an orphan that has cleared its
 * environment looks like ours. Then only children that other evidence proves to be ours are claimed.
 *
 * @param top pid of the supervisor, guard or one-off parent
 * @returns the veto for every other child of `top`; null when there is no such project
 */
function findNestedProject(search: ClaimSearch, top: number): Veto | null {
  const { snapshot, vetoes } = search;
  const unmarked = (snapshot.byParent.get(top) ?? []).filter(
    (child) => !isGone(child) && isOfNearerProject(search, child),
  );
  const known = unmarked.map(({ identity: { pid } }) => {
    const detail = `a record or a control group shows that pid ${pid} is of another project`;
    return [pid, { kind: 'other-project', detail }] as const;
  });
  for (const [pid, veto] of [...vetoes.byPid, ...known]) {
    // A recorded process of ours may have read another project's mark from a file. That makes no project.
    if (veto.kind !== 'other-project' || search.found.has(pid)) continue;
    const above = ancestry(pid, snapshot).map(({ identity }) => identity.pid);
    if (!above.includes(top)) continue;
    // Only a guard between the two counts, because a foreign guard may also stand above `top`.
    const between = above.slice(0, above.indexOf(top));
    if (between.some((ancestor) => vetoes.foreignGuards.has(ancestor))) continue;
    return { kind: 'in-doubt', detail: `may be of a project below us: ${veto.detail}` };
  }
  return null;
}

/** Claims the children of `heads`, and the members of the sessions and groups that they lead. */
function closeOverFamilies(search: ClaimSearch, heads: ReadonlyMap<number, Finding[]>): void {
  const { snapshot } = search;
  // A map's iterator also visits keys that are added during the walk, so this loop reaches the whole closure.
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
        // A member older than its head belongs to an earlier process with the same number.
        if (member.identity.startTicks < head.identity.startTicks) continue;
        addFinding(search, member, { kind, detail, ...origin });
      }
    }
  }
}

function toClaim(search: ClaimSearch, pid: number): [number, Claim][] {
  const process = search.snapshot.byPid.get(pid);
  const findings = [...(search.found.get(pid) ?? [])].sort(byStrength);
  if (!process || findings.length === 0) return [];
  return [[pid, { process, ...originOf(search, pid), evidence: findings.map(toEvidence) }]];
}

/**
 * Finds the records that no longer describe the process whose number they carry.
 *
 * A run whose leader has simply ended is not stale: it is over, and may have left orphans.
 */
function findStaleRuns(runs: readonly Run[], snapshot: Snapshot): readonly StaleRun[] {
  return runs.flatMap((run): StaleRun[] => {
    if (run.pidNamespace !== snapshot.pidNamespace) {
      const detail =
        'written in another PID namespace (a container?), where its numbers mean others';
      return [{ run, kind: 'other-namespace', detail }];
    }
    if (run.bootId !== snapshot.bootId) {
      return [{ run, kind: 'before-boot', detail: 'written before the last boot of this machine' }];
    }
    const current = run.leader && snapshot.byPid.get(run.leader.pid);
    if (!run.leader || !current || sameIdentity(run.leader, current.identity)) return [];
    const detail = `pid ${run.leader.pid} is another process now (${current.name}), it was not touched`;
    return [{ run, kind: 'pid-reused', detail }];
  });
}
