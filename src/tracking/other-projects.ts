import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ancestry } from '../ownership/ancestry.ts';
import type { Claim, ForeignMark, RecordedElsewhere } from '../ownership/claim.ts';
import { readCookie } from '../ownership/cookie.ts';
import type { ProjectIdentity } from '../ownership/whose-cookie.ts';
import { sameMachine } from '../processes/identity.ts';
import { isGone, type ProcessInfo, type Snapshot } from '../processes/snapshot.ts';
import { type ProjectFolder, projectFolder } from '../project/folder.ts';
import { foldersUpwards, isInside } from '../project/inside.ts';
import type { LedgerEntry } from '../project/ledger-lines.ts';
import { markOfPath } from '../project/names.ts';
import { isOfFolder } from '../project/place/beside.ts';
import {
  holdsProject,
  isReplaced,
  recordsFolderOf,
  recordsFoldersIn,
} from '../project/place/holders.ts';
import { namesSomething } from '../project/place/places.ts';
import { lookUpProject, readRegistry } from '../project/place/registry.ts';
import { folderIdOf } from '../project/project-id.ts';
import { readFolderRecords } from '../project/records.ts';
import { readProjectState } from './project-state.ts';
import { findResidents, isAtSamePathElsewhere, isInOtherNamespace } from './residents.ts';

/** The other projects whose marks were met, as far as they are known. */
export interface OtherProjectsFound {
  /** The processes that their records name. */
  readonly recorded: readonly RecordedElsewhere[];
  /** Ids that live in another folder, or in another PID namespace. */
  readonly ids: ReadonlySet<string>;
  /** Missing: nothing is in doubt. */
  readonly inDoubt?: NonNullable<ProjectIdentity['inDoubt']>;
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
  // Kept, because the last process with our id may end before the others of its run.
  const left = new Set<string>();
  return {
    find(own, marks, snapshot) {
      const key = JSON.stringify(marks);
      if (last?.key !== key || snapshot.takenAtMs - last.atMs > GOOD_MS) {
        for (const runId of runsLeftBy(own, snapshot)) left.add(runId);
        last = { key, atMs: snapshot.takenAtMs, found: lookUp(own, marks, snapshot, left) };
      }
      return last.found;
    },
  };
}

/**
 * Lists the runs that a removed project has left, by the id in the environment of their processes. The supervisor of the
 * project that has our path now has them in its ledgers, because whatever runs at a path is an orphan of that path.
 */
function runsLeftBy({ id, isReplaced }: ProjectFolder, snapshot: Snapshot): readonly string[] {
  if (!isReplaced || id === null) return [];
  return [...snapshot.byPid.values()].flatMap((process) => {
    const cookie = readCookie(snapshot.details.environ(process) ?? '');
    return cookie?.projectId === id ? (cookie.runId ?? []) : [];
  });
}

/** @param left runs of ours, which another project has only seen where its records do not name them */
function lookUp(
  own: ProjectFolder,
  marks: readonly ForeignMark[],
  snapshot: Snapshot,
  left: ReadonlySet<string>,
): OtherProjectsFound {
  const recorded: RecordedElsewhere[] = [];
  const ids = new Set<string>();
  const inDoubt = { ids: new Set<string>(), runs: new Set<string>() };
  for (const mark of marks) {
    const processes = processesOf(mark, snapshot);
    const folders = foldersOf(own, mark, processes, snapshot);
    for (const folder of folders) {
      const isOurs = (runId: string): boolean => left.has(runId) && mark.projectId !== own.id;
      for (const named of namedIn(folder, isOurs)) recorded.push({ ...named, ...mark });
    }
    const { projectId } = mark;
    const works = processes.map((process) => workplaceOf(own, projectId, process, snapshot));
    if (projectId === null) {
      // Without an id the projects that had our path cannot be told apart, so each run is asked by itself.
      for (const { place, runId } of works) if (place === 'perhaps') inDoubt.runs.add(runId ?? '');
    } else if (
      folders.length > 0 ||
      works.some(({ place }) => place === 'elsewhere') ||
      containedElsewhere(processes, snapshot) ||
      processes.some((process) => isAtSamePathElsewhere(own, process, snapshot))
    ) {
      ids.add(projectId);
    } else if (
      (works.some(({ place }) => place === 'perhaps') || !wasOurs(own, projectId)) &&
      !works.some(({ place }) => place === 'here')
    ) {
      inDoubt.ids.add(projectId);
    }
  }
  const isInDoubt = inDoubt.ids.size + inDoubt.runs.size > 0;
  return { recorded, ids, ...(isInDoubt ? { inDoubt } : {}) };
}

