import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { DevctlError, errnoOf } from '../../errors.ts';
import { DEVCTL } from '../../own-command.ts';
import { isoTime } from '../../processes/clock.ts';
import { unwritable } from '../atomic-file.ts';
import { type ProjectFolder, projectFolder } from '../folder.ts';
import { CONTAINERS_RECORD } from '../names.ts';
import { asideName } from '../record-problem.ts';
import { prepareFolder } from '../records-folder.ts';
import { makeFolders } from '../safe-folder.ts';
import { mustSetAside, setAside } from '../set-aside.ts';
import { namesSomething, removePastPlaces } from './places.ts';
import {
  newProjectId,
  type ProjectRecord,
  readFolderPlace,
  readPlace,
  readProjectRecord,
  writeProjectRecord,
} from './project-file.ts';
import { lookUpProject, registerProject } from './registry.ts';

/** Everything in a records folder that names processes, or says for how long they are to run. */
const NAMES_PROCESSES = [
  'services',
  'ledger',
  'supervisor.json',
  'lease.json',
  'breaches.json',
  CONTAINERS_RECORD,
  'founding.json',
  'services.pids',
  'services.pids.groups',
  'services.pids.services',
] as const;

/** Former paths that are kept, the latest last: a mark of an older path names nothing that still runs. */
const MOST_FORMER_PATHS = 20;

/**
 * Makes the id of a project certain, before something is started: writes `project.json`, gives a copy an id of its
 * own, and notes in the registry where the project is. Call it with the project lock held.
 *
 * @param moved what a supervisor knows of its own project after a move, in case the records were removed as well
 * @returns the folder with its id
 * @throws DevctlError 'records-unwritable', 'unsafe', 'folder-moved'; 'records-shared' while another project runs with these records
 */
export function settleProject(folder: ProjectFolder, moved?: MovedProject): ProjectFolder {
  folder.requireHere?.();
  const { standing } = folder.standing;
  refuseShared(folder);
  const found = readProjectRecord(folder.pidsDir);
  // A later devctl may mean something else by it. Until it is gone, the path decides.
  if (found.kind === 'problem' && found.problem.kind === 'newer') return folder;
  // Nothing is lost, and nothing is in the way of the new file.
  if (found.kind === 'problem' && mustSetAside(folder, found.problem))
    setAside(folder, found.problem);
  const before = found.kind === 'record' ? found.record : null;
  const record =
    standing === 'copy' || standing === 'shared'
      ? beginAnew(folder, before)
      : keepId(folder, before, before === null ? moved : undefined);
  const { id, path, pidsDir, machineId, bootId, pidNamespace, device, inode } = record;
  removePastPlaces(pidsDir);
  const at = isoTime();
  const place = { machineId, bootId, pidNamespace, folder: { device, inode } };
  registerProject({ schema: 1, id, path, pidsDir, ...place, at });
  const settled = projectFolder(folder.root, pidsDir, folder.manifestName);
  const { protection, identity, requireHere } = folder;
  return { ...settled, protection, identity, ...(requireHere ? { requireHere } : {}) };
}

/** @throws DevctlError 'records-shared' while another project runs with the records in this folder */
export function refuseShared(folder: ProjectFolder): void {
  const { standing, original } = folder.standing;
  if (standing === 'shared' && namesSomething(folder.pidsDir)) throw inUse(folder, original);
}

/** The id of a folder, and the paths that it had. */
export interface MovedProject {
  readonly id: string;
  readonly formerPaths: readonly string[];
}

function keepId(
  folder: ProjectFolder,
  before: ProjectRecord | null,
  moved: MovedProject | undefined,
): ProjectRecord {
  const id = before?.id ?? moved?.id ?? newProjectId();
  const written = recordOf(folder, id);
  const formerPaths = (moved?.formerPaths ?? written.formerPaths).slice(-MOST_FORMER_PATHS);
  const record = { ...written, formerPaths, alsoAt: before?.alsoAt ?? [] };
  if (before === null || !isSameRecord(before, record)) writeProjectRecord(record);
  return record;
}

/** Gives a copy an id of its own, unless it is the original after all, seen at a second path. */
function beginAnew(folder: ProjectFolder, before: ProjectRecord | null): ProjectRecord {
  const record = recordOf(folder, newProjectId());
  writeProjectRecord(record);
  if (before && isSeenTwice(before, record)) {
    const known = { ...before, alsoAt: [...before.alsoAt, folder.root] };
    writeProjectRecord({ ...known, pidsDir: folder.pidsDir });
    return known;
  }
  setAsideCopied(folder, before);
  return record;
}

function recordOf(folder: ProjectFolder, id: string): ProjectRecord {
  const { root, pidsDir, standing } = folder;
  const here = readFolderPlace(root, readPlace());
  if (!here) {
    throw new DevctlError('records-unwritable', `the project folder ${root} is gone`, {
      hint: 'devctl does not make it again; go to where the project is now',
    });
  }
  const formerPaths = standing.formerPaths.slice(-MOST_FORMER_PATHS);
  return { schema: 1, id, formerPaths, alsoAt: [], pidsDir, ...here };
}

function isSameRecord(a: ProjectRecord, b: ProjectRecord): boolean {
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}

function sorted(record: ProjectRecord): readonly [string, unknown][] {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** True when the record that was just written shows up at another known path as well: two mounts of one folder. */
function isSeenTwice(before: ProjectRecord, written: ProjectRecord): boolean {
  const others = [before.pidsDir, lookUpProject(before.id)?.pidsDir];
  return others.some((pidsDir) => {
    if (pidsDir === undefined || pidsDir === written.pidsDir) return false;
    const there = readProjectRecord(pidsDir);
    return there.kind === 'record' && there.record.id === written.id;
  });
}

/** The records of a copy name the processes of the original. They are kept beside, where nothing obeys them. */
function setAsideCopied(folder: ProjectFolder, before: ProjectRecord | null): void {
  const aside = asideName(join(folder.pidsDir, 'copied'));
  for (const name of NAMES_PROCESSES) {
    const path = join(folder.pidsDir, name);
    try {
      if (!existsSync(path)) continue;
      makeFolders(aside, folder.root);
      renameSync(path, join(aside, name));
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw unwritable(path, error);
    }
  }
  if (before && existsSync(aside)) writeProjectRecord({ ...before, pidsDir: aside });
  prepareFolder(folder);
}

function inUse({ pidsDir }: ProjectFolder, original: string | null): DevctlError {
  const read = readProjectRecord(pidsDir);
  const isMoved = original === null || !existsSync(original);
  const named =
    isMoved && read.kind === 'record' ? `--project ${read.record.id}` : `--config ${original}`;
  return new DevctlError(
    'records-shared',
    `${pidsDir} has the records of another project, ${original}${isMoved ? ', which was moved and still runs' : ''}`,
    {
      hint: `stop that project first (${DEVCTL} stop ${named}), or give this one another "pidsDir"`,
    },
  );
}
