import { existsSync, readlinkSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { DevctlError, errnoOf } from '../errors.ts';
import { DEVCTL } from '../own-command.ts';

/** The working directory of a process. */
export type WorkingFolder =
  | { readonly kind: 'folder'; readonly path: string }
  /** The process lives, and its folder was removed. The path is the one that it had at the end. */
  | { readonly kind: 'removed'; readonly path: string }
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
    return isRemoved
      ? { kind: 'removed', path: path.slice(0, -DELETED.length) }
      : { kind: 'folder', path };
  } catch (error) {
    const errno = errnoOf(error) ?? '';
    return ['ENOENT', 'ESRCH'].includes(errno) ? { kind: 'gone' } : { kind: 'unreadable' };
  }
}

/**
 * The working directory of this process.
 *
 * @throws DevctlError 'folder-gone' where it was removed: getcwd(3) fails then
 */
export function currentFolder(): string {
  try {
    return process.cwd();
  } catch {
    throw currentFolderGone();
  }
}

/** The path that the removed working directory of this process had; null where it is still there, or nobody can tell. */
export function removedCurrentFolder(environment = process.env): string | null {
  try {
    process.cwd();
    return null;
  } catch {
    const kernels = readOwnLink();
    if (kernels?.endsWith(DELETED)) return kernels.slice(0, -DELETED.length);
    // The shell's word for it, where the kernel has none.
    const shells = environment.PWD;
    return shells !== undefined && isAbsolute(shells) ? shells : null;
  }
}

function readOwnLink(): string | null {
  try {
    return readlinkSync('/proc/self/cwd');
  } catch {
    return null;
  }
}

function currentFolderGone(): DevctlError {
  const path = removedCurrentFolder();
  const was = path === null ? '' : `: ${path}`;
  const again = path !== null && existsSync(path);
  const stop =
    path === null ? `${DEVCTL} status --all shows` : `${DEVCTL} stop --project ${path} ends`;
  return new DevctlError('folder-gone', `the current folder was removed${was}`, {
    hint: again
      ? `another folder is at that path now; go there: cd ${path}`
      : `${stop} what still runs of it; for another project go to its folder, or name it with an absolute path: --config /PATH`,
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) === 'EPERM';
  }
}