/**
 * Where a process with a mark of ours works.
 *
 * - here: in our folder
 * - elsewhere: in another folder that is that of its project
 * - perhaps: in another project, which has lost its records, or which a service of ours works in
 */
type Workplace = 'here' | 'elsewhere' | 'perhaps' | 'nowhere';

function workplaceOf(
  own: ProjectFolder,
  projectId: string | null,
  process: ProcessInfo,
  { details }: Snapshot,
): { readonly place: Workplace; readonly runId: string | null } {
  const cookie = readCookie(details.environ(process) ?? '');
  const cwd = details.cwd(process);
  return { place: place(), runId: cookie?.runId ?? null };

  function place(): Workplace {
    if (cwd === null) return 'nowhere';
    if (isInside(own.root, cwd)) return 'here';
    const holds = (folder: string): boolean =>
      projectId !== null && holdsProject(folder, folderIdOf(projectId));
    // Its supervisor works in the folder of its project, whatever the records there say. A removed folder is none.
    const isResident = cookie?.role === 'supervisor' || cookie?.role === 'guard';
    if (projectId !== null && isResident && existsSync(cwd)) return 'elsewhere';
    const nearest = foldersUpwards(cwd).find(
      (folder) => existsSync(join(folder, own.manifestName)) || holds(folder),
    );
    if (nearest === undefined || isInside(nearest, own.root)) return 'nowhere';
    return holds(nearest) ? 'elsewhere' : 'perhaps';
  }
}

/**
 * Tells whether a project lives in another PID namespace. A service may start one of its own, as browsers do for their
 * sandboxes: then a process of the same project stands above it, in our namespace.
 */
function containedElsewhere(processes: readonly ProcessInfo[], snapshot: Snapshot): boolean {
  const [contained, outside] = [true, false].map((isIn) =>
    processes.filter((process) => isInOtherNamespace(process) === isIn),
  );
  const ours = new Set(outside?.map(({ identity }) => identity.pid));
  return (contained ?? []).some(
    ({ ppid }) => !ancestry(ppid, snapshot).some(({ identity }) => ours.has(identity.pid)),
  );
}

function processesOf(mark: ForeignMark, snapshot: Snapshot): readonly ProcessInfo[] {
  return [...snapshot.byPid.values()].filter((process) => {
    if (isGone(process) || process.kernelThread) return false;
    const cookie = readCookie(snapshot.details.environ(process) ?? '');
    return cookie?.projects.includes(mark.mark) && cookie.projectId === mark.projectId;
  });
}

/**
 * Reads the records of the folders in which processes work that only our mark ties to us. A service of such a project may
 * have read our environment from a file, and its supervisor may be dead.
 */
export function recordedAtWork(
  own: ProjectFolder,
  claims: Iterable<Claim>,
  { details }: Snapshot,
): readonly RecordedElsewhere[] {
  const weak = [...claims].filter(({ evidence }) =>
    evidence.every(({ kind }) => kind === 'cookie' || kind === 'ledger'),
  );
  return recordedInFolders(own, new Set(weak.map(({ process }) => details.cwd(process))));
}

