import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { removeIfThere, writeFileAtomically } from '../atomic-file.ts';
import type { ProjectFolder } from '../folder.ts';
import { hasContainersRecord, projectHash, variantOf } from '../names.ts';
import { prepareStateFolder, stateFolder } from './registry.ts';

/** The facts that name one folder and one manifest in it. */
type Whose = Pick<ProjectFolder, 'root' | 'identity' | 'manifestName'>;

/**
 * Tells whether a start of a project has made containers, or was about to: by the record, or by its copy in the state
 * folder, because `.pids` may be gone. It costs two looks, so that a project that never had containers asks nobody.
 */
export function hadContainers(folder: Whose & Pick<ProjectFolder, 'pidsDir'>): boolean {
  if (hasContainersRecord(folder.pidsDir)) return true;
  const copy = containersCopy(folder);
  return copy !== null && existsSync(copy);
}

/**
 * Returns the absolute path of the copy. Another folder at the same path has another one.
 *
 * @returns null where there is no state folder
 */
export function containersCopy(folder: Whose): string | null {
  const state = stateFolder('containers');
  const name = nameOf(folder);
  return state === null || name === null ? null : join(state, name);
}

function nameOf({ root, identity, manifestName }: Whose): string | null {
  if (identity === null) return null;
  const { device, inode } = identity;
  return `${projectHash(`${device} ${inode} ${root}`)}${variantOf(manifestName)}.json`;
}

/** Never throws: without a copy, containers are found as long as `.pids` or the manifest names them. */
export function writeContainersCopy(folder: Whose, text: string): void {
  const name = nameOf(folder);
  try {
    const state = prepareStateFolder('containers');
    if (state !== null && name !== null)
      writeFileAtomically(join(state, name), text, { flushed: false });
  } catch {
    // A state folder that cannot be written.
  }
}

/** Never throws: a copy too many makes the next stop ask the engine once more. */
export function removeContainersCopy(folder: Whose): void {
  const copy = containersCopy(folder);
  try {
    if (copy !== null) removeIfThere(copy);
  } catch {
    // A state folder that cannot be written.
  }
}
