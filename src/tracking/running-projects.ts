import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ancestry } from '../ownership/ancestry.ts';
import { type Cookie, readCookie } from '../ownership/cookie.ts';
import { isRunCommand } from '../ownership/devctl-argv.ts';
import type { Identity } from '../processes/identity.ts';
import { isGone, livesIn, type ProcessInfo, type Snapshot } from '../processes/snapshot.ts';
import { isOwnUser } from '../processes/users.ts';
import { readWorkingFolder } from '../processes/working-folder.ts';
import { projectFolder } from '../project/folder.ts';
import { foldersUpwards } from '../project/inside.ts';
import { markOfPath } from '../project/names.ts';
import { readPlace, readProjectRecord } from '../project/place/project-file.ts';
import { type RegistryEntry, readRegistry } from '../project/place/registry.ts';
import { isSamePlace } from '../project/place/same-project.ts';
import { folderIdOf } from '../project/project-id.ts';
import { readProjectState } from './project-state.ts';

/** A project of this user of which something lives. */
export interface RunningProject {
  /** Null: its processes carry none, because an early version of devctl has started them. */
  readonly id: string | null;
  /** The values of DEVCTL_PROJECT in the environments of its processes. */
  readonly marks: readonly string[];
  /** Where its folder is, or was last; null: not known. */
  readonly path: string | null;
  /** True where that folder was removed, or is that of another project by now. */
  readonly gone: boolean;
  /** Its records folder, as the registry has it; null: not known. */
  readonly pidsDir: string | null;
  /** Its living processes, without those of devctl. */
  readonly processes: readonly ProcessInfo[];
  /** The start of its oldest process, devctl's among them, in `Identity.startTicks` units. */
  readonly sinceTicks: number;
  readonly supervisor: Identity | null;
  /** True where a supervisor or a `devctl run` cares for it. */
  readonly attended: boolean;
}

/**
 * Finds every project of this user of which something lives: by the marks in environments, and by the records of the
 * projects in the registry. Changes nothing.
 *
 * @param self the process that asks, which does not count
 */
export function findRunningProjects(snapshot: Snapshot, self: Identity): readonly RunningProject[] {
  const registry = readRegistry().filter((entry) => isSamePlace(entry, readPlace()));
  const groups = groupByProject(snapshot, self);
  for (const entry of registry) {
    if (!groups.some(({ id }) => id !== null && folderIdOf(id) === entry.id)) {
      groups.push(...recordedGroup(entry, snapshot));
    }
  }
  return groups
    .map((group) => describe(group, registry, snapshot))
    .sort((a, b) => a.sinceTicks - b.sinceTicks);
}

/** The processes of one project. */
interface Group {
  readonly id: string | null;
  readonly marks: Set<string>;
  readonly members: Member[];
}

interface Member {
  readonly process: ProcessInfo;
  /** 'service': any process that is not devctl's own. */
  readonly role: 'service' | NonNullable<Cookie['role']>;
}

function groupByProject(snapshot: Snapshot, self: Identity): Group[] {
  const cookies = readCookies(snapshot, self);
  const groups = new Map<string, Group>();
  const groupOf = new Map<number, Group>();
  for (const [pid, { projects, projectId }] of cookies) {
    const [mark = ''] = projects;
    const key = projectId ?? mark;
    const group = groups.get(key) ?? { id: projectId, marks: new Set(), members: [] };
    groups.set(key, group);
    group.marks.add(mark);
    groupOf.set(pid, group);
  }
  for (const process of snapshot.byPid.values()) {
    if (isGone(process) || process.kernelThread || process.identity.pid === self.pid) continue;
    // A process without a mark below one with a mark has cleared its environment.
    const marked = ancestry(process.identity.pid, snapshot).find(({ identity }) =>
      cookies.has(identity.pid),
    );
    if (!marked) continue;
    const role = (marked === process && cookies.get(process.identity.pid)?.role) || 'service';
    groupOf.get(marked.identity.pid)?.members.push({ process, role });
  }
  return withoutNameless([...groups.values()]);
}

