import { identityKey, sameIdentity } from '../processes/identity.ts';
import { livesIn, type ProcessInfo, type Snapshot } from '../processes/snapshot.ts';
import { ancestry } from './ancestry.ts';
import type { OwnershipFacts } from './claim.ts';
import type { Cookie } from './cookie.ts';
import { isGuardCommand, isRunCommand, isSupervisorCommand } from './devctl-argv.ts';

/** The processes that show which project stands above others. */
export interface Anchors {
  /** Other projects' cookies, by pid. */
  readonly foreignCookies: ReadonlyMap<number, Cookie>;
  /** Pids of our supervisors, guards, one-off parents and living leaders: what is below them is ours. */
  readonly ours: ReadonlySet<number>;
  /** Pids by which other projects show that they live: what is below them is theirs. */
  readonly elsewhere: ReadonlyMap<number, Anchor>;
}

/** The project that stands nearest above a process: a mark in an environment says less than that. */
export type NearestProject =
  | 'ours'
  | 'other'
  /** Only its control group shows the other project, of which perhaps nothing else lives. */
  | 'in-group-of-other'
  /** A supervisor or guard of another project is the parent: it may have adopted an orphan of ours. */
  | 'adopted-by-other'
  | 'none';

/**
 * Finds the project that stands nearest above a process: the first supervisor, guard, `devctl run` or recorded
 * process on the way up from it, and the control group that it is in.
 */
export function nearestProject(
  facts: OwnershipFacts,
  snapshot: Snapshot,
  { ours, elsewhere }: Pick<Anchors, 'ours' | 'elsewhere'>,
  process: ProcessInfo,
): NearestProject {
  const chain = ancestry(process.identity.pid, snapshot);
  const anchor = chain.find(({ identity: { pid } }) => ours.has(pid) || elsewhere.has(pid));
  if (anchor && elsewhere.has(anchor.identity.pid)) {
    const isAdopted = anchor === chain[1] && elsewhere.get(anchor.identity.pid) === 'resident';
    return isAdopted ? 'adopted-by-other' : 'other';
  }
  if (isInGroupOfOther(facts, snapshot, process, anchor)) return 'in-group-of-other';
  return anchor ? 'ours' : 'none';
}

/** How a control group stands to a process that is found among ours. */
export type NearerGroup =
  /** It lies below one of ours: the other project was started inside ours. */
  | 'nested'
  /** It lies elsewhere. It may be ours, from a path that nobody remembers. */
  | 'apart'
  | 'none';

/**
 * Tells whether the control group of another project is nearer to a process than we are: it lies below one of ours, or the
 * process is below a living process of ours outside of it. A project that was started inside another one and makes no
 * groups has all its processes in a group of the other one, which shows nothing.
 */
export function findNearerGroup(
  facts: OwnershipFacts,
  snapshot: Snapshot,
  { ours, elsewhere }: Pick<Anchors, 'ours' | 'elsewhere'>,
  process: ProcessInfo,
): NearerGroup {
  const names = projectGroups(snapshot.details.controlGroup(process));
  if (names.length === 0) return 'none';
  const chain = ancestry(process.identity.pid, snapshot);
  const nearest = chain.find(({ identity: { pid } }) => ours.has(pid) || elsewhere.has(pid));
  const anchor = nearest && !elsewhere.has(nearest.identity.pid) ? nearest : undefined;
  const isNested = names.some((name) => facts.project.groupNames.has(name));
  if (!isNested && anchor === undefined) return 'none';
  if (!isInGroupOfOther(facts, snapshot, process, anchor)) return 'none';
  return isNested ? 'nested' : 'apart';
}

/** Tells whether a process is in a group of another project that does not contain our own ancestor of it. */
function isInGroupOfOther(
  { project, groups = [], runs, witnessed }: OwnershipFacts,
  { details }: Snapshot,
  process: ProcessInfo,
  anchor: ProcessInfo | undefined,
): boolean {
  const inherited = anchor ? projectGroups(details.controlGroup(anchor)) : [];
  const innermost = projectGroups(details.controlGroup(process))
    .filter((name) => !inherited.includes(name))
    .at(-1);
  if (innermost === undefined || project.groupNames.has(innermost)) return false;
  // The folder may have had another path when the run began, and the group has its name from that.
  const [, ofRun = ''] = (details.controlGroup(process) ?? '').split(`/${innermost}/`);
  const [runId] = ofRun.split('/');
  if ([...runs, ...witnessed].some((known) => known.runId === runId)) return false;
  return !groups.some(({ folder }) => folder.split('/').includes(innermost));
}

