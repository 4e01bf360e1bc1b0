/*
 * The files of this folder, which holds what outlives a command:
 *
 *   folder             the folders of a project: named, made, and checked before use
 *   open-project       finds the project that is meant, with or without a valid manifest
 *   without-manifest   what shows that a folder is a project: records, and living processes with its mark
 *   select-names       the services that names on a command line mean
 *   service-record     the record of one run, `services/NAME.json`: its fields
 *   new-record         makes the record of a run that is about to be spawned
 *   records            reads, writes and removes service records
 *   record-checks      checks the fields of a service record
 *   field-checks       checks single values that were read from disk
 *   supervisor-record  the record of the supervisor, `supervisor.json`
 *   last-stop          the report of the last stop, `last-stop.json`
 *   ledger             witnessed identities, `ledger/NAME`: appended, read, compacted
 *   ledger-lines       the text of a ledger
 *   legacy-files       `services.pids` and its companions, for old scripts
 *   legacy-lines       the text of these files
 *   legacy-marks       which of their lines devctl wrote itself, `founding.json`
 *   json-record        reads a JSON file as a record or as a problem
 *   record-problem     a file that devctl does not obey, and why
 *   set-aside          renames such a file, so that it is not in the way
 *   atomic-file        replaces a file at once, and removes files
 *   safe-file          reads only files of our own user, through no link
 *   places             the records folders of other machines and PID namespaces
 *   safe-folder        makes and checks folders in the same way
 *   socket-path        where the supervisor listens
 *   inside             whether a path lies in a folder
 */
import { hash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  readdirSync,
  realpathSync,
  writeFileSync,
} from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { DevctlError, errnoOf } from '../errors.ts';
import { NO_PROTECTION, type ProtectionSettings } from '../manifest/resolved.ts';
import { removeLeftovers, unwritable } from './atomic-file.ts';
import { isInside } from './inside.ts';
import { rebasePath } from './place/rebase-path.ts';
import { type FolderStanding, readStanding } from './place/standing.ts';
import type { RecordProblem } from './record-problem.ts';
import { ensureOwnFolder, inspectFolder } from './safe-folder.ts';

/** Where a project keeps the files that outlive a command. */
export interface ProjectFolder {
  /** Real path of the project folder. */
  readonly root: string;
  /** Absolute path of the records folder, `.pids` by default. */
  readonly pidsDir: string;
  /** The value of DEVCTL_PROJECT in the environment of everything that the project starts. */
  readonly mark: string;
  /** Values of that variable that may stand for this project: of its path, and of the paths that it had before. */
  readonly marks: readonly string[];
  /** The real path of the folder, and the paths that it had before. */
  readonly paths: readonly string[];
  /**
   * The id that travels with the folder, in DEVCTL_PROJECT_ID and in every record. Another manifest than
   * `.devctl.json` in the same folder has an id of its own. Null: none is proved, so the path decides.
   */
  readonly id: string | null;
  /** The file name of the manifest. */
  readonly manifestName: string;
  /** What the manifest protects now, as far as it was read. */
  readonly protection: ProtectionSettings;
  /** How the folder stands to the records in it. */
  readonly standing: FolderStanding;
  /**
   * Set for the supervisor, which writes without being asked, and makes no folder.
   *
   * @throws DevctlError 'records-unwritable' where nothing may be written now
   */
  requireWritable?(): void;
}

/** The name of the manifest whose project has the plain id. */
export const USUAL_MANIFEST = '.devctl.json';

/** The folders inside `.pids`. */
export type FolderPart = 'services' | 'ledger' | 'logs' | 'log-notes' | 'history';

const PARTS: readonly FolderPart[] = ['services', 'ledger', 'logs', 'log-notes', 'history'];

/**
 * Names the folders of a project. Creates nothing.
 *
 * @param pidsDir absolute, or relative to the root
 * @param manifest the manifest, whose name tells the projects of one folder apart
 */
export function projectFolder(
  root: string,
  pidsDir = '.pids',
  manifest = USUAL_MANIFEST,
): ProjectFolder {
  const real = realPath(root);
  const standing = readStanding(real, resolve(real, pidsDir));
  const paths = [real, ...standing.formerPaths];
  return {
    root: real,
    pidsDir: standing.pidsDir,
    mark: markOfPath(real),
    marks: paths.map(markOf),
    paths,
    id: standing.id && `${standing.id}${variantOf(basename(manifest))}`,
    manifestName: basename(manifest),
    protection: NO_PROTECTION,
    standing,
  };
}

