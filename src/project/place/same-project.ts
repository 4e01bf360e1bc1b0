import type { FolderPlace, Place, ProjectRecord } from './project-file.ts';

/**
 * How a folder stands to the `project.json` in it.
 *
 * - here: the record speaks of this very folder, at this path
 * - moved: of this very folder, which had another path then
 * - copy: of another folder, or nobody can tell; its records name nothing here
 * - shared: of another project that keeps its records in the same folder
 */
export type Belonging = 'here' | 'moved' | 'copy' | 'shared';

/** The questions about the rest of the machine, each asked only where the answer decides. */
export interface Surroundings {
  /** Is there a folder at the recorded path? */
  readonly oldPathExists: () => boolean;
  /** Does the registry name another existing folder that holds the id? */
  readonly isRegisteredElsewhere: () => boolean;
  /**
   * Does a living process of the id work in another existing folder that holds the id? 'perhaps': a process lives, and
   * its working directory cannot be read. 'removed': no, and one works in a removed folder at the recorded path, which is
   * the kernel's word that the original was removed, because a renamed folder shows its new path. 'nowhere': what the
   * records name lives, and none of it works in this folder or in another one of the id.
   */
  readonly livesElsewhere: () => 'yes' | 'perhaps' | 'removed' | 'nowhere' | 'no';
  /** Does a process live that the records in the folder name? */
  readonly namesLiving: () => boolean;
}

/**
 * Proves that the id in a folder is the folder's own, or calls the folder a copy.
 *
 * The recorded path decides first, because remounts, overlays and restored backups change device and inode; a living
 * process that works in another folder with the id contradicts it, and on the same device one that works nowhere makes it
 * doubtful, because a copy may have been put in the place of the original. Device and inode prove a move within one
 * file system. A move across file systems is a copy whose original has gone, so it counts only where no process says
 * that the original is elsewhere. Another inode on the same device is a copy, because a rename keeps the inode; but
 * between two mounts of one device mv(1) copies too, so it counts where a process says that the original was removed.
 * A path from another machine, boot or PID namespace says nothing about moves. 'perhaps-moved' is a copy whose original
 * nobody finds: it counts as a copy, and a stop names what its records name. In doubt the folder is a copy: a missed move costs a warning, a wrong one
 * ends the processes of another project.
 */
export function judgeBelonging(
  record: ProjectRecord,
  here: FolderPlace & { readonly pidsDir: string },
  { oldPathExists, isRegisteredElsewhere, livesElsewhere, namesLiving }: Surroundings,
): Belonging | 'perhaps-moved' {
  const isSameFolder = record.device === here.device && record.inode === here.inode;
  // Path and inode say the same: the id was written into another folder by hand.
  if (isSameFolder && record.path === here.path && isSamePlace(record, here)) return 'here';
  // A folder that was moved, and then copied to where it was: both hold the id, and one path is in the record.
  if (isRegisteredElsewhere())
    return record.pidsDir === here.pidsDir && record.path !== here.path ? 'shared' : 'copy';
  if (record.path === here.path || record.alsoAt.includes(here.path)) {
    if (isSameFolder || !isSamePlace(record, here)) return 'here';
    // The same before anybody has noted the move.
    const lives = livesElsewhere();
    if (lives === 'yes') return 'copy';
    return lives === 'nowhere' && record.device === here.device ? 'perhaps-moved' : 'here';
  }
  if (isSamePlace(record, here)) {
    if (isSameFolder) return 'moved';
    // Records that lie outside of the project do not tell whose they are once its folder has gone. But the project may
    // have been moved, and while its processes live its records are not ours to set aside.
    if (record.pidsDir === here.pidsDir)
      return oldPathExists() || namesLiving() ? 'shared' : 'copy';
    if (oldPathExists()) return 'copy';
    const lives = livesElsewhere();
    if (lives === 'yes') return 'copy';
    const isNoSign = lives === 'no' || lives === 'nowhere';
    if (lives === 'removed' || (isNoSign && record.device !== here.device)) return 'moved';
    return 'perhaps-moved';
  }
  return 'copy';
}

/** A file system may use the clock of another machine, and a clock is set after the boot. */
const CLOCK_TOLERANCE_MS = 10_000;

/** Tells whether a path and a pid mean the same at both: one kernel since its boot, one PID namespace. */
export function isSamePlace(a: Place, b: Place): boolean {
  return a.bootId === b.bootId && a.pidNamespace === b.pidNamespace;
}

/**
 * Tells whether records that were written at `there` may speak of processes that live, but not here: on another
 * machine, or in another PID namespace of this boot. Records of an earlier boot of this machine speak of dead ones.
 *
 * @param sinceBootMs when the records were written, in ms since the boot of this machine; negative: before it. Asked only
 *   where it decides, because it takes a look at each record
 */
export function mayLiveElsewhere(there: Place, here: Place, sinceBootMs: () => number): boolean {
  if (there.bootId === here.bootId) return there.pidNamespace !== here.pidNamespace;
  // No earlier boot of this machine writes after this one: it is another machine with the same id, a clone.
  if (sinceBootMs() > CLOCK_TOLERANCE_MS) return true;
  // Without a machine id, another boot id may be a reboot of this machine or another machine.
  return there.machineId === null || here.machineId === null || there.machineId !== here.machineId;
}
