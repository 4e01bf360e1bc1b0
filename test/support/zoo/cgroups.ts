import { chownSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ownControlGroup } from '../control-groups.ts';
import { until } from '../until.ts';

/** A cgroup that belongs to another user, as systemd's user manager delegates them. */
export interface DelegatedGroup extends Disposable {
  /** The file that a process writes its pid into to join the group. */
  readonly procs: string;
}

/** The group in which this process may make groups (v2); null where it may not. */
export function cgroupBase(): string | null {
  const base = ownControlGroup();
  if (base === null) return null;
  try {
    const probe = join(base, `zoo-probe-${process.pid}`);
    mkdirSync(probe);
    rmdirSync(probe);
    return base;
  } catch {
    return null;
  }
}

let made = 0;
const delegated = new Set<string>();

/**
 * Makes a cgroup and gives it to a user. Removed on disposal.
 *
 * @throws on disposal where a group was left below it
 */
export function delegateGroup(base: string, uid: number): DelegatedGroup {
  made += 1;
  const folder = join(base, `zoo-${process.pid}-${made}`);
  mkdirSync(folder);
  delegated.add(folder);
  const files = ['', 'cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads'];
  for (const file of files) chownSync(join(folder, file), uid, uid);
  return {
    procs: join(folder, 'cgroup.procs'),
    [Symbol.dispose]() {
      delegated.delete(folder);
      const below = foldersIn(folder);
      removeGroup(folder);
      if (below.length > 0) throw new Error(`cgroups: ${below.join(', ')}`);
    },
  };
}

/** Ends what is in the delegated groups, and removes them: for a run that is interrupted. */
export async function removeDelegatedGroups(): Promise<void> {
  for (const folder of delegated) {
    writeFileSync(join(folder, 'cgroup.kill'), '1');
    await until(() => {
      removeGroup(folder);
      return true;
    });
  }
}

/** Removes a group with all groups below it. */
function removeGroup(folder: string): void {
  for (const name of foldersIn(folder)) removeGroup(join(folder, name));
  rmdirSync(folder);
}

function foldersIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
}
