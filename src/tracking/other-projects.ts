import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ForeignMark, RecordedElsewhere } from '../ownership/claim.ts';
import { readCookie } from '../ownership/cookie.ts';
import type { Identity } from '../processes/identity.ts';
import { isGone, type ProcessInfo, type Snapshot } from '../processes/snapshot.ts';
import { type ProjectFolder, projectFolder } from '../project/folder.ts';
import { foldersUpwards, isInside } from '../project/inside.ts';
import { markOfPath } from '../project/names.ts';
import { readRegistry } from '../project/place/registry.ts';
import { holdsProject } from '../project/place/standing.ts';
import { folderIdOf } from '../project/project-id.ts';
import { readProjectState } from './project-state.ts';
import { isAtSamePathElsewhere, isInOtherNamespace } from './residents.ts';

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
    const worksInOther = (process: ProcessInfo): boolean =>
      worksInOtherProject(own, projectId, process, snapshot);
    const isElsewhere = (process: ProcessInfo): boolean =>
      isInOtherNamespace(process) ||
      isAtSamePathElsewhere(own, process, snapshot) ||
      worksInOther(process);
    if (folders.length > 0 || processes.some(isElsewhere)) {
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
    existsSync(join(folder, own.manifestName)) || holdsProject(folder, folderIdOf(projectId));
  const nearest = foldersUpwards(cwd).find(isProject);
  return nearest !== undefined && nearest !== own.root && !isInside(nearest, own.root);
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
    for (const folder of foldersUpwards(snapshot.details.cwd(process))) consider(folder);
  }
  return [...found.values()];
}

/** Tells whether the mark may be of the project that has our path since our folder was removed. */
function hasTakenOver({ id }: ProjectFolder, { projectId }: ForeignMark): boolean {
  return id !== null && projectId !== null && folderIdOf(id) !== folderIdOf(projectId);
}

/** Where both are known the id decides, because another checkout may be at the path by now. */
function isFolderOf(path: string, { mark, projectId }: ForeignMark): boolean {
  if (projectId !== null) return holdsProject(path, folderIdOf(projectId));
  return markOfPath(path) === mark;
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
