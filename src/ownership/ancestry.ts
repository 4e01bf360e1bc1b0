import type { ProcessInfo, Snapshot } from '../processes/snapshot.ts';

/** Lists a process, its parent, and so on up to process 1, which is left out. */
export function ancestry(pid: number, snapshot: Snapshot): readonly ProcessInfo[] {
  const chain: ProcessInfo[] = [];
  let current = snapshot.byPid.get(pid);
  while (current && current.identity.pid > 1 && !chain.includes(current)) {
    chain.push(current);
    current = snapshot.byPid.get(current.ppid);
  }
  return chain;
}
