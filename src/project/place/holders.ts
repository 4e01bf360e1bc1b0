import { readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isInside } from '../inside.ts';
import { USUAL_MANIFEST } from '../names.ts';
import { recordsFolderAt } from './places.ts';
import { readFolderPlace, readPlace, readProjectRecord } from './project-file.ts';
import { lookUpProject, type RegistryEntry } from './registry.ts';
import { isSamePlace } from './same-project.ts';

/** Finds a project in the registry where another folder than this one holds its id. */
export function heldElsewhere(id: string, root: string): RegistryEntry | null {
  const entry = lookUpProject(id);
  return entry && entry.path !== root && holdsProject(entry.path, id) ? entry : null;
}

/**
 * Tells whether another folder is at the registered path by now: a new checkout, where the project was moved away and
 * nobody has noted it. False where nothing tells.
 */
export function isReplaced({ path, folder, ...place }: RegistryEntry): boolean {
  const here = readPlace();
  const there = folder && isSamePlace(place, here) ? readFolderPlace(path, here) : null;
  if (!folder || !there) return false;
  return there.device !== folder.device || there.inode !== folder.inode;
}

/** Tells whether a folder is that of the project with this id, as its records say. */
export function holdsProject(folder: string, id: string): boolean {
  return recordsFolderOf(folder, id) !== null;
}

/** Finds the records folder of the project with this id in a folder; null where the folder does not hold it. */
export function recordsFolderOf(folder: string, id: string): string | null {
  const entry = lookUpProject(id);
  const found = recordsFoldersIn(folder, entry ? [entry] : []).find((pidsDir) => {
    const read = readProjectRecord(pidsDir);
    if (read.kind !== 'record' || read.record.id !== id) return false;
    // Two projects may keep their records in a folder that lies in neither.
    return isInside(folder, pidsDir) || read.record.path === folder;
  });
  return found ?? null;
}

/** Lists the records folders that a project in this folder may have: by default, by its manifests, by the registry. */
export function recordsFoldersIn(
  folder: string,
  registry: readonly RegistryEntry[],
  manifests: readonly string[] = [USUAL_MANIFEST, '.devctl.local.json'],
): readonly string[] {
  const registered = registry.filter(({ path }) => path === folder).map(({ pidsDir }) => pidsDir);
  const usual = [join(folder, '.pids'), ...namedIn(folder, manifests), ...registered];
  const here = readPlace();
  return [...new Set(usual.flatMap((dir) => [dir, recordsFolderAt(dir, here).folder]))];
}

/** The key of the records folder, wherever it stands in a manifest. A name with an escape is left to the registry. */
const RECORDS_FOLDER = /"pidsDir"\s*:\s*"([^"\\\n]+)"/g;

/**
 * Lists the folders that manifests may name as their records folder. It needs no parser, because a folder too many does
 * no harm: each is only asked what it holds.
 */
function namedIn(folder: string, manifests: readonly string[]): readonly string[] {
  return manifests.flatMap((name) =>
    [...readText(join(folder, name)).matchAll(RECORDS_FOLDER)].map(([, dir = '']) =>
      resolve(folder, dir),
    ),
  );
}

/** Reads a file; empty where there is none. A FIFO is not read, because that would wait. */
function readText(path: string): string {
  try {
    return statSync(path).isFile() ? readFileSync(path, 'utf8') : '';
  } catch {
    return '';
  }
}
