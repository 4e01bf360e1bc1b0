import { readProcLine } from './proc-file.ts';

/**
 * Has this process, which must have one thread only, any child? As the kernel lists them in
 * /proc/PID/task/TID/children (proc_tid_children(5)). Of children that come and go the list may miss some,
 * but it is empty only if there was a moment without any: it begins with the first one, if there is one.
 *
 * @returns null where that is not known: the process is gone, or the kernel has no such list
 *   (CONFIG_PROC_CHILDREN)
 */
export function hasChildren(pid: number): boolean | null {
  const list = readProcLine(`/proc/${pid}/task/${pid}/children`);
  return list === null ? null : list.trim() !== '';
}
