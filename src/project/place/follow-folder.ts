import { relative } from 'node:path';
import { type ProjectFolder, projectFolder } from '../folder.ts';
import { isInside } from '../inside.ts';
import { identityOf } from './movable-folder.ts';
import { rebasePath } from './rebase-path.ts';

/**
 * Remembers a project folder, to find it again after a move. The kernel takes the working directory of this process
 * along, so this works for a process that works inside the project.
 *
 * @returns finds the folder where it is now; where nobody can tell, at its old path
 */
export function followFolder(folder: ProjectFolder): () => ProjectFolder {
  const { root, manifestName, protection } = folder;
  const identity = identityOf(root);
  const begun = workingFolder();
  const below = begun !== null && isInside(root, begun) ? relative(root, begun) : null;
  let latest = folder;
  return () => {
    if (identity === null || below === null || isSame(latest.root)) return latest;
    const now = workingFolder();
    const suffix = below === '' ? '' : `/${below}`;
    if (!now?.endsWith(suffix)) return latest;
    const to = now.slice(0, now.length - suffix.length);
    if (!isSame(to)) return latest;
    const pidsDir = rebasePath(folder.pidsDir, root, to);
    latest = { ...projectFolder(to, pidsDir, manifestName), protection };
    return latest;
  };

  function isSame(path: string): boolean {
    const found = identityOf(path);
    return found?.device === identity?.device && found?.inode === identity?.inode;
  }
}

/** Null where the folder was removed. */
function workingFolder(): string | null {
  try {
    // Node remembers its working directory until it is set again.
    process.chdir('.');
    return process.cwd();
  } catch {
    return null;
  }
}
