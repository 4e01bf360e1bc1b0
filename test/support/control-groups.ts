import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

/** The folder of the control group (v2) of this process; null where there is none. */
export function ownControlGroup(): string | null {
  try {
    // proc_pid_mountinfo(5): the mount point is the fifth field, the type the first after the dash.
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
    const mount = mounts.find((line) => line.includes(' - cgroup2 '))?.split(' ')[4];
    const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1];
    return !mount || own === undefined ? null : join(mount, own);
  } catch {
    return null;
  }
}

/** True where this process can make control groups, and devctl may. */
export const hasControlGroups =
  process.env.DEVCTL_CGROUP !== 'off' &&
  process.env.DEVCTL_PROCESS_TABLE !== 'portable' &&
  canMakeGroups();

function canMakeGroups(): boolean {
  const own = ownControlGroup();
  if (own === null) return false;
  const trial = join(own, `devctl-test-${process.pid}`);
  try {
    mkdirSync(trial);
    writeFileSync(join(own, 'cgroup.procs'), String(process.pid));
    rmdirSync(trial);
    return true;
  } catch {
    return false;
  }
}

/** The group that holds the groups of a project's runs, whether it exists or not; null without control groups. */
export function controlGroupOf(root: string): string | null {
  const own = ownControlGroup();
  return own && join(own, nameOf(root));
}

function nameOf(root: string): string {
  return `devctl-${createHash('sha256').update(root).digest('hex').slice(0, 16)}`;
}

/** How often a group is tried to be removed in which a process has not quite ended. */
const TRIES = 80;
const PAUSE_MS = 25;

/**
 * Removes the control groups that a project has left, after its processes have ended. The group of a project that was
 * started inside of a service is below the group of that service.
 *
 * A process that is exiting is in its group still when it shows no file and no environment to the oracle any more.
 */
export async function removeControlGroups(root: string): Promise<void> {
  const own = ownControlGroup();
  if (own === null) return;
  for (let left = TRIES; left > 0; left -= 1) {
    const groups = groupsBelow(own).filter((group) => basename(group) === nameOf(root));
    const removed = groups.filter(removeTree);
    // The project around it had to keep the group of the service for it.
    for (const group of removed) removeEmptyParents(dirname(group), own);
    if (removed.length === groups.length) return;
    await setTimeout(PAUSE_MS);
  }
}

/** All groups below this one, the deepest first. */
export function groupsBelow(folder: string): string[] {
  return foldersIn(folder).flatMap((name) => {
    const group = join(folder, name);
    return [...groupsBelow(group), group];
  });
}

/** The pids in a group and below it. */
export function groupMembers(folder: string): number[] {
  return [folder, ...groupsBelow(folder)].flatMap((group) => {
    try {
      return readFileSync(join(group, 'cgroup.procs'), 'utf8')
        .split('\n')
        .filter(Boolean)
        .map(Number);
    } catch {
      return [];
    }
  });
}

/** Removes a group with all groups below it that are empty. The return value says whether it is gone. */
export function removeTree(folder: string): boolean {
  for (const name of foldersIn(folder)) removeTree(join(folder, name));
  return removeEmpty(folder);
}

function removeEmptyParents(folder: string, top: string): void {
  if (folder !== top && removeEmpty(folder)) removeEmptyParents(dirname(folder), top);
}

function removeEmpty(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOENT';
  }
}

function foldersIn(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch {
    return [];
  }
}
