import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { homeFolder } from '../processes/home-folder.ts';
import { nearest } from './nearest.ts';
import { type Problem, problem, show } from './problem.ts';
import { entriesOf, scalarOf, type Tree, valueAt } from './tree.ts';

/** Finds working folders that do not exist, and a records folder that holds files of the project. */
export function checkFolders(tree: Tree, root: string): Problem[] {
  const answers = new Map<string, string | undefined>();
  const missing = [...entriesOf(valueAt(tree, 'services')).keys()].flatMap((service) => {
    const path = ['services', service, 'cwd'];
    const value = valueAt(tree, ...path);
    const cwd = scalarOf(value);
    if (value === undefined || typeof cwd !== 'string' || cwd === '' || cwd.includes('\0'))
      return [];
    const folder = resolve(root, cwd);
    const why = answers.has(folder) ? answers.get(folder) : whyUnusable(folder);
    answers.set(folder, why);
    if (why === undefined) return [];
    const from = isAbsolute(cwd) ? '' : ` (relative to the manifest${notReplaced(cwd)})`;
    return [problem(value.at, path, `${show(cwd)} ${why}${from}`, neighbourOf(root, cwd))];
  });
  return [...missing, ...checkPidsDir(tree, root)];
}

/** Finds the folder beside the missing one that was probably meant. */
function neighbourOf(root: string, cwd: string): string | null {
  try {
    const entries = readdirSync(resolve(root, dirname(cwd)), { withFileTypes: true });
    const folders = entries.filter((one) => one.isDirectory()).map(({ name }) => name);
    const meant = nearest(basename(cwd), folders);
    return meant === null ? null : join(dirname(cwd), meant);
  } catch {
    return null;
  }
}

/** Says that devctl replaces nothing in a path, with the path to write where that is known. */
function notReplaced(path: string): string {
  const [shown] = /^~|\$\{?\w+\}?/.exec(path) ?? [];
  if (shown === undefined) return '';
  const home = homeFolder();
  const isHome = /^(~|\$\{?HOME\}?)(?=\/|$)/.test(path);
  const written = isHome && home !== null ? path.replace(shown, home) : null;
  return `; "${shown}" is not replaced${written === null ? '' : `: write ${show(written)}`}`;
}

/**
 * Refuses a records folder that contains the project, because devctl writes, locks and removes files there.
 */
function checkPidsDir(tree: Tree, root: string): Problem[] {
  const value = valueAt(tree, 'pidsDir');
  const dir = scalarOf(value);
  if (value === undefined || typeof dir !== 'string' || dir === '' || dir.includes('\0')) return [];
  const inside = relative(resolve(root, dir), root);
  if (inside === '..' || inside.startsWith(`..${sep}`)) return [];
  const message = `${show(dir)} holds the project itself: name a folder that is devctl's own`;
  return [problem(value.at, ['pidsDir'], message)];
}

function whyUnusable(path: string): string | undefined {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined) return 'does not exist';
    return found.isDirectory() ? undefined : 'is a file, not a folder';
  } catch {
    return 'cannot be reached';
  }
}
