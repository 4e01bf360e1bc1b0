import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { parseText } from '../manifest/parse.ts';
import { readSource } from '../manifest/source.ts';
import { toValue } from '../manifest/tree.ts';
import { fieldsOf } from '../plain-values.ts';
import { isInside } from '../project/inside.ts';
import { readYaml } from '../yaml.ts';
import { COMPOSE_FILES } from './compose.ts';
import { FRAMEWORKS } from './frameworks.ts';
import { programsIn } from './own-calls.ts';
import { isWorkspace, workspacePatterns } from './package-manager.ts';
import { entryFiles } from './ports.ts';
import { below, type Repository, textsOf } from './repository.ts';
import { START_SCRIPTS } from './shell-script.ts';

/** Larger files are not read: no file that people write is. */
const MOST_CHARACTERS = 512 * 1024;

const MOST_FOLDERS = 300;

/** The most files that are looked for because a command may run them. */
const MOST_PROGRAMS = 1_000;

/** How far programs are followed that run other programs. */
const DEEPEST_CALL = 4;

/** How deep below the root workspaces are looked for. */
const DEEPEST = 4;

/** Folders that hold no services of the repository. */
const PASSED_OVER =
  /^(?:\..*|node_modules|vendor|dist|build|out|target|coverage|tmp|log|logs|public|static|examples?|samples?|demos?|fixtures|__\w+__|tests?|e2e|spec|templates?|venv|env)$/;

/** Folders below which each folder may be a program, where no workspaces say so. */
const COLLECTIONS = ['apps', 'services', 'packages', 'servers', 'clients'];

const ROOT_FILES = [
  'pnpm-workspace.yaml',
  'lerna.json',
  'turbo.json',
  'nx.json',
  'Procfile',
  'Procfile.dev',
  'mprocs.yaml',
  'mprocs.yml',
  '.mprocs.yaml',
  'process-compose.yaml',
  'process-compose.yml',
  'ecosystem.config.js',
  'ecosystem.config.cjs',
  'ecosystem.config.json',
  'ecosystem.config.yaml',
  'ecosystem.config.yml',
  'ecosystem.json',
  ...COMPOSE_FILES,
  ...START_SCRIPTS,
];

const FOLDER_FILES = [
  'package.json',
  'Makefile',
  'project.json',
  'manage.py',
  'main.py',
  'app.py',
  'wsgi.py',
  'app/main.py',
  'src/main.py',
  'config/application.rb',
  '.env',
  '.env.local',
  '.env.development',
  '.env.development.local',
  'svelte.config.js',
  ...['js', 'mjs', 'cjs', 'ts', 'mts'].map((extension) => `next.config.${extension}`),
  ...FRAMEWORKS.flatMap(({ config }) => config?.files ?? []),
];

/** Names of which only the existence counts. */
const MARKS = [
  'package-lock.json',
  'npm-shrinkwrap.json',
  'pnpm-lock.yaml',
  'pnpm-workspace.yaml',
  'yarn.lock',
  'bun.lock',
  'bun.lockb',
  'node_modules',
  '.pnp.cjs',
  'uv.lock',
  'poetry.lock',
  'Pipfile',
  '.venv/bin/python',
  'venv/bin/python',
  'env/bin/python',
  'bin/rails',
  'artisan',
];

/**
 * Reads the files of a repository that may say what to run. It follows no link that leads out of it, reads no large file
 * and runs nothing.
 *
 * @param root real path
 */
export function collectRepository(root: string): Repository {
  const collector = new Collector(root);
  collector.readAll('.', ROOT_FILES);
  collector.readAll('.', FOLDER_FILES);
  const folders = ['.', ...foldersBelow(root, collector.documents)];
  for (const folder of folders) {
    collector.readAll(folder, FOLDER_FILES);
    collector.mark(folder);
    collector.readAll(folder, filesOfScripts(collector.documents, folder));
  }
  collector.readPrograms(folders);
  const { texts, documents, present } = collector;
  const problems = [...new Set(collector.problems)];
  return { name: basename(root) || 'project', folders, texts, documents, present, problems };
}

class Collector {
  readonly texts = new Map<string, string>();
  readonly documents = new Map<string, unknown>();
  readonly present = new Set<string>();
  readonly problems: string[] = [];
  readonly #root: string;
  #programs = 0;

  constructor(root: string) {
    this.#root = root;
  }

  readAll(folder: string, names: readonly string[]): void {
    for (const name of names) this.#read(below(folder, name));
  }

