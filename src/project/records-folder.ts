import { accessSync, constants, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { DevctlError, errnoOf } from '../errors.ts';
import { DEVCTL } from '../own-command.ts';
import { removeLeftovers, unwritable } from './atomic-file.ts';
import type { ProjectFolder } from './folder.ts';
import { isInside } from './inside.ts';
import type { RecordProblem } from './record-problem.ts';
import { ensureOwnFolder, inspectFolder } from './safe-folder.ts';

/** The folders inside `.pids`. */
export type FolderPart = 'services' | 'ledger' | 'logs' | 'log-notes' | 'history';

const PARTS: readonly FolderPart[] = ['services', 'ledger', 'logs', 'log-notes', 'history'];
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
  folder.requireHere?.();
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
  if (ensureOwnFolder(pidsDir, dedicated, { within: root }) || dedicated) ignoreInGit(pidsDir);
  if (part === null) return pidsDir;
  const path = join(pidsDir, part);
  if (folder.requireWritable && !existsSync(path)) throw noSuchFolder(path);
  ensureOwnFolder(path, true, { within: root });
  return path;
}

function noSuchFolder(path: string): DevctlError {
  return new DevctlError('records-unwritable', `the folder ${path} was removed`, {
    hint: `${DEVCTL} start makes it again`,
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
  // An attempt at each write of a record would cost more than the look: a start writes hundreds.
  if (existsSync(path)) return;
  try {
    writeFileSync(path, '*\n', { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw unwritable(path, error);
  }
}
