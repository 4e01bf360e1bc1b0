import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmdirSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { errnoOf } from '../../errors.ts';
import { monotonicMs } from '../clock.ts';
import { quietly, readProcFile } from '../proc-file.ts';
import {
  folderOf,
  type GroupMount,
  parseGroupMounts,
  parseGroupPath,
  pathOf,
} from './group-mounts.ts';

/** The control group (cgroup v2, cgroups(7)) that this process was started in. */
export interface OwnGroup {
  /** Absolute path in the file system. */
  readonly folder: string;
  readonly mount: GroupMount;
}

let own: OwnGroup | { readonly why: string } | undefined;

/**
 * Finds our own control group, once, because a supervisor visits the groups of its runs for an instant.
 *
 * With DEVCTL_CGROUP=off or DEVCTL_PROCESS_TABLE=portable devctl behaves as on a system without control groups.
 *
 * @returns the reason in one sentence where there is none
 */
export function ownGroup(): OwnGroup | { readonly why: string } {
  own ??= findOwnGroup();
  return own;
}

function findOwnGroup(): OwnGroup | { readonly why: string } {
  if (process.platform !== 'linux') return { why: 'control groups exist on Linux only' };
  if (process.env.DEVCTL_CGROUP === 'off') return { why: 'turned off by DEVCTL_CGROUP=off' };
  if (process.env.DEVCTL_PROCESS_TABLE === 'portable') {
    return { why: 'turned off by DEVCTL_PROCESS_TABLE=portable' };
  }
  const mounts = parseGroupMounts(readProcFile('/proc/self/mountinfo') ?? '');
  if (mounts.length === 0) return { why: 'no cgroup v2 is mounted' };
  const path = parseGroupPath(readProcFile('/proc/self/cgroup') ?? '');
  for (const mount of path === null ? [] : mounts) {
    const folder = path && folderOf(mount, path);
    if (folder && existsSync(join(folder, 'cgroup.procs'))) return { folder, mount };
  }
  return { why: `our own cgroup (${path ?? 'none'}) is not visible in ${mounts[0]?.point}` };
}

/** Tells what /proc/PID/cgroup says of the processes in this folder; null when it is no control group here. */
export function groupPath(folder: string): string | null {
  const group = ownGroup();
  return 'why' in group ? null : pathOf(group.mount, folder);
}

/**
 * Names our view of the hierarchy. The same path may be another group in another cgroup namespace
 * (cgroup_namespaces(7)) or through another mount, and a group that is missing here may be full there.
 *
 * @returns null where there is none
 */
export function groupView(): string | null {
  const group = ownGroup();
  if ('why' in group) return null;
  const namespace = quietly(() => readlinkSync('/proc/self/ns/cgroup')) ?? '';
  return [namespace, group.mount.root, group.mount.point].join(' ');
}

/**
 * Makes a group if it is missing.
 *
 * @throws the errno error of mkdir(2): EACCES, EROFS (a container's read-only mount) …
 */
export function makeGroup(folder: string): void {
  try {
    mkdirSync(folder);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}

/**
 * Moves a process into a group, with all its threads.
 *
 * @throws the errno error of the write; EACCES also where we do not own the common ancestor of both groups
 */
export function joinGroup(folder: string, pid: number): void {
  writeControl(join(folder, 'cgroup.procs'), String(pid));
}

/** Lists the names of the groups right below this one; empty where there is no such group. */
export function listGroups(folder: string): readonly string[] {
  return (
    quietly(() =>
      readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
        entry.isDirectory() ? [entry.name] : [],
      ),
    ) ?? []
  );
}

/**
 * Lists the pids in a group and below it, in no order. Zombies are in no group. 0 stands for a process of
 * another PID namespace.
 */
export function groupMembers(folder: string): readonly number[] {
  const pids = (readProcFile(join(folder, 'cgroup.procs')) ?? '').split('\n').filter(Boolean);
  if (hasNoGroups(folder)) return pids.map(Number);
  return [
    ...pids.map(Number),
    ...listGroups(folder).flatMap((name) => groupMembers(join(folder, name))),
  ];
}

/**
 * Tells whether the kernel counts no group below this one: its folder has two links then, as every empty one has. A group
 * has forty files, and to list them takes seven times as long. With 250 services each look does it 250 times.
 */
function hasNoGroups(folder: string): boolean {
  return quietly(() => statSync(folder).nlink) === 2;
}

/**
 * Removes a group with everything below it, as far as it is empty. The kernel refuses to remove a group
 * with a living process in it, so a removed group is a proof.
 *
 * @param kept names of groups right below it that are known to have a process, and are not tried
 * @returns true when the group is gone
 */
export function removeGroup(folder: string, kept?: ReadonlySet<string>): boolean {
  const names = hasNoGroups(folder) ? [] : listGroups(folder);
  let isKept = false;
  for (const name of names) {
    if (kept?.has(name)) isKept = true;
    else removeGroup(join(folder, name));
  }
  return !isKept && removeEmptyGroup(folder);
}

/** Removes a group that has no groups below it. */
export function removeEmptyGroup(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    return errnoOf(error) === 'ENOENT';
  }
}

/** Lets a frozen group run again. A devctl that was killed while it killed the group may have left it frozen. */
export function thawGroup(folder: string): void {
  if (readProcFile(join(folder, 'cgroup.freeze'))?.trim() === '1') freeze(folder, false);
}

/** Time for a group to freeze. A vfork(2) or a process inside the kernel may delay it; devctl then uses other ways. */
const FREEZE_MS = 300;

/**
 * Ends everything in a group and below it with one write (cgroup.kill, Linux 5.14), which no fork
 * outruns. Freezes the group first and asks `approve` then, because nothing in a frozen group can be born or move.
 *
 * @param approve gets the pids in the group
 * @returns 'refused' by `approve`, or because we are in the group ourselves; 'failed' where it cannot be done.
 *   In both cases the group runs again
 */
export async function killGroup(
  folder: string,
  approve: (pids: readonly number[]) => Promise<boolean>,
): Promise<'killed' | 'refused' | 'failed'> {
  if (!existsSync(join(folder, 'cgroup.kill'))) return 'failed';
  // We would freeze ourselves, and nobody would thaw us: a supervisor may have been started inside a service.
  if (groupMembers(folder).includes(process.pid)) return 'refused';
  let frozen = false;
  try {
    freeze(folder, true);
    frozen = true;
    if (!(await settles(folder))) return 'failed';
    if (!(await approve(groupMembers(folder)))) return 'refused';
    writeControl(join(folder, 'cgroup.kill'), '1');
    frozen = false;
    return 'killed';
  } catch (error) {
    // Removed meanwhile, or not ours to write.
    if (errnoOf(error) !== undefined) return 'failed';
    throw error;
  } finally {
    if (frozen) quietly(() => freeze(folder, false));
  }
}

function freeze(folder: string, on: boolean): void {
  writeControl(join(folder, 'cgroup.freeze'), on ? '1' : '0');
}

/** Writes a control file that must exist: a file made by us, in an ordinary folder, would look like a control file. */
function writeControl(file: string, value: string): void {
  const fd = openSync(file, constants.O_WRONLY);
  try {
    writeSync(fd, value);
  } finally {
    closeSync(fd);
  }
}

async function settles(folder: string): Promise<boolean> {
  const end = monotonicMs() + FREEZE_MS;
  while (monotonicMs() < end) {
    const events = readProcFile(join(folder, 'cgroup.events'));
    if (events === null) return false;
    if (/^frozen 1$/m.test(events)) return true;
    await delay(1);
  }
  return false;
}
