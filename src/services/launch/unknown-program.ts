import { accessSync, constants, readdirSync, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { editDistance } from '../../manifest/nearest.ts';
import { keyPositionOf, type Tree } from '../../manifest/tree.ts';
import { foldersUpwards } from '../../project/inside.ts';
import { isSimpleCommand } from './simple-command.ts';

/** The folder and the variables of a command. */
export interface ProgramPlace {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

type Command = string | readonly string[];

const BIN = join('node_modules', '.bin');

/**
 * Finds the first word of a command that is no program on its PATH, before it is started. Null: it is one, it is a path,
 * or only a shell can tell.
 */
export function unknownProgram(command: Command, place: ProgramPlace): string | null {
  if (typeof command === 'string' && !isSimpleCommand(command)) return null;
  const [word = ''] = typeof command === 'string' ? command.trim().split(/\s+/) : command;
  if (word === '' || word.includes('/')) return null;
  return pathOf(place).some((folder) => isProgram(join(folder, word))) ? null : word;
}

/**
 * Finds the program with one other letter that a mistyped one may mean: on PATH, or of node_modules/.bin with the `npx` that
 * it needs. Two letters that have changed their places are the likelier mistake.
 *
 * @returns null where there is none, or more than one
 */
export function similarProgram(word: string, place: ProgramPlace): string | null {
  if (word.length < 3) return null;
  const local = foldersUpwards(place.cwd).map((folder) => join(folder, BIN));
  const inPath = programsNear(word, pathOf(place));
  const inBin = programsNear(word, local).filter((name) => !inPath.includes(name));
  const letters = lettersOf(word);
  const near = [...inPath, ...inBin].filter((name) => name[0] === word[0]);
  const swapped = [...inPath, ...inBin].filter((name) => lettersOf(name) === letters);
  const [only, ...others] = swapped.length > 0 ? swapped : near;
  if (only === undefined || others.length > 0) return null;
  return inBin.includes(only) ? `npx ${only}` : only;
}

/** Where the command of a service stands: `.devctl.json:3`. Null: in no manifest. */
export function placeOfCommand(tree: Tree | null, service: string): string | null {
  if (tree === null) return null;
  const { file, line } = keyPositionOf(tree, ['services', service, 'command']);
  return `${basename(file)}:${line}`;
}

function pathOf({ cwd, env }: ProgramPlace): readonly string[] {
  const path = env.PATH ?? process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin';
  return [...new Set(path.split(':').map((folder) => resolve(cwd, folder)))];
}

function programsNear(word: string, folders: readonly string[]): readonly string[] {
  const names = folders.flatMap((folder) =>
    namesIn(folder).filter(
      (name) =>
        Math.abs(name.length - word.length) <= 1 &&
        editDistance(word, name) === 1 &&
        isProgram(join(folder, name)),
    ),
  );
  return [...new Set(names)];
}

function lettersOf(word: string): string {
  return [...word].sort().join('');
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