/** Names the folders of the project of a manifest. */
export function folderOfManifest(manifest: {
  readonly root: string;
  readonly pidsDir: string;
  readonly file: string;
  readonly protection: ProtectionSettings;
}): ProjectFolder {
  const { root, pidsDir, file, protection } = manifest;
  return { ...projectFolder(root, pidsDir, file), protection };
}

/**
 * The folder of the logs. By default it is in the records folder, and follows where those of this place are kept.
 *
 * @param manifest with absolute paths
 */
export function logsFolderOf(
  { pidsDir }: Pick<ProjectFolder, 'pidsDir'>,
  manifest: { readonly pidsDir: string; readonly logsDir: string },
): string {
  return rebasePath(manifest.logsDir, manifest.pidsDir, pidsDir);
}

/** The part of an id that tells the projects of one folder apart; empty for the usual manifest. */
export function variantOf(manifestName: string): string {
  return manifestName === USUAL_MANIFEST ? '' : `-${hash('sha256', manifestName).slice(0, 8)}`;
}

/** Finds the manifest in a folder whose project has this variant of the folder's id; null: it is gone. */
export function findManifestName(root: string, variant: string): string | null {
  try {
    return readdirSync(root).find((name) => isManifestOf(name, variant)) ?? null;
  } catch {
    return null;
  }
}

function isManifestOf(name: string, variant: string): boolean {
  return variant === '' ? name === USUAL_MANIFEST : variantOf(name) === variant;
}

/**
 * Builds the project id, `<name for people>-<16 hex digits of the SHA-256 of the real path>`. Two
 * checkouts with the same name are two projects; one checkout seen through a symbolic link is the same
 * project.
 */
export function markOfPath(root: string): string {
  return markOf(realPath(root));
}

/** As `markOfPath`, for a path without links, which may be gone. */
function markOf(real: string): string {
  const slug = basename(real)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 24)
    .replaceAll(/^-+|-+$/g, '');
  return `${slug || 'project'}-${projectHash(real)}`;
}

/** Returns the unique part of the mark of a path: 16 hex digits. */
export function projectHash(realRoot: string): string {
  return hash('sha256', realRoot).slice(0, 16);
}

/** Returns the file name of the socket of a supervisor that was started in this folder. */
export function socketName(realRoot: string): string {
  return `${projectHash(realRoot)}.sock`;
}

/** Returns the name of the control group of a project that was started in this folder. */
export function groupNameOf(realRoot: string): string {
  return `devctl-${projectHash(realRoot)}`;
}

/** What a record says of its project. */
export function recordedProject({ root, id }: Pick<ProjectFolder, 'root' | 'id'>): {
  readonly project: string;
  readonly projectId?: string;
} {
  return { project: root, ...(id === null ? {} : { projectId: id }) };
}

/**
 * Makes the records folder ready to be written: `.pids` with services, ledger and logs, mode 0700,
 * ignored by git. Idempotent. Temporary files of writers that were killed are removed.
 *
 * @throws DevctlError 'unsafe' when `.pids` or a folder in it is a symbolic link, another user's,
 *   or holds the project itself; 'records-unwritable' when it cannot be written, or is too deep
 */
export function prepareFolder(folder: ProjectFolder): void {
  requireShortPath(folder);
  for (const directory of [folder.pidsDir, ...PARTS.map((part) => writableFolder(folder, part))]) {
    try {
      // When all folders exist already, nothing has been written so far. Find out now, not at the
      // spawn, whether they are writable.
      accessSync(directory, constants.W_OK | constants.X_OK);
      removeLeftovers(directory);
    } catch (error) {
      throw unwritable(directory, error);
    }
  }
}

/** Length of the longest path in bytes, with its NUL: PATH_MAX of limits.h(0p). */
const MAX_PATH_BYTES = process.platform === 'darwin' ? 1024 : 4096;
/**
 * Room in bytes for the longest path that devctl puts below the folder:
 * `/services/.NAME.json.corrupt-TIME.HEX.tmp`.
 */
const ROOM_BYTES = 140;

/** Refuses a path that leaves no room for records, because the first write would fail without saying why. */
function requireShortPath({ pidsDir }: ProjectFolder): void {
  const bytes = Buffer.byteLength(pidsDir);
  if (bytes + ROOM_BYTES <= MAX_PATH_BYTES) return;
  const most = MAX_PATH_BYTES - ROOM_BYTES;
  throw new DevctlError(
    'records-unwritable',
    `the path of the records folder is too long: ${bytes} bytes, at most ${most} leave room for records`,
    { hint: 'give them a folder with a shorter path with "pidsDir", or move the project' },
  );
}

/**
 * Makes and checks a folder before a write. Every writer calls it anew, because somebody may have
 * removed `.pids` while the supervisor runs.
 *
 * @param part null for `.pids` itself
 * @returns its absolute path
 * @throws DevctlError as `prepareFolder`
 */
