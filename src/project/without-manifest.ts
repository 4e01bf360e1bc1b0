import { linuxBootId } from '../processes/boot-id.ts';
import { otherEnvironments } from '../processes/linux/environments.ts';
import type { ProjectFolder } from './folder.ts';
import { readLedgers } from './ledger.ts';
import { hasLinesOfOthers } from './legacy-files.ts';
import { hasContainersRecord, markOfPath } from './names.ts';
import { heldElsewhere } from './place/holders.ts';
import { OF_OTHER_MANIFEST } from './recorded-project.ts';
import { readFolderRecords } from './records.ts';
import { folderProblem } from './records-folder.ts';
import { readSupervisor } from './supervisor-record.ts';

/**
 * Tells whether the records of a folder name processes: then the folder is a project, also without a manifest. A
 * damaged record names something too, because it says that something ran. Empty folders name nothing.
 */
export function namesProcesses(folder: ProjectFolder): boolean {
  const { standing, elsewhere } = folder.standing;
  if (elsewhere.length > 0) return true;
  if (standing === 'copy' || folderProblem(folder, null)) return false;
  return (
    namesServices(folder) ||
    hasContainersRecord(folder.pidsDir) ||
    namesSupervisor(folder) ||
    readLedgers(folder).entries.length > 0 ||
    hasLinesOfOthers(folder)
  );
}

function namesServices(folder: ProjectFolder): boolean {
  const { records, problems, others } = readFolderRecords(folder);
  if (records.length > 0 || others.length > 0) return true;
  // Where another project keeps its records in the same folder, the damaged ones are its own.
  if (folder.standing.standing === 'shared') return false;
  return problems.some(({ kind, service }) => kind !== 'foreign' && service !== null);
}

/** A supervisor of an earlier boot is dead, and so is everything that it cared for. */
function namesSupervisor(folder: ProjectFolder): boolean {
  const read = readSupervisor(folder);
  if (read.kind === 'problem') return read.problem.reason === OF_OTHER_MANIFEST;
  if (read.kind !== 'record') return false;
  return process.platform !== 'linux' || read.record.identity.bootId === linuxBootId();
}

/**
 * Finds the first of these folders that living processes have the mark of (`ownership/cookie.ts`). It costs one read
 * for each process of this user. Only Linux shows environments without a program; elsewhere the answer is null.
 *
 * @param folders real paths, the nearest first
 */
export function firstMarked(folders: readonly string[]): string | null {
  if (process.platform !== 'linux' || folders.length === 0) return null;
  const entries = folders.map((folder) => `DEVCTL_PROJECT=${markOfPath(folder)}\0`);
  let nearest = folders.length;
  for (const { environ } of otherEnvironments()) {
    // The mark is in an environment twice, and the second name of its variable ends in the first.
    if (!environ.includes('DEVCTL_PROJECT=')) continue;
    const found = entries.findIndex((entry) => environ.includes(entry));
    const folder = folders[found];
    if (folder === undefined || found >= nearest || livesElsewhere(environ, folder)) continue;
    nearest = found;
    if (nearest === 0) break;
  }
  return folders[nearest] ?? null;
}

/** Tells whether a process belongs to a project that was moved away, and that the registry finds where it is now. */
function livesElsewhere(environ: string, folder: string): boolean {
  const id = /(?:^|\0)DEVCTL_PROJECT_ID=([0-9a-f]{16})/.exec(environ)?.[1];
  return id !== undefined && heldElsewhere(id, folder) !== null;
}
