import { type Identity, sameIdentity } from '../processes/identity.ts';
import { isGone, type ProcessInfo, type Snapshot } from '../processes/snapshot.ts';
import type { OneOffParent, OwnershipFacts, VetoKind } from './claim.ts';
import { type Cookie, readCookie } from './cookie.ts';
import { findOneOffParents } from './one-off-parents.ts';

/** What the kernel calls a guard that has become what it is to be; before, it is Node, and no subreaper yet. */
export const GUARD_NAME = 'sleep';

export interface Veto {
  readonly kind: VetoKind;
  readonly detail: string;
}

/** What no evidence outweighs, found once for each snapshot. */
export interface Vetoes {
  readonly byPid: ReadonlyMap<number, Veto>;
  readonly supervisors: readonly ProcessInfo[];
  readonly guards: readonly ProcessInfo[];
  readonly oneOffParents: readonly OneOffParent[];
  /** Pids of other projects' guards: what they hold does not come to us. */
  readonly foreignGuards: ReadonlySet<number>;
  /** Cookies of this project, by pid. */
  readonly cookies: ReadonlyMap<number, Cookie>;
}

/**
 * Finds every process that must not be touched, and reads the cookies on the way: another
 * project's cookie is a veto, and each environment is read only once.
 */
export function findVetoes(facts: OwnershipFacts, snapshot: Snapshot): Vetoes {
  const byPid = new Map<number, Veto>();
  const cookies = new Map<number, Cookie>();
  const candidates: ProcessInfo[] = [];
  const guards: ProcessInfo[] = [];
  const foreignGuards = new Set<number>();

  for (const process of snapshot.byPid.values()) {
    const { pid } = process.identity;
    if (pid <= 1) byPid.set(pid, { kind: 'init', detail: 'process 1 adopts orphans' });
    else if (process.kernelThread) byPid.set(pid, { kind: 'kernel-thread', detail: process.name });
    else if (!isGone(process)) {
      const cookie = readCookie(snapshot.details.environ(process) ?? '');
      if (cookie?.projects.some((project) => project !== facts.projectId)) {
        const other = cookie.projects.find((project) => project !== facts.projectId);
        byPid.set(pid, { kind: 'other-project', detail: `DEVCTL_PROJECT=${other}` });
        if (cookie.role === 'guard' && process.name === GUARD_NAME) foreignGuards.add(pid);
      } else if (cookie?.role === 'supervisor' || isRecordedSupervisor(facts, snapshot, process))
        candidates.push(process);
      else if (cookie?.role === 'guard') guards.push(process);
      else if (cookie?.role === 'tool') {
        byPid.set(pid, { kind: 'own-child', detail: 'a tool of the supervisor' });
      } else if (cookie) cookies.set(pid, cookie);
    }
  }

  // Between fork and exec, what a supervisor spawns still shows the supervisor's environment.
  const supervisors = candidates.filter(
    ({ ppid }) => !candidates.some(({ identity }) => identity.pid === ppid),
  );
  // In the middle of its execve(2) a guard shows no environment; but what a supervisor is the child of then, and
  // is called that, is its guard.
  for (const { ppid } of supervisors) {
    const parent = snapshot.byPid.get(ppid);
    if (parent?.name !== GUARD_NAME || isGone(parent) || guards.includes(parent)) continue;
    if (snapshot.details.environ(parent) === '') guards.push(parent);
  }
  // A tool that ended before its environment could be read. The group tells: leaders begin with setsid,
  // and nobody can join a group of another session.
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
  // Above a supervisor is who has started it, from inside one of its services perhaps: that one may end.
  const isSupervisor = supervisors.some(({ identity }) => identity.pid === facts.self.pid);
  const runners = ancestry(facts.self.pid, snapshot).slice(0, isSupervisor ? 1 : undefined);
  for (const [index, process] of runners.entries()) {
    const detail = index === 0 ? 'this devctl command' : 'runs this devctl command';
    byPid.set(process.identity.pid, { kind: index === 0 ? 'self' : 'ancestor', detail });
  }
  return { byPid, supervisors, guards, oneOffParents, foreignGuards, cookies };
}

/**
 * Is it the supervisor of the record? The record is a file that anyone may edit, and what it names is
 * killed: alone it proves nothing, and where the environment can be read, the cookie decides.
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
  // Joined: `ps` takes a folder with a space in its name for two words.
  const line = (snapshot.details.argv(process) ?? []).join(' ');
  return `${line} `.includes(`/supervisor/main.js ${facts.root} `);
}

/** A process, its parent, and so on up to process 1 (which is left out). */
export function ancestry(pid: number, snapshot: Snapshot): readonly ProcessInfo[] {
  const chain: ProcessInfo[] = [];
  let current = snapshot.byPid.get(pid);
  while (current && current.identity.pid > 1 && !chain.includes(current)) {
    chain.push(current);
    current = snapshot.byPid.get(current.ppid);
  }
  return chain;
}

/**
 * What the asking process spawned itself. The children of a supervisor, or of the holder of a one-off, are no
 * tools; and
 * where the asking process is process 1, the orphans of a supervisor that has died are its children.
 */
function descendantsOfSelf(
  facts: OwnershipFacts,
  snapshot: Snapshot,
  supervisors: readonly ProcessInfo[],
): readonly number[] {
  const keep = new Set(supervisors.map(({ identity }) => identity.pid));
  const keepIfAlive = (identity: Identity): void => {
    const found = snapshot.byPid.get(identity.pid);
    if (found && sameIdentity(found.identity, identity)) keep.add(identity.pid);
  };
  if (keep.has(facts.self.pid)) return [];
  for (const { leader } of facts.runs) if (leader) keepIfAlive(leader);
  for (const { identity } of facts.witnessed) keepIfAlive(identity);
  const found: number[] = [];
  const queue = [facts.self.pid];
  for (let parent = queue.pop(); parent !== undefined; parent = queue.pop()) {
    for (const { identity } of snapshot.byParent.get(parent) ?? []) {
      if (keep.has(identity.pid) || found.includes(identity.pid)) continue;
      found.push(identity.pid);
      queue.push(identity.pid);
    }
  }
  return found;
}
