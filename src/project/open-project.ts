import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DevctlError } from '../errors.ts';
import { type ManifestQuery, noManifest, startFolder } from '../manifest/locate.ts';
import { type ManifestOutline, readManifestOutline } from '../manifest/outline.ts';
import { DEVCTL } from '../own-command.ts';
import type { DeclaredPorts } from '../processes/ports.ts';
import { folderOfManifest, logsFolderOf, type ProjectFolder, projectFolder } from './folder.ts';
import { isInside } from './inside.ts';
import { namesSomething } from './place/places.ts';
import { readRegistry } from './place/registry.ts';
import { findRegistered } from './place/standing.ts';
import { readRecords } from './records.ts';
import { inspectFolder } from './safe-folder.ts';
import type { ServiceRecord } from './service-record.ts';
import { firstMarked, namesProcesses } from './without-manifest.ts';

/** A project, as far as it can be known without a valid manifest. */
export interface OpenProject {
  readonly folder: ProjectFolder;
  readonly outline: ManifestOutline;
  /** The fact that makes a folder a project without a manifest. Missing: none, the user is only in the folder. */
  readonly shownBy?: 'records' | 'processes' | 'name';
  /** The manifest of a folder above, which is not meant because this project is nearer. */
  readonly above?: string;
}

/**
 * Finds the project that the user means or is in.
 *
 * With `config` it is that manifest, or that folder. Without it, it is the nearest folder upwards that has a manifest,
 * valid or not; or records that name processes; or living processes with its mark. Where there is none, the project
 * is the folder itself, so that an emergency stop works after everything of it was deleted.
 *
 * @throws DevctlError 'usage', 'manifest-not-found', 'folder-gone': what the user has named is not there; 'unsafe': the
 *   nearest project is that of another user
 */
export function openProject(query: ManifestQuery): OpenProject {
  const outline = readManifestOutline(query);
  const named = query.config ?? query.file;
  if (named !== undefined) return openNamed(outline, named);
  const start = outline.kind === 'absent' ? outline.root : startFolder(query.cwd);
  const nearer = findNearer(start, outline.kind === 'absent' ? null : outline.root);
  if (nearer === null) return { folder: folderOf(outline), outline };
  const { folder, shownBy } = nearer;
  return {
    folder,
    outline: { kind: 'absent', root: folder.root, passedOver: [] },
    shownBy,
    ...(outline.kind === 'absent' ? {} : { above: outline.file }),
  };
}

/**
 * Opens the project of a folder that is known to be one. A manifest that is missing, or cannot be read, changes
 * nothing in that.
 *
 * @param manifest absolute path
 */
export function openKnownProject(folder: ProjectFolder, manifest: string): OpenProject {
  return { folder, outline: readManifestOutline({ file: manifest }) };
}

/**
 * Opens a project once more. Returns null while the manifest cannot be read, because somebody edits it
 * or the folder is gone: then the caller keeps what it had.
 */
export function reopenProject(query: ManifestQuery): OpenProject | null {
  try {
    return openProject(query);
  } catch {
    return null;
  }
}

/** A query that leads to this very project again, wherever this process is by then. */
export function steadyQuery({ folder, outline }: OpenProject): ManifestQuery {
  return outline.kind === 'absent' ? { cwd: folder.root } : { file: outline.file };
}

function openNamed(outline: ManifestOutline, config: string): OpenProject {
  const folder = folderOf(outline);
  if (outline.kind !== 'absent') return { folder, outline };
  const shownBy = whatShows(folder);
  if (shownBy !== null) return { folder, outline, shownBy };
  const message = `${config}: in ${outline.root} is no manifest, and no record or process of a project`;
  throw new DevctlError('manifest-not-found', message, {
    hint: 'name a manifest or its folder with --config; the path is relative to the current folder',
  });
}

function folderOf(outline: ManifestOutline): ProjectFolder {
  if (outline.kind === 'absent')
    return projectFolder(outline.root, registeredRecords(outline.root));
  // The name of the records folder may be in the part that could not be read.
  const isUnread = outline.kind === 'broken' && outline.pidsDir === join(outline.root, '.pids');
  const registered = isUnread ? registeredRecords(outline.root) : undefined;
  return folderOfManifest(registered === undefined ? outline : { ...outline, pidsDir: registered });
}

/** The records folder of a project whose manifest does not tell it: the registry may know that it had another one. */
function registeredRecords(root: string): string | undefined {
  const usual = join(root, '.pids');
  const isMissing = inspectFolder(usual).kind === 'missing';
  if (!isMissing && namesSomething(usual)) return undefined;
  const entries = readRegistry().filter(
    ({ path, pidsDir }) => path === root && !isInside(usual, pidsDir),
  );
  const known = entries.find(({ id }) => findRegistered(id));
  return (known ?? (isMissing ? entries[0] : undefined))?.pidsDir;
}

type Shown = Required<Pick<OpenProject, 'folder' | 'shownBy'>>;

/**
 * Finds the nearest project without manifest.
 *
 * @param start the folder where the search begins
 * @param end the nearest folder above it that has a manifest; null: there is none
 * @throws DevctlError 'unsafe' where the records of another user are nearer than that manifest
 */
function findNearer(start: string, end: string | null): Shown | null {
  const between = foldersBetween(start, end);
  const bare: string[] = [];
  let recorded: ProjectFolder | null = null;
  for (const path of between) {
    recorded = recordedProjectIn(path);
    if (recorded || hasRecordsOfOthers(path)) break;
    bare.push(path);
  }
  const marked = firstMarked(bare);
  if (marked !== null) {
    const folder = projectFolder(marked, registeredRecords(marked));
    return { folder, shownBy: 'processes' };
  }
  const nearest = between[bare.length];
  if (!recorded && nearest !== undefined && end !== null) throw ofOtherUser(nearest, end);
  return recorded && { folder: recorded, shownBy: 'records' };
}

