import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DevctlError } from '../errors.ts';
import type { ManifestQuery } from '../manifest/locate.ts';
import { type ManifestOutline, readManifestOutline } from '../manifest/outline.ts';
import { type ProjectFolder, projectFolder } from './folder.ts';
import { isInside } from './inside.ts';
import { inspectFolder } from './safe-folder.ts';

/** A project, as far as it can be known without a valid manifest. */
export interface OpenProject {
  readonly folder: ProjectFolder;
  readonly outline: ManifestOutline;
}

/**
 * Finds the project of a folder: by its manifest, valid or not; else by the nearest records folder;
 * else the project is the folder itself, so that an emergency stop works after both were deleted.
 */
export function openProject(query: ManifestQuery): OpenProject {
  const outline = readManifestOutline(query);
  if (outline.kind !== 'absent') {
    return { folder: projectFolder(outline.root, outline.pidsDir), outline };
  }
  const root = outline.root ?? nearestRecords(query.cwd) ?? query.cwd;
  return { folder: projectFolder(root), outline };
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

/** Files of which every records folder, old or new, has at least one. */
const RECORD_FILES = ['services', 'supervisor.json', 'services.pids'];

function nearestRecords(cwd: string): string | null {
  for (let folder = cwd; ; folder = dirname(folder)) {
    const records = join(folder, '.pids');
    // A folder of another user would make that user's folder, and everything that works in it, our
    // project.
    const isOurs = inspectFolder(records).kind === 'own';
    if (isOurs && RECORD_FILES.some((name) => existsSync(join(records, name)))) return folder;
    if (folder === dirname(folder)) return null;
  }
}

/** A service as the manifest declares it, whether there is a record of it or not. */
export interface DeclaredService {
  readonly name: string;
  readonly ports: readonly number[];
  /** Absolute path. */
  readonly log: string;
}

/** Lists the services of the manifest, also when the manifest is not valid. */
export function declaredServices({ outline }: OpenProject): readonly DeclaredService[] {
  if (outline.kind === 'absent') return [];
  const { services, logsDir } = outline;
  return services.map(({ name, ports }) => ({ name, ports, log: join(logsDir, `${name}.log`) }));
}

/**
 * Finds the project below this one that a folder belongs to, such as a worktree or an example with a
 * manifest of its own.
 *
 * @param root real path of the project folder
 * @param path real path of any folder
 * @returns the folder of that project, null when there is none
 */
export function projectBelow(root: string, path: string): string | null {
  let folder = path;
  while (folder !== root && isInside(root, folder)) {
    if (existsSync(join(folder, '.devctl.json'))) return folder;
    folder = dirname(folder);
  }
  return null;
}

/**
 * Refuses a folder without manifest, records or processes: it is no project, and the user is in the
 * wrong place.
 *
 * @param foundSomething true when services or processes were found all the same
 * @throws DevctlError 'manifest-not-found'
 */
export function requireProject({ folder, outline }: OpenProject, foundSomething: boolean): void {
  if (outline.kind !== 'absent' || foundSomething || existsSync(folder.pidsDir)) return;
  throw new DevctlError('manifest-not-found', `no manifest found: ${outline.looked}`, {
    hint: 'go to the folder of your project, or name its manifest with --config FILE; if the manifest is lost: devctl stop --force',
  });
}
