import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { otherEnvironments } from '../../processes/linux/environments.ts';
import { livesNow } from '../../processes/lives-now.ts';
import { readWorkingFolder } from '../../processes/working-folder.ts';
import { asObject, isIdentity, isPid } from '../field-checks.ts';
import { foldersUpwards, isInside } from '../inside.ts';
import { type JsonFields, readJsonFields } from '../json-record.ts';
import { MAX_LEDGER_BYTES, parseLedger } from '../ledger-lines.ts';
import { readOwnFile } from '../safe-file.ts';
import { heldElsewhere, holdsProject } from './holders.ts';
import { fileNames, recordsFolderAt } from './places.ts';
import {
  type FolderPlace,
  type Place,
  type ProjectRecord,
  readFolderPlace,
  readPlace,
  readProjectRecord,
} from './project-file.ts';
import { lookUpProject, type RegistryEntry } from './registry.ts';
import { type Belonging, isSamePlace, judgeBelonging, type Surroundings } from './same-project.ts';

/** The facts that `project.json` proves about a folder. */
export interface FolderStanding {
  /** 'unknown': there is no record of the project, or it cannot be believed, so the path decides. */
  readonly standing: Belonging | 'unknown';
  /** True for a copy that may be the original after a move: its records name nothing, and a stop tells what they name. */
  readonly isPerhapsMoved?: boolean;
  /** The id, where it is proved to be the folder's own. */
  readonly id: string | null;
  /** Former real paths of the folder, oldest first. */
  readonly formerPaths: readonly string[];
  /** The path of the project that a copy or a shared records folder speaks of. */
  readonly original: string | null;
  /** The records folder to use: below the usual one, where that is in use from another machine or container. */
  readonly pidsDir: string;
  /** Other records folders of this project: their records may speak of processes that live at other places. */
  readonly elsewhere: readonly string[];
}

/**
 * Reads `project.json` and proves what it says. Never throws, and changes nothing.
 *
 * @param root real path of the project folder
 * @param pidsDir absolute path of the records folder that the manifest names
 */
export function readStanding(root: string, pidsDir: string): FolderStanding {
  const place = readPlace();
  const { folder, elsewhere } = recordsFolderAt(pidsDir, place);
  const read = readProjectRecord(folder);
  const standing =
    read.kind === 'record'
      ? judge(read.record, root, folder, place)
      : { ...UNKNOWN, pidsDir: folder };
  return { ...standing, elsewhere };
}

const UNKNOWN: Omit<FolderStanding, 'pidsDir'> = {
  standing: 'unknown',
  id: null,
  formerPaths: [],
  original: null,
  elsewhere: [],
};

/**
 * Tells whether the processes of a project may run in another folder, as far as the registry knows: it is written at
 * each start, and after each move.
 */
function isRegisteredElsewhere(record: ProjectRecord, here: FolderPlace): boolean {
  const entry = heldElsewhere(record.id, here.path);
  if (!entry || !isSamePlace(entry, here)) return false;
  const there = readFolderPlace(entry.path, here);
  // One folder, seen at two paths.
  if (!there || isSameFolder(there, here)) return false;
  // A copy at the path that this folder had: its record is that of this folder.
  const read = readProjectRecord(entry.pidsDir);
  const isSettled = read.kind === 'record' && isSameFolder(read.record, there);
  return isSettled || !isSameFolder(record, here);
}

/** Tells whether there is another folder at a path. A link that was left there leads to this very folder. */
function leadsElsewhere(path: string, here: FolderPlace): boolean {
  const there = readFolderPlace(path, here);
  return there === null ? existsSync(path) : !isSameFolder(there, here);
}

function isSameFolder(a: FolderPlace, b: FolderPlace): boolean {
  return a.device === b.device && a.inode === b.inode;
}

/** Finds a project in the registry, where the folder that the registry names says the same of itself. */
export function findRegistered(id: string): RegistryEntry | null {
  const entry = lookUpProject(id);
  const read = entry && readProjectRecord(entry.pidsDir);
  if (read?.kind !== 'record') return null;
  return read.record.id === id && read.record.path === entry?.path ? entry : null;
}

