import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

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

/** Can this process make control groups, and does nothing forbid devctl to? */
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

/** The group that holds those of a project's runs, whether it exists or not; null without any. */
export function controlGroupOf(root: string): string | null {
  const own = ownControlGroup();
  const hash = createHash('sha256').update(root).digest('hex').slice(0, 16);
  return own && join(own, `devctl-${hash}`);
}

/** Removes what a project has left of control groups, once its processes have ended. */
export function removeControlGroups(root: string): void {
  const group = controlGroupOf(root);
  if (group !== null && existsSync(group)) removeTree(group);
}

function removeTree(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeTree(join(folder, entry.name));
  }
  try {
    rmdirSync(folder);
  } catch {
    // A process in it has not quite ended: the oracle has looked for it already.
  }
}
