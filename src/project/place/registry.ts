import { readdirSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { homeFolder } from '../../processes/home-folder.ts';
import { removeIfThere, unwritable, writeFileAtomically } from '../atomic-file.ts';
import { asObject, isLabel, isText } from '../field-checks.ts';
import { type JsonFields, type RecordRead, readJsonRecord } from '../json-record.ts';
import { otherOwner } from '../safe-file.ts';
import { ensureOwnFolder, inspectFolder, makeFolders } from '../safe-folder.ts';
import { isProjectId, type Place } from './project-file.ts';

/** Where a project was last, in the state folder of its user. */
export interface RegistryEntry extends Place {
  readonly schema: 1;
  readonly id: string;
  /** Real path of the project folder. */
  readonly path: string;
  readonly pidsDir: string;
  /** Device and inode number of that folder, as in `FolderPlace`; missing in entries of early versions. */
  readonly folder?: { readonly device: string; readonly inode: string };
  /** ISO 8601 in UTC, for people only. */
  readonly at: string;
}

/**
 * 'removed': the records of a stop of a project whose folder is gone. 'stops': the reports of supervisors of such.
 * 'containers': copies of `.pids/containers.json`.
 */
type StateFolder = 'projects' | 'stops' | 'removed' | 'containers';

/**
 * A folder of devctl in the state folder of this user: `$XDG_STATE_HOME/devctl/NAME`, by default below
 * `~/.local/state` (XDG Base Directory Specification).
 *
 * @returns null without a home folder of our own: under sudo HOME may be another user's
 */
export function stateFolder(name: StateFolder): string | null {
  const state = process.env.XDG_STATE_HOME;
  const base = state && isAbsolute(state) ? state : homeState();
  if (base === null || ownerOf(base) === 'other') return null;
  return join(base, 'devctl', name);
}

/**
 * Makes such a folder, mode 0700.
 *
 * @throws DevctlError 'records-unwritable', 'unsafe'
 */
export function prepareStateFolder(name: StateFolder): string | null {
  const folder = stateFolder(name);
  if (folder === null) return null;
  try {
    makeFolders(dirname(dirname(folder)));
  } catch (error) {
    throw unwritable(folder, error);
  }
  ensureOwnFolder(dirname(folder), true);
  ensureOwnFolder(folder, true);
  return folder;
}

function homeState(): string | null {
  const home = process.env.HOME ?? homeFolder();
  if (home === null || !isAbsolute(home) || home === '/' || ownerOf(home) !== 'us') return null;
  return join(home, '.local', 'state');
}

/** The owner of a folder, or of the nearest folder above it that is there. */
function ownerOf(path: string): 'us' | 'other' {
  for (let folder = path; ; folder = dirname(folder)) {
    try {
      const { uid } = statSync(folder);
      return otherOwner(uid) === null ? 'us' : 'other';
    } catch {
      if (folder === dirname(folder)) return 'other';
    }
  }
}

/** Every entry that can be read. Never throws. */
export function readRegistry(): readonly RegistryEntry[] {
  const folder = stateFolder('projects');
  if (folder === null || inspectFolder(folder).kind !== 'own') return [];
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const id = name.replace(/\.json$/, '');
    if (!isProjectId(id)) return [];
    const read = readEntry(folder, id);
    return read.kind === 'record' ? [read.record] : [];
  });
}

/** @returns null where the registry knows nothing of the id */
export function lookUpProject(id: string): RegistryEntry | null {
  const folder = stateFolder('projects');
  if (folder === null || !isProjectId(id) || inspectFolder(folder).kind !== 'own') return null;
  const read = readEntry(folder, id);
  return read.kind === 'record' ? read.record : null;
}

/**
 * Notes where a project is.
 *
 * Never throws: a registry that cannot be written costs nothing but finding the project from elsewhere.
 */
export function registerProject(entry: RegistryEntry): void {
  try {
    const folder = prepareStateFolder('projects');
    if (folder === null) return;
    const text = `${JSON.stringify(entry, null, 2)}\n`;
    writeFileAtomically(entryPath(folder, entry.id), text, { flushed: false });
  } catch {
    // The project is found from its own folder all the same.
  }
}

/** Forgets a project of which nothing runs any more. Never throws. */
export function forgetProject(id: string): void {
  const folder = stateFolder('projects');
  if (folder === null || !isProjectId(id) || inspectFolder(folder).kind !== 'own') return;
  try {
    removeIfThere(entryPath(folder, id));
  } catch {
    // An entry too many is told apart by what lives: status --all shows none of it.
  }
}

function readEntry(folder: string, id: string): RecordRead<RegistryEntry> {
  return readJsonRecord(entryPath(folder, id), {
    parse: (fields) => toEntry(fields, id) ?? 'a field is missing or malformed',
  });
}

function entryPath(folder: string, id: string): string {
  return join(folder, `${id}.json`);
}

function toEntry(fields: JsonFields, named: string): RegistryEntry | null {
  const { schema, id, path, pidsDir, at, machineId, bootId, pidNamespace } = fields;
  if (schema !== 1 || id !== named || !isText(at)) return null;
  if (!isText(path) || !isAbsolute(path) || !isText(pidsDir) || !isAbsolute(pidsDir)) return null;
  if (machineId !== null && !isLabel(machineId)) return null;
  if (!isLabel(bootId) || !isLabel(pidNamespace)) return null;
  const { device, inode } = asObject(fields.folder) ?? {};
  const folder = isText(device) && isText(inode) ? { folder: { device, inode } } : {};
  return { schema, id: named, path, pidsDir, at, machineId, bootId, pidNamespace, ...folder };
}