/** The cookies of this user's processes. A process whose two variables disagree belongs to no project. */
function readCookies({ byPid, details }: Snapshot, self: Identity): ReadonlyMap<number, Cookie> {
  const cookies = new Map<number, Cookie>();
  for (const process of byPid.values()) {
    const { pid } = process.identity;
    if (isGone(process) || process.kernelThread || pid === self.pid) continue;
    const cookie = readCookie(details.environ(process) ?? '');
    if (cookie?.projects.length === 1 && isOwnUser(details.uid(process))) cookies.set(pid, cookie);
  }
  return cookies;
}

/** Puts processes without an id to the one project that has their mark. */
function withoutNameless(groups: readonly Group[]): Group[] {
  const known = groups.filter(({ id }) => id !== null);
  return groups.filter((group) => {
    if (group.id !== null) return true;
    const [mark = ''] = group.marks;
    const [same, ...others] = known.filter(({ marks }) => marks.has(mark));
    if (!same || others.length > 0) return true;
    same.members.push(...group.members);
    return false;
  });
}

/** The living processes that the records of a project name although no mark shows them. */
function recordedGroup({ id, path, pidsDir }: RegistryEntry, snapshot: Snapshot): readonly Group[] {
  if (!existsSync(pidsDir)) return [];
  const folder = projectFolder(path, pidsDir);
  if (folder.id !== id) return [];
  const { records, supervisor } = readProjectState(folder);
  const named: readonly (readonly [Identity | null | undefined, Member['role']])[] = [
    ...records.flatMap(({ leader, guard }) => [
      [leader, 'service'] as const,
      [guard, 'guard'] as const,
    ]),
    [supervisor?.identity, 'supervisor'],
  ];
  const members = named.flatMap(([identity, role]) => {
    const process = identity && livesIn(snapshot, identity) && snapshot.byPid.get(identity.pid);
    return process ? [{ process, role }] : [];
  });
  return members.length === 0 ? [] : [{ id, marks: new Set([folder.mark]), members }];
}

function describe(
  { id, marks, members }: Group,
  registry: readonly RegistryEntry[],
  snapshot: Snapshot,
): RunningProject {
  const entry = registry.find((one) => id !== null && one.id === folderIdOf(id)) ?? null;
  const supervisor = members.find(({ role }) => role === 'supervisor');
  const runs = members.some(({ process: { ppid } }) => {
    const parent = snapshot.byPid.get(ppid);
    return parent !== undefined && isRunCommand(snapshot.details.argv(parent) ?? []);
  });
  return {
    id,
    marks: [...marks],
    ...findFolder({ id, marks, members }, entry, snapshot),
    pidsDir: entry?.pidsDir ?? null,
    processes: members.flatMap(({ process, role }) => (role === 'service' ? [process] : [])),
    sinceTicks: Math.min(...members.map(({ process }) => process.identity.startTicks)),
    supervisor: supervisor?.process.identity ?? null,
    attended: supervisor !== undefined || runs,
  };
}

/**
 * Finds the folder of a project. The registry knows it where the folder holds the id; else the kernel knows where
 * the supervisor works, which is the project folder; else a folder above a process of the project has its mark.
 */
function findFolder(
  { id, marks, members }: Group,
  entry: RegistryEntry | null,
  { details }: Snapshot,
): Pick<RunningProject, 'path' | 'gone'> {
  const held = entry && readProjectRecord(entry.pidsDir);
  const holder = held?.kind === 'record' ? held.record.id : null;
  if (entry && holder === entry.id && existsSync(entry.path)) {
    return { path: entry.path, gone: false };
  }
  for (const { process, role } of members) {
    const path = role === 'supervisor' ? details.cwd(process) : null;
    if (path !== null) {
      return { path, gone: readWorkingFolder(process.identity.pid).kind === 'removed' };
    }
  }
  for (const { process } of members) {
    const path = foldersUpwards(details.cwd(process)).find((folder) =>
      marks.has(markOfPath(folder)),
    );
    if (path) return { path, gone: !existsSync(path) || isTakenOver(path, id) };
  }
  const path = entry?.path ?? null;
  return { path, gone: path !== null && (!existsSync(path) || holder !== null) };
}

/** Tells whether another project has the path by now. */
function isTakenOver(path: string, id: string | null): boolean {
  const read = readProjectRecord(join(path, '.pids'));
  return id !== null && read.kind === 'record' && read.record.id !== folderIdOf(id);
}
