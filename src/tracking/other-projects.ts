import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ancestry } from '../ownership/ancestry.ts';
import type { ForeignMark, RecordedElsewhere } from '../ownership/claim.ts';
import { readCookie } from '../ownership/cookie.ts';
import { isSupervisorCommand } from '../ownership/devctl-argv.ts';
import { GUARD_NAME } from '../ownership/vetoes.ts';
import type { Identity } from '../processes/identity.ts';
import { readPidNamespace } from '../processes/pid-namespace.ts';
import { readProcLink } from '../processes/proc-file.ts';
import { isGone, type ProcessInfo, type Snapshot } from '../processes/snapshot.ts';
import { markOfPath, type ProjectFolder, projectFolder, variantOf } from '../project/folder.ts';
import { isInside } from '../project/inside.ts';
import { namedRunIds } from '../project/place/places.ts';
import { readFolderPlace, readPlace } from '../project/place/project-file.ts';
import { readRegistry } from '../project/place/registry.ts';
import { holdsProject } from '../project/place/standing.ts';
import { readProjectState } from './project-state.ts';

/** What is known of other projects whose marks were met. */
export interface OtherProjectsFound {
  /** The processes that their records name. */
  readonly recorded: readonly RecordedElsewhere[];
  /** Ids that live in another folder, or in another PID namespace. */
  readonly ids: ReadonlySet<string>;
}

/** Looks up other projects: in the registry of this user, and in the folders that their processes work in. */
export interface OtherProjects {
  find(own: ProjectFolder, marks: readonly ForeignMark[], snapshot: Snapshot): OtherProjectsFound;
}

/** The time for which an answer is good, in ms: a nested project would be looked up in every scan. */
const GOOD_MS = 1_000;

/** Opens the look-up. It remembers its last answer for a moment. */
export function openOtherProjects(): OtherProjects {
  let last: { readonly key: string; readonly atMs: number; found: OtherProjectsFound } | null =
    null;
  return {
    find(own, marks, snapshot) {
      const key = JSON.stringify(marks);
      if (last?.key !== key || snapshot.takenAtMs - last.atMs > GOOD_MS) {
        last = { key, atMs: snapshot.takenAtMs, found: lookUp(own, marks, snapshot) };
      }
      return last.found;
    },
  };
}

function lookUp(
  own: ProjectFolder,
  marks: readonly ForeignMark[],
  snapshot: Snapshot,
): OtherProjectsFound {
  const recorded: RecordedElsewhere[] = [];
  const ids = new Set<string>();
  for (const mark of marks) {
    const processes = processesOf(mark, snapshot);
    const folders = foldersOf(own, mark, processes, snapshot);
    for (const folder of folders) {
      for (const identity of identitiesIn(folder)) recorded.push({ ...mark, identity });
    }
    const { projectId } = mark;
    if (projectId === null) continue;
    const worksElsewhere = (process: ProcessInfo): boolean =>
      worksInOtherProject(own, projectId, process, snapshot);
    if (
      folders.length > 0 ||
      processes.some(isInOtherNamespace) ||
      processes.some(worksElsewhere)
    ) {
      ids.add(projectId);
    }
  }
  return { recorded, ids };
}

/**
 * Tells whether a process works in another project that is not inside of ours. So a project that was moved away is
 * known as such, even where its records or its manifest are lost.
 */
function worksInOtherProject(
  own: ProjectFolder,
  projectId: string,
  process: ProcessInfo,
  { details }: Snapshot,
): boolean {
  const cwd = details.cwd(process);
  if (cwd === null || isInside(own.root, cwd)) return false;
  // Its supervisor works in the folder of its project, whatever the records there say. A removed folder is none.
  const role = readCookie(details.environ(process) ?? '')?.role;
  if ((role === 'supervisor' || role === 'guard') && existsSync(cwd)) return true;
  const isProject = (folder: string): boolean =>
    existsSync(join(folder, own.manifestName)) || holdsProject(folder, projectId.slice(0, 16));
  const nearest = upwards(cwd).find(isProject);
  return nearest !== undefined && nearest !== own.root && !isInside(nearest, own.root);
}

/** A supervisor or guard: it works in the folder of its project, whatever the records there say. */
export interface Resident {
  readonly pid: number;
  readonly mark: string;
  readonly projectId: string;
  /** Its working directory: the kernel's word for where its project is. */
  readonly cwd: string | null;
}

/** Finds the supervisors and guards of all projects with a manifest of this name. */
export function findResidents(
  { manifestName }: ProjectFolder,
  { byPid, details }: Snapshot,
): readonly Resident[] {
  const variant = variantOf(manifestName);
  return [...byPid.values()].flatMap((process) => {
    if (isGone(process) || process.kernelThread) return [];
    const cookie = readCookie(details.environ(process) ?? '');
    const [mark, ...others] = cookie?.projects ?? [];
    const isResident = cookie?.role === 'supervisor' || cookie?.role === 'guard';
    if (!cookie || !isResident || mark === undefined || others.length > 0) return [];
    const { projectId } = cookie;
    if (projectId === null || projectId.slice(16) !== variant) return [];
    const argv = details.argv(process) ?? [];
    if (!isSupervisorCommand(argv) && process.name !== GUARD_NAME) return [];
    if (isInOtherNamespace(process)) return [];
    return [{ pid: process.identity.pid, mark, projectId, cwd: details.cwd(process) }];
  });
}

