import { join } from 'node:path';
import type { ProjectFolder } from '../project/folder.ts';
import { realPath, USUAL_MANIFEST, variantOf } from '../project/names.ts';
import { readFolderPlace, readPlace } from '../project/place/project-file.ts';
import { variantIn } from '../project/project-id.ts';
import type { LockHolder, TicketFolder } from './ticket.ts';

/** Names the project of a command in its ticket. Null: its folder cannot be looked at. */
export function ticketFolder(
  folder: Pick<ProjectFolder, 'root' | 'pidsDir' | 'manifestName'>,
): TicketFolder | null {
  const here = readFolderPlace(folder.root, readPlace());
  if (!here) return null;
  const { path, device, inode } = here;
  return { path, device, inode, pidsDir: realPath(folder.pidsDir), manifest: folder.manifestName };
}

/** The project of a command, as its lock is compared with those of others. */
export interface LockProject {
  readonly root: string;
  /** Null: none is proved. */
  readonly id: string | null;
  readonly manifestName: string;
  /** The numbers of the folder; null: it is not there, or cannot be looked at. */
  readonly identity: Pick<TicketFolder, 'device' | 'inode'> | null;
}

/**
 * Tells whether the holder of a lock works for a project: several projects, and several manifests of one folder, may keep
 * their records in one folder, and a stop ends only commands of its own project.
 *
 * A folder that was moved meanwhile is known by its inode. A holder of an early version does not name its manifest, so it
 * must work in the folder at exactly this path.
 */
export function worksFor(
  { root, id, manifestName, identity }: LockProject,
  { folder }: Pick<LockHolder, 'folder'>,
): boolean {
  if (!folder) return false;
  const { path, device, inode, manifest } = folder;
  if (manifest === undefined) return path === root;
  // Where the manifest is gone, the project has its id, and the usual name instead of that of the manifest.
  const variant = id === null ? variantOf(manifestName) : variantIn(id);
  if (variantOf(manifest) !== variant) return false;
  return path === root || (identity?.device === device && identity.inode === inode);
}

/** Names the project of a holder for people, as `--config` takes it. Null: the holder does not say it. */
export function projectNameOf({ folder }: Pick<LockHolder, 'folder'>): string | null {
  if (!folder) return null;
  const { path, manifest = USUAL_MANIFEST } = folder;
  return manifest === USUAL_MANIFEST ? path : join(path, manifest);
}