function foldersBetween(start: string, end: string | null): readonly string[] {
  const folders: string[] = [];
  for (let folder = start; folder !== end; folder = dirname(folder)) {
    folders.push(folder);
    if (folder === dirname(folder)) break;
  }
  return folders;
}

function hasRecordsOfOthers(path: string): boolean {
  const seen = inspectFolder(join(path, '.pids'));
  return seen.kind === 'refused' && seen.isOthers === true;
}

/** The failure where the user is in the folder of another user's project, which stands nearer than the manifest. */
function ofOtherUser(folder: string, above: string): DevctlError {
  return new DevctlError(
    'unsafe',
    `${join(folder, '.pids')} belongs to another user, so ${above} is not meant here`,
    { hint: `run devctl as that user; for the other project: --config ${above}` },
  );
}

function recordedProjectIn(path: string): ProjectFolder | null {
  // A folder of another user would make that user's folder, and everything that works in it, our
  // project.
  if (inspectFolder(join(path, '.pids')).kind !== 'own') return null;
  const folder = projectFolder(path);
  return namesProcesses(folder) ? folder : null;
}

function whatShows(folder: ProjectFolder): Shown['shownBy'] | null {
  if (namesProcesses(folder)) return 'records';
  return firstMarked([folder.root]) === null ? null : 'processes';
}

/**
 * The query that leads to the manifest of a project, wherever this process is, and to no other.
 *
 * @throws DevctlError 'manifest-not-found' where the project has none, although a folder above it may have one
 */
export function manifestQuery(project: OpenProject, { cwd, config }: ManifestQuery): ManifestQuery {
  const { outline, folder, shownBy, above } = project;
  if (outline.kind !== 'absent') return { cwd, file: outline.file };
  if (shownBy === undefined || config !== undefined) throw noManifest(outline, config);
  const adHoc = readRecords(folder).records.filter((record) => record.adHoc);
  if (adHoc.length > 0 && above === undefined) throw withoutDefinition(folder, adHoc);
  const what = shownBy === 'records' ? 'the records of services' : 'processes of services';
  const instead = above === undefined ? '' : `; the manifest ${above} is that of another project`;
  throw new DevctlError(
    'manifest-not-found',
    `${folder.root} has ${what}, but no .devctl.json any more${instead}`,
    {
      hint:
        above === undefined
          ? `write the manifest again (${DEVCTL} init), or end what is left: ${DEVCTL} stop`
          : `end what is left here: ${DEVCTL} stop; for the other project: --config ${above}`,
    },
  );
}

/** The failure of a command that needs a manifest, where the command line has started services. */
function withoutDefinition(
  { root }: ProjectFolder,
  records: readonly ServiceRecord[],
): DevctlError {
  const isOnce = records.some(({ once }) => once);
  const hint = isOnce
    ? `write one: ${DEVCTL} init`
    : `write them into one: ${DEVCTL} save; or end them: ${DEVCTL} stop`;
  const message = `${root} has services that no manifest defines, and no .devctl.json`;
  return new DevctlError('manifest-not-found', message, { hint });
}

/** A service as the manifest declares it, whether there is a record of it or not. */
export interface DeclaredService extends DeclaredPorts {
  readonly name: string;
  /** Absolute path. */
  readonly log: string;
}

/** Lists the services of the manifest, also when the manifest is not valid. */
export function declaredServices({ outline, folder }: OpenProject): readonly DeclaredService[] {
  if (outline.kind === 'absent') return [];
  const { services } = outline;
  const logsDir = logsFolderOf(folder, outline);
  return services.map(({ name, ports, udpPorts }) => ({
    name,
    ports,
    udpPorts,
    log: join(logsDir, `${name}.log`),
  }));
}

/**
 * Finds the project below this one that a folder belongs to, such as a worktree or an example. A manifest shows it, or
 * records that name something: its manifest may have gone, or may have another name.
 *
 * @param root real path of the project folder
 * @param path real path of any folder
 * @returns the folder of that project, null when there is none
 */
export function projectBelow(root: string, path: string): string | null {
  let folder = path;
  while (folder !== root && isInside(root, folder)) {
    if (existsSync(join(folder, '.devctl.json')) || hasRecords(folder)) return folder;
    folder = dirname(folder);
  }
  return null;
}

/** Tells whether records name processes of a project in a folder, in `.pids` or where the registry says. */
function hasRecords(path: string): boolean {
  if (recordedProjectIn(path) || hasRecordsOfOthers(path)) return true;
  const registered = readRegistry().filter((entry) => entry.path === path);
  return registered.some(({ pidsDir }) => namesProcesses(projectFolder(path, pidsDir)));
}

/**
 * Refuses a folder without manifest, records or processes: it is no project, and the user is in the
 * wrong place.
 *
 * @param foundSomething true when services or processes were found all the same
 * @throws DevctlError 'manifest-not-found'
 */
export function requireProject({ outline, shownBy }: OpenProject, foundSomething: boolean): void {
  if (outline.kind !== 'absent' || shownBy !== undefined || foundSomething) return;
  throw new DevctlError('manifest-not-found', `no manifest found: ${outline.root}`, {
    hint: `go to the folder of your project, name its manifest with --config FILE, or write one: ${DEVCTL} init; if the manifest is lost: ${DEVCTL} stop --force`,
  });
}
