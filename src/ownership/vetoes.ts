import { type Identity, sameIdentity } from '../processes/identity.ts';
import { isGone, type ProcessInfo, type Snapshot } from '../processes/snapshot.ts';
import { ancestry } from './ancestry.ts';
import type { ForeignMark, OneOffParent, OwnershipFacts } from './claim.ts';
import { type Cookie, readCookie } from './cookie.ts';
import type { VetoKind } from './evidence-kinds.ts';
import { type Anchors, findAnchorsElsewhere } from './nearest-project.ts';
import { findOneOffParents } from './one-off-parents.ts';
import { isCookieOf, isUnsettled } from './whose-cookie.ts';

/** The process name of a guard at work. Before its execve(2) it is still Node, and no subreaper yet. */
export const GUARD_NAME = 'sleep';

/** The reason why a process is left alone although evidence points to it. */
export interface Veto {
  readonly kind: VetoKind;
  readonly detail: string;
}

/**
 * The vetoes of a snapshot, and devctl's own processes in it. Only a recorded leader and a control group of ours outweigh a
 * veto, and only that of another project's mark: see `search.ts`.
 */
export interface Vetoes extends Anchors {
  readonly byPid: ReadonlyMap<number, Veto>;
  readonly supervisors: readonly ProcessInfo[];
  readonly guards: readonly ProcessInfo[];
  readonly oneOffParents: readonly OneOffParent[];
  /** Pids of other projects' guards: orphans below such a guard do not become children of our supervisor. */
  readonly foreignGuards: ReadonlySet<number>;
  /** This project's cookies, by pid. */
  readonly cookies: ReadonlyMap<number, Cookie>;
  /** Cookies with our mark and another id, or none: whether that project lives elsewhere decides whose they are. */
  readonly unsettled: readonly ForeignMark[];
}

/**
 * Finds every process that must not be touched, and reads all cookies on the way, so that each environment is read only
 * once. Another project's cookie is a veto.
 */
export function findVetoes(facts: OwnershipFacts, snapshot: Snapshot): Vetoes {
  const byPid = new Map<number, Veto>();
  const cookies = new Map<number, Cookie>();
  const candidates: ProcessInfo[] = [];
  const guards: ProcessInfo[] = [];
  const foreignGuards = new Set<number>();
  const foreignCookies = new Map<number, Cookie>();
  const unsettled = new Map<string, ForeignMark>();

  for (const process of snapshot.byPid.values()) {
    const { pid } = process.identity;
    if (pid <= 1) byPid.set(pid, { kind: 'init', detail: 'process 1 adopts orphans' });
    else if (process.kernelThread) byPid.set(pid, { kind: 'kernel-thread', detail: process.name });
    else if (!isGone(process)) {
      const cookie = readCookie(snapshot.details.environ(process) ?? '');
      // A devctl in a container with the project mounted has our mark, and its supervisor is not ours.
      const contained = cookie && containerVeto(snapshot, process);
      if (contained) {
        byPid.set(pid, contained);
        continue;
      }
      if (cookie && (isUnsettled(facts.project, cookie) || isUnidentified(facts, cookie))) {
        const [mark = ''] = cookie.projects;
        unsettled.set(cookie.projectId ?? mark, { mark, projectId: cookie.projectId });
      }
      const isElsewhere = facts.residentsElsewhere?.has(pid) ?? false;
      if (cookie && (isElsewhere || !isCookieOf(facts.project, cookie))) {
        foreignCookies.set(pid, cookie);
        byPid.set(pid, { kind: 'other-project', detail: describeForeign(facts, cookie) });
        if (cookie.role === 'guard' && process.name === GUARD_NAME) foreignGuards.add(pid);
      } else if (cookie?.role === 'supervisor' || isRecordedSupervisor(facts, snapshot, process))
        candidates.push(process);
      else if (cookie?.role === 'guard') guards.push(process);
      else if (cookie?.role === 'tool') {
        byPid.set(pid, { kind: 'own-child', detail: 'a tool of the supervisor' });
      } else if (cookie) cookies.set(pid, cookie);
    }
  }

  // Between fork(2) and execve(2) a child of a supervisor still shows the supervisor's environment.
  const supervisors = candidates.filter(
    ({ ppid }) => !candidates.some(({ identity }) => identity.pid === ppid),
  );
  // In the middle of its execve(2) a guard shows no environment. Then a supervisor's parent with the name of a
  // guard is its guard.
  for (const { ppid } of supervisors) {
    const parent = snapshot.byPid.get(ppid);
    if (parent?.name !== GUARD_NAME || isGone(parent) || guards.includes(parent)) continue;
    if (snapshot.details.environ(parent) === '') guards.push(parent);
  }
  // A tool may end before its environment can be read. Then its group tells: every leader begins with
  // setsid(2), and no process can join a group of another session (setpgid(2)).
  for (const { identity, pgid } of supervisors) {
    for (const child of snapshot.byParent.get(identity.pid) ?? []) {
      if (child.pgid !== pgid || pgid <= 1 || cookies.has(child.identity.pid)) continue;
      byPid.set(child.identity.pid, { kind: 'own-child', detail: 'a tool of the supervisor' });
    }
  }
  const oneOffParents = findOneOffParents(facts, snapshot);
  const adopters = [
    ...supervisors,
    ...oneOffParents.filter(({ run }) => run.subreaper).map(({ process }) => process),
  ];
  for (const pid of descendantsOfSelf(facts, snapshot, adopters)) {
    byPid.set(pid, { kind: 'own-child', detail: 'started by this devctl command' });
  }
  // Above a supervisor stands the process that started it, perhaps one of its own services, which a stop may
  // end. So a supervisor vetoes only itself.
  const isSupervisor = supervisors.some(({ identity }) => identity.pid === facts.self.pid);
  const runners = ancestry(facts.self.pid, snapshot).slice(0, isSupervisor ? 1 : undefined);
  for (const [index, process] of runners.entries()) {
    const detail = index === 0 ? 'this devctl command' : 'runs this devctl command';
    byPid.set(process.identity.pid, { kind: index === 0 ? 'self' : 'ancestor', detail });
  }
  const ours = new Set(
    [...supervisors, ...guards, ...oneOffParents.map(({ process }) => process)].map(pidOf),
  );
  for (const { leader } of facts.runs) {
    const found = leader && snapshot.byPid.get(leader.pid);
    if (found && !isGone(found) && sameIdentity(found.identity, leader)) ours.add(leader.pid);
  }
  const elsewhere = findAnchorsElsewhere(facts, snapshot, new Set(foreignCookies.keys()), ours);
  return {
    byPid,
    supervisors,
    guards,
    oneOffParents,
    foreignGuards,
    cookies,
    foreignCookies,
    unsettled: [...unsettled.values()],
    ours,
    elsewhere,
  };
}

