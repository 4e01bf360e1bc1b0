import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmdirSync,
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
 * Finds our own control group, once: a supervisor visits those of its runs for an instant.
 *
 * DEVCTL_CGROUP=off plays a system without any, and so does DEVCTL_PROCESS_TABLE=portable.
 *
 * @returns why there is none, in one sentence, where there is none
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

/** What /proc/PID/cgroup says of the processes in this folder; null when it is no control group here. */
export function groupPath(folder: string): string | null {
  const group = ownGroup();
  return 'why' in group ? null : pathOf(group.mount, folder);
}

/**
 * How we see the hierarchy: the same path may be another group in another cgroup namespace
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
 * @throws the errno error of the write; EACCES also where only the common ancestor of both groups is
 *   not ours
 */
export function joinGroup(folder: string, pid: number): void {
  writeControl(join(folder, 'cgroup.procs'), String(pid));
}

/** Names of the groups right below this one; empty where there is no such group. */
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
 * Pids in a group and below it, in no order. Zombies are not in any; 0 stands for a process of
 * another PID namespace.
 */
export function groupMembers(folder: string): readonly number[] {
  const pids = (readProcFile(join(folder, 'cgroup.procs')) ?? '').split('\n').filter(Boolean);
  return [
    ...pids.map(Number),
    ...listGroups(folder).flatMap((name) => groupMembers(join(folder, name))),
  ];
}

/**
 * Removes a group with everything below it, as far as it is empty: the kernel refuses to remove one
 * with a living process in it, which makes this a proof.
 *
 * @returns is it gone?
 */
export function removeGroup(folder: string): boolean {
  for (const name of listGroups(folder)) removeGroup(join(folder, name));
  return removeEmptyGroup(folder);
}

/** The same for one without any below it. */
export function removeEmptyGroup(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    return errnoOf(error) === 'ENOENT';
  }
}

/** Lets a frozen group run again: a devctl that was killed while killing may have left it so. */
export function thawGroup(folder: string): void {
  if (readProcFile(join(folder, 'cgroup.freeze'))?.trim() === '1') freeze(folder, false);
}

/** A vfork(2) or a process in the kernel's hands may delay it; then there are other ways. */
const FREEZE_MS = 300;

/**
 * Ends everything in a group and below it with one write (cgroup.kill, Linux 5.14), which no fork
 * outruns. Before, it is frozen and `approve` asked, when nothing in it can be born or move any more.
 *
 * @param approve gets the pids in it
 * @returns 'refused' by `approve`, or because we are in it ourselves; 'failed' where it cannot be done:
 *   then it is thawed again
 */
export async function killGroup(
  folder: string,
  approve: (pids: readonly number[]) => Promise<boolean>,
): Promise<'killed' | 'refused' | 'failed'> {
  if (!existsSync(join(folder, 'cgroup.kill'))) return 'failed';
  // Nobody would thaw it again: a supervisor may have been started inside of a service.
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

/** Never creates it: in a folder that is no control group that would be a file which looks like one's. */
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
