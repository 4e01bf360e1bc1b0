import { readPattern } from '../patterns/pattern.ts';
import { fieldsOf } from '../plain-values.ts';
import { listOfTexts, type Repository } from './repository.ts';
import { quotedPattern } from './script-text.ts';

export type ManagerName = 'npm' | 'pnpm' | 'yarn' | 'bun';

export interface PackageManager {
  readonly name: ManagerName;
  /** The file that says so; null: nothing does, and it is npm. */
  readonly from: string | null;
}

const LOCK_FILES: readonly (readonly [file: string, name: ManagerName])[] = [
  ['pnpm-lock.yaml', 'pnpm'],
  ['bun.lock', 'bun'],
  ['bun.lockb', 'bun'],
  ['yarn.lock', 'yarn'],
  ['package-lock.json', 'npm'],
  ['npm-shrinkwrap.json', 'npm'],
  ['pnpm-workspace.yaml', 'pnpm'],
];

/** Finds the package manager: by the field `packageManager`, else by the lock file. */
export function packageManagerOf(repository: Repository, folder = '.'): PackageManager {
  const prefix = folder === '.' ? '' : `${folder}/`;
  const path = `${prefix}package.json`;
  const field = fieldsOf(repository.documents.get(path)).packageManager;
  const named = /^(npm|pnpm|yarn|bun)@/.exec(String(field))?.[1];
  if (named !== undefined) return { name: named as ManagerName, from: path };
  const found = LOCK_FILES.find(([file]) => repository.present.has(`${prefix}${file}`));
  if (found) return { name: found[1], from: `${prefix}${found[0]}` };
  return folder === '.' ? { name: 'npm', from: null } : packageManagerOf(repository);
}

/** The command line of a script. */
export function runScript({ name }: PackageManager, script: string): string {
  return `${name} run ${shellWord(script)}`;
}

/** A text as one word of a command line. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The command that installs the packages. */
export function installCommand({ name, from }: PackageManager): string {
  return name === 'npm' && from?.endsWith('package-lock.json') ? 'npm ci' : `${name} install`;
}

/** The patterns of the workspaces, and the files that have them. */
export function workspacePatterns(
  documents: ReadonlyMap<string, unknown>,
): readonly { readonly file: string; readonly patterns: readonly string[] }[] {
  const { workspaces } = fieldsOf(documents.get('package.json'));
  const inPackage = Array.isArray(workspaces) ? workspaces : fieldsOf(workspaces).packages;
  const all = [
    { file: 'package.json', patterns: listOfTexts(inPackage) },
    ...['pnpm-workspace.yaml', 'lerna.json'].map((file) => ({
      file,
      patterns: listOfTexts(fieldsOf(documents.get(file)).packages),
    })),
  ];
  return all.filter(({ patterns }) => patterns.length > 0);
}

/** Tells whether a folder is a workspace by these patterns. Those with `!` take folders out again. */
export function isWorkspace(folder: string, patterns: readonly string[]): boolean {
  const matches = (pattern: string): boolean => {
    const reading = readPattern(globToSource(pattern));
    return reading.kind === 'pattern' && reading.pattern.test(folder) === true;
  };
  const positive = patterns.filter((pattern) => !pattern.startsWith('!'));
  const negative = patterns.flatMap((pattern) =>
    pattern.startsWith('!') ? [pattern.slice(1)] : [],
  );
  return positive.some(matches) && !negative.some(matches);
}

/** `**` is any number of folders, `*` a part of one name, `{a,b}` one of them. */
function globToSource(pattern: string): string {
  const trimmed = pattern.replace(/^\.\//, '').replace(/\/+$/, '');
  const source = trimmed
    .split(/(\*\*\/?|\*|\{[^{}]*\})/)
    .map((part) => {
      if (part.startsWith('**')) return part.endsWith('/') ? '(?:.*/)?' : '.*';
      if (part === '*') return '[^/]*';
      if (part.startsWith('{'))
        return `(?:${part.slice(1, -1).split(',').map(quotedPattern).join('|')})`;
      return quotedPattern(part);
    })
    .join('');
  return `^${source}$`;
}