/** The names of the control groups of projects on a path, `devctl-<hash>`, outermost first. */
function projectGroups(path: string | null): readonly string[] {
  return (path ?? '').split('/').filter((name) => /^devctl-[0-9a-f]{16}$/.test(name));
}

/** A process by which another project shows that it lives: a supervisor or guard, a `devctl run`, or a recorded one. */
export type Anchor =
  | 'resident'
  | 'run'
  | 'recorded'
  /** Only a ledger names it, see `RecordedElsewhere.onlySeen`. */
  | 'seen';

/**
 * Finds the processes by which another project shows that it lives: its supervisor, its guard, its `devctl run`, and
 * what its own records name.
 *
 * A role in the environment is not enough, because a service of ours may have read it from a file: the command line
 * must agree.
 *
 * @param marked pids of processes with the cookie of another project
 * @param ours pids of our supervisors, guards, `devctl run` commands and leaders
 */
export function findAnchorsElsewhere(
  facts: OwnershipFacts,
  snapshot: Snapshot,
  marked: ReadonlySet<number>,
  ours: ReadonlySet<number>,
): ReadonlyMap<number, Anchor> {
  const seenFirst = [...(facts.elsewhere ?? [])].sort(
    (a, b) => Number(b.onlySeen ?? false) - Number(a.onlySeen ?? false),
  );
  const recorded = new Map(seenFirst.map((named) => [identityKey(named.identity), named]));
  const anchors = new Map<number, Anchor>();
  for (const process of snapshot.byPid.values()) {
    const { identity } = process;
    const named = recorded.get(identityKey(identity));
    if (named && sameIdentity(named.identity, identity)) {
      if (!named.onlySeen) anchors.set(identity.pid, 'recorded');
      else if (!ours.has(identity.pid)) anchors.set(identity.pid, 'seen');
    }
    if (process.kernelThread || ours.has(identity.pid)) continue;
    const isMarked = marked.has(identity.pid);
    if (!isMarked && !hasMarkedChild(snapshot, identity.pid, marked)) continue;
    const argv = snapshot.details.argv(process) ?? [];
    const isResident = isMarked && (isSupervisorCommand(argv) || isGuardCommand(argv));
    if (isResident) anchors.set(identity.pid, 'resident');
    else if (isRunCommand(argv)) anchors.set(identity.pid, 'run');
  }
  return anchors;
}

/** `devctl run` carries the environment of its caller. Its child has the mark. */
function hasMarkedChild({ byParent }: Snapshot, pid: number, marked: ReadonlySet<number>): boolean {
  return (byParent.get(pid) ?? []).some(({ identity }) => marked.has(identity.pid));
}

/**
 * Tells whether the project of a cookie lives: then its mark on a process of ours may be right.
 *
 * @param members pids that are in a control group of a run of ours. With them, only a project counts that lives among
 *   our processes, because one of them has started it. Null: wherever it lives
 */
export function livesBeside(
  facts: OwnershipFacts,
  snapshot: Snapshot,
  { elsewhere, foreignCookies, ours }: Anchors,
  { projects, projectId }: Cookie,
  members: ReadonlySet<number> | null,
): boolean {
  const isSame = (other: Pick<Cookie, 'projects' | 'projectId'> | undefined): boolean =>
    other !== undefined &&
    (projectId !== null && other.projectId !== null
      ? projectId === other.projectId
      : projects.some((mark) => other.projects.includes(mark)));
  const isAmongUs = (pid: number): boolean =>
    members === null ||
    ancestry(pid, snapshot).some(
      ({ identity }) => members.has(identity.pid) || ours.has(identity.pid),
    );
  const named = (facts.elsewhere ?? []).some(
    ({ identity, mark, projectId: id }) =>
      livesIn(snapshot, identity) &&
      isSame({ projects: [mark], projectId: id }) &&
      isAmongUs(identity.pid),
  );
  if (named) return true;
  return [...elsewhere].some(([pid, anchor]) => {
    if (!isAmongUs(pid)) return false;
    if (anchor !== 'run') return isSame(foreignCookies.get(pid));
    const children = snapshot.byParent.get(pid) ?? [];
    return children.some(({ identity }) => isSame(foreignCookies.get(identity.pid)));
  });
}