/**
 * Vetoes a process in a container of a container engine, whatever evidence there is: its engine would take its end for a
 * crash, or start it again, and a project that is mounted there at its own path makes it look like ours.
 */
export function containerVeto({ details }: Snapshot, process: ProcessInfo): Veto | null {
  const id = details.container?.(process) ?? null;
  if (id === null) return null;
  return {
    kind: 'container',
    detail: `it is in the container ${id.slice(0, 12)}: docker stop ${id.slice(0, 12)}`,
  };
}

/** Tells whether a cookie has a mark of ours without an id, and a run that is not known to be ours. */
function isUnidentified({ project, runs, witnessed }: OwnershipFacts, cookie: Cookie): boolean {
  const { projects, projectId, runId } = cookie;
  if (projectId !== null || !projects.every((mark) => project.marks.has(mark))) return false;
  return runId === null || ![...runs, ...witnessed].some((known) => known.runId === runId);
}

function pidOf({ identity }: ProcessInfo): number {
  return identity.pid;
}

/** The variable that names the other project: the mark, or the id where the mark could be ours. */
function describeForeign({ project }: OwnershipFacts, { projects, projectId }: Cookie): string {
  const other = projects.find((mark) => !project.marks.has(mark));
  return other === undefined ? `DEVCTL_PROJECT_ID=${projectId}` : `DEVCTL_PROJECT=${other}`;
}

/**
 * Tells whether a process is the supervisor of the record. Anyone may edit the record, and a stop kills the
 * process that it names. So the record alone proves nothing, and where the environment can be read the
 * cookie decides.
 */
function isRecordedSupervisor(
  facts: OwnershipFacts,
  snapshot: Snapshot,
  process: ProcessInfo,
): boolean {
  if (!facts.supervisor || !sameIdentity(facts.supervisor, process.identity)) return false;
  if (sameIdentity(facts.self, process.identity)) return true;
  if (snapshot.details.environ(process) !== null) return false;
  if (ancestry(facts.self.pid, snapshot).includes(process)) return false;
  // Joined, because `ps` splits a folder with a space in its name into two words.
  const line = (snapshot.details.argv(process) ?? []).join(' ');
  const { paths } = facts.project;
  return paths.some((path) => `${line} `.includes(`/supervisor/main.js ${path} `));
}

/**
 * Lists the pids of the tools that the asking process spawned for itself, with all their descendants.
 *
 * The children of a supervisor or of a one-off parent are no tools. Neither are recorded and witnessed
 * processes: where the asking process is process 1, the orphans of a dead supervisor are its children.
 *
 * @param adopters supervisors, and one-off parents that are subreapers
 */
function descendantsOfSelf(
  facts: OwnershipFacts,
  snapshot: Snapshot,
  adopters: readonly ProcessInfo[],
): readonly number[] {
  const excluded = new Set(adopters.map(({ identity }) => identity.pid));
  const excludeIfAlive = (identity: Identity): void => {
    const found = snapshot.byPid.get(identity.pid);
    if (found && sameIdentity(found.identity, identity)) excluded.add(identity.pid);
  };
  if (excluded.has(facts.self.pid)) return [];
  for (const { leader } of facts.runs) if (leader) excludeIfAlive(leader);
  for (const { identity } of facts.witnessed) excludeIfAlive(identity);
  const found: number[] = [];
  const queue = [facts.self.pid];
  for (let parent = queue.pop(); parent !== undefined; parent = queue.pop()) {
    for (const { identity } of snapshot.byParent.get(parent) ?? []) {
      if (excluded.has(identity.pid) || found.includes(identity.pid)) continue;
      found.push(identity.pid);
      queue.push(identity.pid);
    }
  }
  return found;
}