export function writableFolder(folder: ProjectFolder, part: FolderPart | null): string {
  const { pidsDir, root } = folder;
  folder.requireWritable?.();
  if (isInside(pidsDir, root)) {
    throw new DevctlError('unsafe', `${pidsDir} holds the project itself`, {
      hint: 'give the records a folder of their own with "pidsDir", for example ".pids"',
    });
  }
  // Records outside of it can still be written, for a stop of what a removed project has left.
  if (!existsSync(root) && isInside(root, pidsDir)) {
    throw new DevctlError('records-unwritable', `the project folder ${root} is gone`, {
      hint: 'devctl does not make it again; go to where the project is now',
    });
  }
  const dedicated = basename(pidsDir) === '.pids';
  if (ensureOwnFolder(pidsDir, dedicated) || dedicated) ignoreInGit(pidsDir);
  if (part === null) return pidsDir;
  const path = join(pidsDir, part);
  if (folder.requireWritable && !existsSync(path)) throw noSuchFolder(path);
  ensureOwnFolder(path, true);
  return path;
}

function noSuchFolder(path: string): DevctlError {
  return new DevctlError('records-unwritable', `the folder ${path} was removed`, {
    hint: 'devctl start makes it again',
  });
}

/**
 * Says why a reader must not look into a folder of the records; null when it may, or when the folder is
 * missing.
 */
export function folderProblem(
  folder: ProjectFolder,
  part: FolderPart | null,
): RecordProblem | null {
  for (const path of part ? [folder.pidsDir, join(folder.pidsDir, part)] : [folder.pidsDir]) {
    const seen = inspectFolder(path);
    if (seen.kind === 'missing') return null;
    if (seen.kind === 'refused') {
      return { path, service: null, kind: 'refused', reason: seen.reason };
    }
  }
  return null;
}

/** The project that a record speaks of. */
export interface RecordedProject {
  /** Real path of the project folder when the record was written. Missing in ledgers of early versions. */
  readonly project?: string | undefined;
  /** Its id; missing in records of early versions, and in ledgers. */
  readonly projectId?: string | undefined;
}

/**
 * Says in words that a record belongs to another project; null when it is ours.
 *
 * A `.pids` that was copied along with its project names the processes of the original, so obeying it would stop the
 * original. Where ids are missing the path decides: a record of another path that still exists is foreign, and a
 * record of a path that has gone is that of a project which was moved here.
 */
export function whyOfAnotherProject(
  folder: ProjectFolder,
  { project, projectId }: RecordedProject,
): string | null {
  const { standing, original } = folder.standing;
  if (standing === 'copy') return `it was copied from ${original}, and names nothing here`;
  if (projectId !== undefined && folder.id !== null) {
    if (projectId === folder.id) return null;
    if (isOfOtherManifest(folder, { projectId })) return OF_OTHER_MANIFEST;
    if (project !== undefined && !folder.paths.includes(project)) {
      return `it belongs to the project ${project}`;
    }
    return null;
  }
  if (project === undefined || folder.paths.includes(project) || !existsSync(project)) return null;
  return `it belongs to the project ${project}`;
}

/** What `whyOfAnotherProject` says of a record that another manifest of the same folder has written. */
export const OF_OTHER_MANIFEST = 'it belongs to another manifest of this folder';

/** Tells whether a record is of the project that another manifest in this very folder makes. */
export function isOfOtherManifest({ id }: ProjectFolder, { projectId }: RecordedProject): boolean {
  if (id === null || projectId === undefined || projectId === id) return false;
  return baseOf(projectId) === baseOf(id);
}

/** The id of a folder, without the part that tells its manifests apart. */
function baseOf(id: string): string {
  return id.slice(0, 16);
}

/** Lists the file names in a folder, sorted. A missing folder has none; any other error becomes a problem. */
export function listFileNames(directory: string, problems: RecordProblem[]): readonly string[] {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === undefined) throw error;
    if (errno !== 'ENOENT' && errno !== 'ENOTDIR') {
      const reason = `not readable: ${errno}`;
      problems.push({ path: directory, service: null, kind: 'refused', reason });
    }
    return [];
  }
}

/** Hides the records folder from git, so that no project has to list it in its .gitignore. */
function ignoreInGit(pidsDir: string): void {
  const path = join(pidsDir, '.gitignore');
  try {
    writeFileSync(path, '*\n', { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw unwritable(path, error);
  }
}

/**
 * Resolves symbolic links. A folder that is gone keeps its plain path, because processes that were
 * started in it may still run.
 */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}
