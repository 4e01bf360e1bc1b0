import { existsSync, readlinkSync } from 'node:fs';
import { errnoOf } from '../errors.ts';

/** The working directory of a process. */
export type WorkingFolder =
  | { readonly kind: 'folder'; readonly path: string }
  /** The process lives, and its folder was removed. */
  | { readonly kind: 'removed' }
  /** There is no such process. */
  | { readonly kind: 'gone' }
  | { readonly kind: 'unreadable' };

/** The suffix that the kernel puts behind the path of a removed folder: proc_pid_cwd(5). */
const DELETED = ' (deleted)';

/** Reads the working directory of one process, without a process table. */
export function readWorkingFolder(pid: number): WorkingFolder {
  // Elsewhere it takes `lsof`, which cannot be asked in the middle of a decision.
  if (process.platform !== 'linux') return { kind: isAlive(pid) ? 'unreadable' : 'gone' };
  try {
    const path = readlinkSync(`/proc/${pid}/cwd`);
    // A folder may have that end in its own name.
    const isRemoved = path.endsWith(DELETED) && !existsSync(path);
    return isRemoved ? { kind: 'removed' } : { kind: 'folder', path };
  } catch (error) {
    const errno = errnoOf(error) ?? '';
    return ['ENOENT', 'ESRCH'].includes(errno) ? { kind: 'gone' } : { kind: 'unreadable' };
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) === 'EPERM';
  }
}
