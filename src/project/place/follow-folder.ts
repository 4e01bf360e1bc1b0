import { type ProjectFolder, projectFolder } from '../folder.ts';
import { movedAway, openHold } from './hold-folder.ts';
import { rebasePath } from './rebase-path.ts';

/**
 * Remembers a project folder for the life of this process, to find it again after a move.
 *
 * @returns finds the folder where it is now; where nobody can tell, at its old path
 */
export function followFolder({ requireHere: _, ...folder }: ProjectFolder): () => ProjectFolder {
  const { root, pidsDir, manifestName, protection } = folder;
  const hold = openHold(root, folder.identity);
  let latest = following(folder);
  return () => {
    const to = movedTo(latest);
    if (to === null) return latest;
    const moved = projectFolder(to, rebasePath(pidsDir, root, to), manifestName);
    latest = following({ ...moved, protection });
    return latest;
  };

  /** A step at an old path fails, and can be tried again at the new one. */
  function following(one: ProjectFolder): ProjectFolder {
    const requireHere = (): void => {
      const to = movedTo(one);
      if (to !== null) throw movedAway(one, { path: to });
    };
    return { ...one, requireHere };
  }

  function movedTo(one: ProjectFolder): string | null {
    if (hold.isAt(one.root)) return null;
    const place = hold.where();
    return place === null || place === 'removed' ? null : place.path;
  }
}