/** Reads the records of other projects that hold some of these working directories. */
export function recordedInFolders(
  own: ProjectFolder,
  places: ReadonlySet<string | null>,
): readonly RecordedElsewhere[] {
  const outside = [...places].filter((cwd) => cwd !== null && !isInside(own.root, cwd));
  const folders = new Set(outside.flatMap(foldersUpwards));
  return [...folders].flatMap((path) => {
    const pidsDir = join(path, '.pids');
    if (path === own.root || pidsDir === own.pidsDir || !existsSync(pidsDir)) return [];
    return namedIn(projectFolder(path));
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
    const held = mark.projectId && recordsFolderOf(path, folderIdOf(mark.projectId));
    found.set(path, projectFolder(path, pidsDir ?? held ?? undefined));
  };
  for (const { path, pidsDir } of readRegistry()) {
    if (existsSync(path)) consider(path, pidsDir);
  }
  for (const process of processes) {
    for (const folder of foldersUpwards(snapshot.details.cwd(process))) consider(folder);
  }
  return [...found.values()];
}

/**
 * Tells whether the mark may be of the project that has our path since our folder was removed. A folder that holds both
 * ids has had two records folders.
 */
function hasTakenOver(own: ProjectFolder, { projectId }: ForeignMark): boolean {
  if (own.id === null || projectId === null) return false;
  if (folderIdOf(own.id) === folderIdOf(projectId)) return false;
  const there = recordsFolderOf(own.root, folderIdOf(projectId));
  const holds = [own.pidsDir, there].map((dir) => dir !== null && isOfFolder(own.root, dir));
  return own.isReplaced === true || holds.includes(false);
}

/**
 * Tells whether our own folder had this id before its records were lost, as far as the registry knows. Otherwise the
 * project of the id may have been moved away from our path.
 */
function wasOurs({ root, paths }: ProjectFolder, projectId: string): boolean {
  const entry = lookUpProject(folderIdOf(projectId));
  if (entry === null || !paths.includes(entry.path)) return false;
  return entry.path !== root || !isReplaced(entry);
}

/** Where both are known the id decides, because another checkout may be at the path by now. */
function isFolderOf(path: string, { mark, projectId }: ForeignMark): boolean {
  if (projectId !== null) return holdsProject(path, folderIdOf(projectId));
  return markOfPath(path) === mark;
}

/** The logs and processes that the records of other projects name. */
interface NamedByOthers {
  readonly logs: readonly string[];
  readonly named: readonly RecordedElsewhere[];
}

/**
 * Reads the records of every other project of this user, by the registry and by where supervisors work. Logs of
 * runs of another boot or namespace are left out, because none of these runs lives here.
 */
export function recordsOfOthers(own: ProjectFolder, snapshot: Snapshot): NamedByOthers {
  const registry = readRegistry();
  const residents = findResidents(own, snapshot).flatMap(({ cwd }) => cwd ?? []);
  const paths = new Set([...registry.map(({ path }) => path), ...residents]);
  const found = [...paths].flatMap((path): NamedByOthers[] => {
    if (path === own.root || !existsSync(path)) return [];
    return recordsFoldersIn(path, registry).flatMap((pidsDir): NamedByOthers[] => {
      if (pidsDir === own.pidsDir || !namesSomething(pidsDir)) return [];
      const folder = projectFolder(path, pidsDir);
      // One project, seen at two paths.
      if (own.id !== null && folder.id !== null && folderIdOf(folder.id) === folderIdOf(own.id))
        return [];
      const { records, foreign } = readFolderRecords(folder);
      const logs = [...records, ...foreign].filter((run) => sameMachine(run, snapshot));
      return [{ logs: logs.map(({ log }) => log), named: namedIn(folder) }];
    });
  });
  return {
    logs: found.flatMap(({ logs }) => logs),
    named: found.flatMap(({ named }) => named),
  };
}

/**
 * Every process that the records of a project name.
 *
 * @param isOurs tells the runs of which the ledgers are no evidence against us
 */
function namedIn(
  folder: ProjectFolder,
  isOurs: (runId: string) => boolean = () => false,
): readonly RecordedElsewhere[] {
  const { mark, id: projectId } = folder;
  const { records, ledger, supervisor } = readProjectState(folder);
  const isOfRun = ({ runId }: LedgerEntry): boolean =>
    records.some((record) => record.runId === runId);
  const recorded = [
    ...records.flatMap(({ leader, guard, supervisor: parent, terminal }) => [
      leader,
      guard,
      parent,
      terminal?.session,
      terminal?.holder,
    ]),
    supervisor?.identity,
  ].flatMap((identity) => (identity ? [{ mark, projectId, identity }] : []));
  const seen = ledger.filter(
    (entry) => isOfRun(entry) || entry.runId === null || !isOurs(entry.runId),
  );
  return [
    ...recorded,
    ...seen.map((entry) => ({
      mark,
      projectId,
      identity: entry.identity,
      onlySeen: !isOfRun(entry),
    })),
  ];
}