  mark(folder: string): void {
    for (const name of MARKS) {
      const path = below(folder, name);
      if (existsSync(join(this.#root, path))) this.present.add(path);
    }
  }

  /** Reads the programs of the repository that commands name, and those that these name: they may call devctl. */
  readPrograms(folders: readonly string[]): void {
    const scripts = folders.flatMap((folder) => {
      const { scripts } = fieldsOf(this.documents.get(below(folder, 'package.json')));
      return Object.values(textsOf(scripts)).map((text) => ({ folder, text }));
    });
    const others = [...this.texts].filter(([path]) => !/package\.json$|\.env/.test(path));
    let level = [...scripts, ...others.map(([path, text]) => ({ folder: dirname(path), text }))];
    for (let depth = 0; depth < DEEPEST_CALL && this.#programs < MOST_PROGRAMS; depth += 1) {
      const known = new Set(this.texts.keys());
      for (const { folder, text } of level) this.#readProgramsOf(folder, text);
      const fresh = [...this.texts].filter(([path]) => !known.has(path));
      level = fresh.map(([path, text]) => ({ folder: dirname(path), text }));
    }
  }

  #readProgramsOf(folder: string, text: string): void {
    for (const name of programsIn(text))
      for (const path of new Set([below(folder, name), below('.', name)])) {
        if (this.#programs >= MOST_PROGRAMS) return;
        this.#programs += 1;
        this.#read(path, false);
      }
  }

  /** @param isTold false: a file that cannot be read is no news, because it was only a guess */
  #read(path: string, isTold = true): void {
    if (this.texts.has(path) || path.startsWith('..')) return;
    const real = this.#realPath(path);
    if (real === null) return;
    if (!isInside(this.#root, real)) {
      if (isTold) this.problems.push(`${path} is not read: it is a link that leads out of here`);
      return;
    }
    const source = readSource(join(this.#root, path));
    if (source.kind === 'unreadable') {
      // An entry file without its extension may be the name of a folder.
      if (isTold && source.why !== 'is a folder, not a file')
        this.problems.push(`${path} ${source.why}`);
      return;
    }
    if (source.text.length > MOST_CHARACTERS) {
      if (isTold)
        this.problems.push(`${path} is not read: it is larger than ${MOST_CHARACTERS / 1024} KB`);
      return;
    }
    this.texts.set(path, source.text);
    this.present.add(path);
    const parsed = parse(path, source.text);
    if (parsed?.kind === 'value') this.documents.set(path, parsed.value);
    if (parsed?.kind === 'problem') this.problems.push(`${path} cannot be read: ${parsed.why}`);
  }

  /** Null: there is nothing, or its links go in a circle. */
  #realPath(path: string): string | null {
    const file = join(this.#root, path);
    // Most files do not exist, and an exception for each takes its time.
    if (!existsSync(file)) return null;
    try {
      return realpathSync.native(file);
    } catch {
      return null;
    }
  }
}

type Parsed = { kind: 'value'; value: unknown } | { kind: 'problem'; why: string };

function parse(path: string, text: string): Parsed | null {
  if (path.endsWith('.json')) return readJson(text);
  return /\.ya?ml$/.test(path) ? parseYaml(text) : null;
}

function readJson(text: string): Parsed {
  const { tree, problems } = parseText(text, 'json');
  const [first] = problems;
  if (tree !== null && !first) return { kind: 'value', value: toValue(tree) };
  return { kind: 'problem', why: `it is not JSON, see line ${first?.at.line ?? 1}` };
}

function parseYaml(text: string): Parsed {
  const reading = readYaml(text);
  if (reading.kind === 'read') return { kind: 'value', value: reading.value };
  return { kind: 'problem', why: `${reading.why} (line ${reading.line})` };
}

/** The folders below the root in which something may be run: workspaces, else folders of the usual places. */
function foldersBelow(root: string, documents: ReadonlyMap<string, unknown>): readonly string[] {
  const patterns = workspacePatterns(documents).flatMap((one) => one.patterns);
  const all = walk(root, patterns.length > 0 || documents.has('nx.json') ? DEEPEST : 2);
  const isProgram = (folder: string): boolean =>
    PROGRAM_FILES.some((name) => existsSync(join(root, folder, name)));
  if (patterns.length > 0) {
    const inNx = (folder: string): boolean =>
      documents.has('nx.json') && existsSync(join(root, folder, 'project.json'));
    // Beside the workspaces there may be a program of another language.
    return all.filter(
      (folder) =>
        (isWorkspace(folder, patterns) && existsSync(join(root, folder, 'package.json'))) ||
        inNx(folder) ||
        (!folder.includes('/') && OTHER_FILES.some((name) => existsSync(join(root, folder, name)))),
    );
  }
  return all.filter((folder) => {
    const [first = ''] = folder.split('/');
    return (!folder.includes('/') || COLLECTIONS.includes(first)) && isProgram(folder);
  });
}

const OTHER_FILES = ['manage.py', 'config/application.rb', 'artisan'];

const PROGRAM_FILES = ['package.json', 'project.json', 'main.py', 'app.py', ...OTHER_FILES];

/** The folders below a folder, those near it first, in the order of their names. */
function walk(root: string, deepest: number): readonly string[] {
  const found: string[] = [];
  let level = ['.'];
  for (let depth = 0; depth < deepest && found.length < MOST_FOLDERS; depth += 1) {
    level = level.flatMap((folder) => subfolders(root, folder));
    found.push(...level);
  }
  return found.slice(0, MOST_FOLDERS);
}

function subfolders(root: string, folder: string): readonly string[] {
  try {
    return readdirSync(join(root, folder), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !PASSED_OVER.test(entry.name))
      .map(({ name }) => below(folder, name))
      .sort();
  } catch {
    return [];
  }
}

/** The files that the scripts of a folder name: their sources tell the port. */
function filesOfScripts(
  documents: ReadonlyMap<string, unknown>,
  folder: string,
): readonly string[] {
  const scripts = textsOf(fieldsOf(documents.get(below(folder, 'package.json'))).scripts);
  return [...new Set(Object.values(scripts).flatMap(entryFiles))].slice(0, 40);
}
