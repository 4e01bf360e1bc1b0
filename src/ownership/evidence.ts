import { sameIdentity } from '../processes/identity.ts';
import { isGone, type ProcessInfo, type Snapshot } from '../processes/snapshot.ts';
import { isInside } from '../project/inside.ts';
import { ancestry } from './ancestry.ts';
import type { LegacyPid, OwnershipFacts, RunGroup } from './claim.ts';
import { livesBeside } from './nearest-project.ts';
import type { ClaimSearch, Finding } from './search.ts';
import type { Vetoes } from './vetoes.ts';

/** Collects the evidence that a process shows by itself, without looking at its relatives. */
export function directEvidence(search: ClaimSearch, process: ProcessInfo): Finding[] {
  const { facts, snapshot, vetoes } = search;
  const { identity } = process;
  const findings: Finding[] = [];

  for (const { leader, service, runId, oneOff, terminal } of search.runs.get(identity.pid) ?? []) {
    const keepers = terminal ? [terminal.session, terminal.holder] : [];
    if (keepers.some((one) => sameIdentity(one, identity)) && leadsItsSession(process)) {
      const detail = `recorded as keeping the terminal of ${service}`;
      findings.push({ kind: 'leader', detail, service, runId });
    }
    if (!leader || !sameIdentity(leader, identity)) continue;
    // A leader on a terminal leads no session that could confirm the record. Its cookie can.
    const confirmed = oneOff?.terminal
      ? vetoes.cookies.get(identity.pid)?.runId === runId
      : leadsItsSession(process) || process.sid === terminal?.session.pid;
    if (confirmed) {
      findings.push({
        kind: 'leader',
        detail: `recorded as the leader of ${service}`,
        service,
        runId,
      });
    }
  }
  for (const group of search.groups.get(identity.pid) ?? []) {
    if (!isInGroup(group.path, snapshot.details.controlGroup(process))) continue;
    if (isBelowNested(search, group, process)) continue;
    if (search.sharedGroups.has(group) && !vetoes.cookies.has(identity.pid)) continue;
    const { service, runId } = group;
    findings.push({
      kind: 'cgroup',
      detail: `in the control group of run ${runId}`,
      service,
      runId,
    });
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
  for (const listed of facts.legacyPids) {
    if (identity.startTicks > listed.writtenTicks || !isListed(snapshot, listed, process)) continue;
    if (isKnownOtherwise(search, listed, process)) continue;
    if (!isInside(facts.root, snapshot.details.cwd(process))) continue;
    const { pid, service } = listed;
    const detail =
      pid === identity.pid
        ? 'listed in services.pids'
        : `in process group ${pid}, listed in services.pids.groups`;
    findings.push({ kind: 'founding-file', detail, service, runId: null });
  }
  return findings;
}

/** Tells whether a process is listed, or is in a listed group whose leader has died. */
function isListed(snapshot: Snapshot, listed: LegacyPid, process: ProcessInfo): boolean {
  if (listed.pid === process.identity.pid) return true;
  if (listed.kind !== 'group' || listed.pid <= 1 || listed.pid !== process.pgid) return false;
  // A living leader is judged by itself, and its group follows from that.
  const leader = snapshot.byPid.get(listed.pid);
  return !leader || isGone(leader);
}

/**
 * Tells whether the records or the ledger know the listed number as another process. They have a start
 * time and the list has none, so the number has changed hands, however young the list looks.
 */
function isKnownOtherwise(
  { leaders }: ClaimSearch,
  { pid }: LegacyPid,
  { identity }: ProcessInfo,
): boolean {
  const known = leaders.filter((leader) => leader.identity.pid === pid);
  return known.length > 0 && !known.some((leader) => sameIdentity(leader.identity, identity));
}

/**
 * Tells whether a process leads its own session. A leader was spawned so, and the kernel lets no session
 * leader leave its session (setsid(2), setpgid(2)). A record that points to any other process was edited or
 * is damaged.
 */
function leadsItsSession({ identity, sid, pgid }: ProcessInfo): boolean {
  return pgid === identity.pid && (sid === identity.pid || sid === 0);
}

/** Path of a nested project's own control groups below one of ours: processes in them are not ours. */
const NESTED_PROJECT = /\/devctl-[^/]*\//;

function isInGroup(group: string, path: string | null): boolean {
  if (path === null) return false;
  return (
    path === group ||
    (path.startsWith(`${group}/`) && !NESTED_PROJECT.test(`${path.slice(group.length)}/`))
  );
}

/**
 * Tells whether a process is below a nested project that has no control groups of its own, so that the
 * nested supervisor and its services are in ours.
 */
function isBelowNested(
  { snapshot, vetoes }: ClaimSearch,
  { pids }: RunGroup,
  process: ProcessInfo,
): boolean {
  return ancestry(process.ppid, snapshot).some(
    ({ identity: { pid } }) => pids.has(pid) && vetoes.elsewhere.has(pid),
  );
}

/**
 * Finds the groups of ours that services of a nested project are in, because that project has no groups of its own. Once
 * the nested supervisor is dead, its daemons cannot be told from ours there, so only our cookie counts.
 */
export function findSharedGroups(
  facts: OwnershipFacts,
  snapshot: Snapshot,
  vetoes: Vetoes,
): ReadonlySet<RunGroup> {
  const known = new Set([...facts.runs, ...facts.witnessed].map(({ runId }) => runId));
  return new Set(
    facts.groups?.filter((group) =>
      isShared(group, known.has(group.runId), facts, snapshot, vetoes),
    ),
  );
}

/** @param isKnown false: nobody has recorded this run. A group has the name of a path, so it may be that of another project */
function isShared(
  group: RunGroup,
  isKnown: boolean,
  facts: OwnershipFacts,
  snapshot: Snapshot,
  vetoes: Vetoes,
): boolean {
  const members = isKnown ? group.pids : null;
  // A project that was at our path lives in another folder: a group that nobody has recorded may be its own.
  if (!isKnown && facts.project.idsElsewhere.size > 0) return true;
  return [...group.pids].some((pid) => {
    const process = snapshot.byPid.get(pid);
    const cookie = vetoes.foreignCookies.get(pid);
    // The mark of another project with this very run: the group is that project's.
    if (!isKnown && cookie?.runId === group.runId) return true;
    // A nested supervisor, guard or tool is in our group in any case.
    if (!process || !cookie || cookie.role) return false;
    // A mark that a service has read from a file makes no project.
    const isNested =
      vetoes.elsewhere.has(pid) || livesBeside(facts, snapshot, vetoes, cookie, members);
    return isNested && isInGroup(group.path, snapshot.details.controlGroup(process));
  });
}
