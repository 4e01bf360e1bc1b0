import { existsSync, readdirSync } from 'node:fs';
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
  const home = homeFolder();
  if (home === null) return `nobody knows whether ${root} holds the home folder`;
  if (isInside(root, home)) return `${root} is, or holds, the home folder`;
  if (foldersUpwards(root).some(isProject)) return null;
  const below = projectBelowFolder(root);
  return below === null ? null : `${root} holds more than one project: ${below} is one`;
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
