import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from './paths.ts';
import { perl } from './zoo/behaviours.ts';

export const hasPerl = perl() !== null;

/** The command of a fork storm: 60 lineages that live 20 ms each, until the file `mark` is removed. */
export function lineages(mark: string): string[] {
  const folder = join(repositoryRoot, 'fixtures');
  const program = join(folder, 'lineages.pl');
  return [perl() ?? 'perl', '-I', join(folder, 'zoo'), `-MZoo=${mark}`, program];
}

/** Lists the children of a process, living or dead: proc_tid_children(5), which takes no look at other processes. */
export function childrenBelow(pid: number): readonly string[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean),
  );
}

/** Counts the children of a process that are dead and not reaped. */
export function zombiesBelow(pid: number): number {
  return childrenBelow(pid).filter(isZombie).length;
}

function isZombie(pid: string): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
  } catch {
    // It has been reaped in between.
    return false;
  }
}
