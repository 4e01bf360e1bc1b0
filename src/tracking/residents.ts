import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readCookie } from '../ownership/cookie.ts';
import { isSupervisorCommand } from '../ownership/devctl-argv.ts';
import { GUARD_NAME } from '../ownership/vetoes.ts';
import { readPidNamespace } from '../processes/pid-namespace.ts';
import { readProcLink } from '../processes/proc-file.ts';
import { isGone, type ProcessInfo, type Snapshot } from '../processes/snapshot.ts';
import { isOwnUser } from '../processes/users.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { isInside } from '../project/inside.ts';
import { variantOf } from '../project/names.ts';
import { readFolderPlace, readPlace } from '../project/place/project-file.ts';
import { variantIn } from '../project/project-id.ts';

/** A supervisor or guard: it works in the folder of its project, whatever the records there say. */
export interface Resident {
  readonly pid: number;
  readonly mark: string;
  /** Null: an early version of devctl has started it. */
  readonly projectId: string | null;
  /** Its working directory: the kernel's word for where its project is. */
  readonly cwd: string | null;
}

/** Finds this user's supervisors and guards of all projects with a manifest of this name. */
export function findResidents(
  { manifestName }: ProjectFolder,
  { byPid, details }: Snapshot,
): readonly Resident[] {
  const variant = variantOf(manifestName);
  return [...byPid.values()].flatMap((process) => {
    if (isGone(process) || process.kernelThread) return [];
    const cookie = readCookie(details.environ(process) ?? '');
    const [mark, ...others] = cookie?.projects ?? [];
    const isResident = cookie?.role === 'supervisor' || cookie?.role === 'guard';
    if (!cookie || !isResident || mark === undefined || others.length > 0) return [];
    const { projectId } = cookie;
    if (projectId !== null && variantIn(projectId) !== variant) return [];
    const argv = details.argv(process) ?? [];
    if (!isSupervisorCommand(argv) && process.name !== GUARD_NAME) return [];
    // Another user's process may claim to be any project's, and its word would decide about processes of ours.
    if (!isOwnUser(details.uid(process)) || isInOtherNamespace(process)) return [];
    return [{ pid: process.identity.pid, mark, projectId, cwd: details.cwd(process) }];
  });
}

/** Tells whether a resident works in a folder that exists and is not this one, under whatever path it is seen. */
export function worksElsewhere(
  { root, manifestName }: ProjectFolder,
  { cwd, projectId }: Resident,
): boolean {
  if (cwd === null || cwd === root) return false;
  // Guards of early versions do not all work in their project.
  if (projectId === null && !existsSync(join(cwd, manifestName))) return false;
  const [there, here] = [cwd, root].map((path) => readFolderPlace(path, readPlace()));
  return Boolean(there) && !(there?.device === here?.device && there?.inode === here?.inode);
}

/** Tells whether a process of another mount namespace works in another folder that it sees at our path. */
export function isAtSamePathElsewhere(
  { root }: ProjectFolder,
  process: ProcessInfo,
  { details }: Snapshot,
): boolean {
  if (details.cwd(process) !== null) return false;
  return isInside(root, readProcLink(`/proc/${process.identity.pid}/cwd`));
}

export function isInOtherNamespace({ identity: { pid } }: ProcessInfo): boolean {
  const namespace = readProcLink(`/proc/${pid}/ns/pid`);
  return namespace !== null && namespace !== readPidNamespace();
}