function judge(record: ProjectRecord, root: string, pidsDir: string, place: Place): FolderStanding {
  const here = readFolderPlace(root, place) ?? { ...place, path: root, device: '', inode: '' };
  const verdict = judgeBelonging(
    record,
    { ...here, pidsDir },
    {
      oldPathExists: () => leadsElsewhere(record.path, here),
      isRegisteredElsewhere: () => isRegisteredElsewhere(record, here),
      livesElsewhere: () => livesElsewhere(record, root, pidsDir),
      namesLiving: () => namesLiving(pidsDir),
    },
  );
  const isPerhapsMoved = verdict === 'perhaps-moved';
  const standing = isPerhapsMoved ? 'copy' : verdict;
  const base = { ...UNKNOWN, standing, isPerhapsMoved, pidsDir };
  if (standing === 'copy' || standing === 'shared') {
    const isNamedSo = record.path === root;
    return { ...base, original: (isNamedSo && findRegistered(record.id)?.path) || record.path };
  }
  const { id, formerPaths } = record;
  const former = standing === 'moved' ? [...formerPaths, record.path] : formerPaths;
  return { ...base, id, formerPaths: [...new Set(former)].filter((path) => path !== root) };
}

/** Asks the processes that the records name, and those that carry the id, whether the project lives in another folder. */
function livesElsewhere(
  { id, path }: ProjectRecord,
  root: string,
  pidsDir: string,
): ReturnType<Surroundings['livesElsewhere']> {
  const holdsId = (folder: string): boolean => folder !== root && holdsProject(folder, id);
  const recorded = recordedIdentities(pidsDir);
  const marked = pidsMarked(id)
    .map(readWorkingFolder)
    .filter(({ kind }) => kind === 'folder' || kind === 'removed');
  const folders = [...recorded.map(({ pid }) => readWorkingFolder(pid)), ...marked];
  const isElsewhere = folders.some(
    (folder) => folder.kind === 'folder' && foldersUpwards(folder.path).some(holdsId),
  );
  if (isElsewhere || residentIsElsewhere(pidsDir, root)) return 'yes';
  if (folders.some(({ kind }) => kind === 'unreadable')) return 'perhaps';
  const isRemoved = folders.some((one) => one.kind === 'removed' && isInside(path, one.path));
  if (isRemoved) return 'removed';
  const worksHere = folders.some((one) => one.kind === 'folder' && isInside(root, one.path));
  const lives = marked.length > 0 || recorded.some((one) => isIdentity(one) && livesNow(one));
  return lives && !worksHere ? 'nowhere' : 'no';
}

/**
 * Tells whether the recorded supervisor lives in another folder. It works in its project folder, so this is the
 * kernel's word, even where the records have been removed there.
 */
function residentIsElsewhere(pidsDir: string, root: string): boolean {
  const read = readJsonFields(join(pidsDir, 'supervisor.json'));
  const identity = read?.identity;
  if (!isIdentity(identity) || !livesNow(identity)) return false;
  const folder = readWorkingFolder(identity.pid);
  if (folder.kind !== 'folder' || folder.path === root) return false;
  const [there, here] = [folder.path, root].map((path) => readFolderPlace(path, readPlace()));
  return Boolean(there && here && !isSameFolder(there, here));
}

/** The pids of the processes that carry the id. The records of a copy may be gone, or those of another folder. */
function pidsMarked(id: string): readonly number[] {
  if (process.platform !== 'linux') return [];
  const marked = [...otherEnvironments()].filter(({ environ }) =>
    environ.includes(`DEVCTL_PROJECT_ID=${id}`),
  );
  return marked.map(({ pid }) => pid);
}

/** Tells whether a process lives that the records or the ledgers in a folder name, whichever project has written them. */
function namesLiving(pidsDir: string): boolean {
  const ledger = join(pidsDir, 'ledger');
  const witnessed = fileNames(ledger).flatMap((name) => {
    const read = readOwnFile(join(ledger, name), MAX_LEDGER_BYTES, 'tail');
    return read.kind === 'content' ? parseLedger(name, read.bytes.toString()).entries : [];
  });
  const identities = [...recordedIdentities(pidsDir), ...witnessed.map(({ identity }) => identity)];
  return identities.some((identity) => isIdentity(identity) && livesNow(identity));
}

/** Supervisor, guards and leaders, as the records say, read without believing anything but their pids. */
function recordedIdentities(pidsDir: string): readonly (JsonFields & { readonly pid: number })[] {
  const services = join(pidsDir, 'services');
  const names = fileNames(services).filter((name) => name.endsWith('.json'));
  const records = [
    readJsonFields(join(pidsDir, 'supervisor.json')),
    ...names.map((name) => readJsonFields(join(services, name))),
  ];
  return records.flatMap((fields) => {
    const { identity, supervisor, guard, leader } = fields ?? {};
    return [identity, supervisor, guard, leader].flatMap((one) => {
      const { pid, ...more } = asObject(one) ?? {};
      return isPid(pid) ? [{ ...more, pid }] : [];
    });
  });
}
