import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { homeFolder } from '../../processes/home-folder.ts';
import { foldersUpwards, isInside } from '../inside.ts';

/** How deep repositories are looked for below a folder: `~/code/github.com/them/theirs`. */
const DEEPEST = 3;

/** The most folders that are looked at. A folder with more is one large project rather than a folder of projects. */
const MOST_FOLDERS = 2_000;

/** Files and folders that show that a folder is a project of its own. */
const PROJECT_MARKS = ['.git', '.hg', '.jj', '.devctl.json'];

/**
 * Says why a folder without a manifest may hold more than one project: it is or holds the home folder, or repositories
 * are below it and it is none itself. Null where it is one project, as far as anybody can tell.
 *
 * @param root real path
 */
export function whySeveralProjects(root: string): string | null {
  const isHome = holdsHomeFolder(root);
  if (isHome === null) return `nobody knows whether ${root} holds the home folder`;
  if (isHome) return `${root} is, or holds, the home folder`;
  // A home folder that is a repository itself, of dotfiles, makes nothing below it one project.
  if (foldersUpwards(root).some((folder) => isProject(folder) && holdsHomeFolder(folder) === false))
    return null;
  const below = projectBelowFolder(root);
  return below === null ? null : `${root} holds more than one project: ${below} is one`;
}

/**
 * Tells whether the home folder is a folder, or lies below it. Null: it is not known where it is.
 *
 * @param folder real path
 */
export function holdsHomeFolder(folder: string): boolean | null {
  if (folder === '/') return true;
  const home = homeFolder();
  if (home === null) return null;
  try {
    return isInside(folder, realpathSync(home));
  } catch {
    return isInside(folder, home);
  }
}

function isProject(folder: string): boolean {
  return PROJECT_MARKS.some((name) => existsSync(join(folder, name)));
}

function projectBelowFolder(root: string): string | null {
  let level = [root];
  let looked = 0;
  for (let depth = 0; depth < DEEPEST; depth += 1) {
    const next: string[] = [];
    for (const folder of level) {
      for (const name of foldersIn(folder)) {
        const path = join(folder, name);
        if (isProject(path)) return path;
        next.push(path);
        looked += 1;
        if (looked >= MOST_FOLDERS) return null;
      }
    }
    level = next;
  }
  return null;
}

function foldersIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !/^(?:\.|node_modules$)/.test(entry.name))
      .map(({ name }) => name);
  } catch {
    return [];
  }
}
