import { type Dirent, existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ProjectFolder } from '../folder.ts';
import { folderIdOf } from '../project-id.ts';
import { isReplaced, recordsFoldersIn } from './holders.ts';
import { recordsFolderAt } from './places.ts';
import { readFolderPlace, readPlace, readProjectRecord } from './project-file.ts';
import { readRegistry } from './registry.ts';

/**
 * Lists the other records folders of a project folder: of its other manifests, and of this manifest where its `pidsDir`
 * was another one. The registry knows them, manifests name them, or they lie in the project folder.
 */
export function recordsFoldersBeside({
  root,
  pidsDir,
  standing,
}: Pick<ProjectFolder, 'root' | 'pidsDir' | 'standing'>): readonly string[] {
  const entries = entriesOf(root);
  const registry = readRegistry().filter((entry) => entry.path === root && !isReplaced(entry));
  const manifests = entries
    .map(({ name }) => name)
    .filter((name) => /\.jsonc?$/.test(name) && isSmall(join(root, name)));
  const inside = entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(root, name))
    .filter((dir) => ['project.json', 'lock'].some((name) => existsSync(join(dir, name))));
  const here = readPlace();
  const found = [...recordsFoldersIn(root, registry, manifests), ...inside]
    .filter((dir) => !standing.elsewhere.includes(dir))
    .map((dir) => recordsFolderAt(dir, here).folder);
  return [...new Set(found)].filter((dir) => dir !== pidsDir && existsSync(dir));
}

/** Tells whether records say of themselves that they are of exactly the folder that is at this path now. */
export function isOfFolder(root: string, pidsDir: string, id: string | null = null): boolean {
  const read = readProjectRecord(pidsDir);
  const here = readFolderPlace(root, readPlace());
  if (read.kind !== 'record' || !here) return false;
  if (id !== null && read.record.id !== folderIdOf(id)) return false;
  return read.record.device === here.device && read.record.inode === here.inode;
}

function entriesOf(folder: string): readonly Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

/** Longest file that is searched for the name of a records folder, in bytes: a lock file of npm is no manifest. */
const MAX_MANIFEST_BYTES = 64 * 1024;

function isSmall(path: string): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.size ?? 0) <= MAX_MANIFEST_BYTES;
}
