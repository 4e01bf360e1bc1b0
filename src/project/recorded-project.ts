import { existsSync } from 'node:fs';
import type { ProjectFolder } from './folder.ts';
import { folderIdOf } from './project-id.ts';

/** Makes the fields by which a record names its project. */
export function recordedProject({ root, id }: Pick<ProjectFolder, 'root' | 'id'>): {
  readonly project: string;
  readonly projectId?: string;
} {
  return { project: root, ...(id === null ? {} : { projectId: id }) };
}

/** The project that a record speaks of. */
export interface RecordedProject {
  /** Real path of the project folder when the record was written. Missing in ledgers of early versions. */
  readonly project?: string | undefined;
  /** Its id; missing in records of early versions, and in ledgers. */
  readonly projectId?: string | undefined;
}

/**
 * Says in words that a record belongs to another project; null when it is ours.
 *
 * A `.pids` that was copied along with its project names the processes of the original, so obeying it would stop the
 * original. Where ids are missing the path decides: a record of another path that still exists is foreign, and a
 * record of a path that has gone is that of a project which was moved here.
 */
export function whyOfAnotherProject(
  folder: ProjectFolder,
  { project, projectId }: RecordedProject,
): string | null {
  const { standing, original } = folder.standing;
  if (standing === 'copy') return `it was copied from ${original}, and names nothing here`;
  if (projectId !== undefined && folder.id !== null) {
    if (projectId === folder.id) return null;
    if (isOfOtherManifest(folder, { projectId })) return OF_OTHER_MANIFEST;
    if (project !== undefined && !folder.paths.includes(project)) {
      return `it belongs to the project ${project}`;
    }
    return null;
  }
  if (project === undefined || folder.paths.includes(project)) return null;
  // In a records folder of another project a path that has gone is that of the other project, which was moved.
  if (standing !== 'shared' && !existsSync(project)) return null;
  return `it belongs to the project ${project}`;
}

/** The answer of `whyOfAnotherProject` for a record that another manifest of the same folder has written. */
export const OF_OTHER_MANIFEST = 'it belongs to another manifest of this folder';

/** Tells whether a record is of the project that another manifest in this very folder makes. */
export function isOfOtherManifest({ id }: ProjectFolder, { projectId }: RecordedProject): boolean {
  if (id === null || projectId === undefined || projectId === id) return false;
  return folderIdOf(projectId) === folderIdOf(id);
}
