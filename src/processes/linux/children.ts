import { listProcFolder, readProcFile, readProcLine } from '../proc-file.ts';

/**
 * Asks whether the kernel lists any child of this process, which must have one thread only. While children come and go,
 * /proc/PID/task/TID/children (proc_tid_children(5)) may miss some of them. But it is empty only if there was a moment
 * without any child, because it begins with the first one. It is also empty once the process is dead, so the caller has
 * to check afterwards that the process is alive.
 *
 * @returns null where there is no such list: no process has this number, or the kernel has no such lists
 *   (CONFIG_PROC_CHILDREN)
 */
export function listsChildren(pid: number): boolean | null {
  const list = readProcLine(`/proc/${pid}/task/${pid}/children`);
  return list === null ? null : list.trim() !== '';
}

/**
 * Reads the children that the kernel lists for a process and all of its threads, living children and zombies. As with
 * `listsChildren`, children that come and go may be missing.
 *
 * @returns null where there is no such list
 */
export function childrenOf(pid: number): readonly number[] | null {
  const threads = listProcFolder(`/proc/${pid}/task`);
  if (threads === null) return null;
  const children: number[] = [];
  for (const thread of threads) {
    const list = readProcFile(`/proc/${pid}/task/${thread}/children`);
    if (list !== null) children.push(...list.split(' ').filter(Boolean).map(Number));
    // A thread may end meanwhile; where the main one has no list, the kernel has none.
    else if (thread === String(pid)) return null;
  }
  return children;
}