/** Tells whether a resident works in a folder that exists and is not this one, under whatever path it is seen. */
export function worksElsewhere({ root }: ProjectFolder, { cwd }: Resident): boolean {
  if (cwd === null || cwd === root) return false;
  const [there, here] = [cwd, root].map((path) => readFolderPlace(path, readPlace()));
  return Boolean(there) && !(there?.device === here?.device && there?.inode === here?.inode);
}

function processesOf(mark: ForeignMark, snapshot: Snapshot): readonly ProcessInfo[] {
  return [...snapshot.byPid.values()].filter((process) => {
    if (isGone(process) || process.kernelThread) return false;
    const cookie = readCookie(snapshot.details.environ(process) ?? '');
    return cookie?.projects.includes(mark.mark) && cookie.projectId === mark.projectId;
  });
}

/** The folders of a project, other than our own: by the registry, and by what its processes work in. */
function foldersOf(
  own: ProjectFolder,
  mark: ForeignMark,
  processes: readonly ProcessInfo[],
  snapshot: Snapshot,
): readonly ProjectFolder[] {
  const found = new Map<string, ProjectFolder>();
  const consider = (path: string, pidsDir?: string): void => {
    if (path === own.root && !hasTakenOver(own, mark)) return;
    if (found.has(path) || !isFolderOf(path, mark)) return;
    found.set(path, projectFolder(path, pidsDir));
  };
  for (const { path, pidsDir } of readRegistry()) {
    if (existsSync(path)) consider(path, pidsDir);
  }
  for (const process of processes) {
    for (const folder of upwards(snapshot.details.cwd(process))) consider(folder);
  }
  return [...found.values()];
}

/** The run ids in the records of projects that were moved away from this path while something ran. */
export function runsMovedAway(path: string): ReadonlySet<string> {
  const moved = readRegistry().flatMap((entry) => {
    if (entry.path === path || !existsSync(entry.pidsDir)) return [];
    const folder = projectFolder(entry.path, entry.pidsDir);
    return folder.id === entry.id && folder.paths.includes(path) ? [folder] : [];
  });
  const runs = moved.flatMap((folder) => {
    const { records, ledger } = readProjectState(folder);
    return [...records, ...ledger].map(({ runId }) => runId);
  });
  return new Set(runs);
}

/**
 * Finds the runs that another folder keeps: its records name the run and a process of the run works there, or the
 * supervisor or guard above the run does. Our own records may carry the id of a project that was moved away.
 *
 * @param processes processes with our mark, by runs that our own records do not know
 * @param residents pids of supervisors and guards that work in another folder
 */
export function runsKeptElsewhere(
  own: ProjectFolder,
  processes: ReadonlyMap<string, readonly ProcessInfo[]>,
  residents: ReadonlySet<number>,
  snapshot: Snapshot,
): ReadonlySet<string> {
  const isBelow = ({ ppid }: ProcessInfo): boolean =>
    ancestry(ppid, snapshot).some(({ identity: { pid } }) => residents.has(pid));
  const keeps = (folder: string, runId: string): boolean =>
    namedRunIds(join(folder, '.pids')).includes(runId);
  const kept = [...processes].filter(([runId, members]) => {
    if (residents.size > 0 && members.some(isBelow)) return true;
    const folders = members
      .map((member) => snapshot.details.cwd(member))
      .filter((cwd) => cwd !== null && !isInside(own.root, cwd));
    return [...new Set(folders)].some((cwd) => upwards(cwd).some((folder) => keeps(folder, runId)));
  });
  return new Set(kept.map(([runId]) => runId));
}

/** Tells whether the mark may be of the project that has our path since our folder was removed. */
function hasTakenOver({ id }: ProjectFolder, { projectId }: ForeignMark): boolean {
  return id !== null && projectId !== null && id.slice(0, 16) !== projectId.slice(0, 16);
}

/** Where both are known the id decides, because another checkout may be at the path by now. */
function isFolderOf(path: string, { mark, projectId }: ForeignMark): boolean {
  if (projectId !== null) return holdsProject(path, projectId.slice(0, 16));
  return markOfPath(path) === mark;
}

function upwards(path: string | null): readonly string[] {
  const folders: string[] = [];
  if (path === null || !path.startsWith('/')) return folders;
  for (let folder = path; ; folder = dirname(folder)) {
    folders.push(folder);
    if (folder === dirname(folder)) return folders;
  }
}

/** Every process that the records of a project name. */
function identitiesIn(folder: ProjectFolder): readonly Identity[] {
  const { records, ledger, supervisor } = readProjectState(folder);
  return [
    ...records.flatMap(({ leader, guard, supervisor: parent }) => [leader, guard, parent]),
    ...ledger.map(({ identity }) => identity),
    supervisor?.identity ?? null,
  ].flatMap((identity) => identity ?? []);
}

function isInOtherNamespace({ identity: { pid } }: ProcessInfo): boolean {
  const namespace = readProcLink(`/proc/${pid}/ns/pid`);
  return namespace !== null && namespace !== readPidNamespace();
}
