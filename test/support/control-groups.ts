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

/** Where cgroup v2 is mounted, by itself or beside cgroup v1. */
const MOUNT = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified'].find((folder) =>
  existsSync(join(folder, 'cgroup.procs')),
);

/** The folder of the control group of this process; null where there is none. */
export function ownControlGroup(): string | null {
  if (MOUNT === undefined) return null;
  const line = readFileSync('/proc/self/cgroup', 'utf8')
    .split('\n')
    .find((one) => one.startsWith('0::'));
  return line === undefined ? null : join(MOUNT, line.slice('0::'.length));
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
