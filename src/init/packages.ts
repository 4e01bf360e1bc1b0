import { fieldsOf } from '../plain-values.ts';
import { whyCallsDevctl } from './own-calls.ts';
import {
  installCommand,
  type PackageManager,
  packageManagerOf,
  runScript,
  shellWord,
  workspacePatterns,
} from './package-manager.ts';
import {
  joined,
  NOTHING,
  type ProposedOneOff,
  type ProposedService,
  type Reading,
  toServiceName,
} from './proposal.ts';
import { below, nameOfFolder, type Repository, textsOf } from './repository.ts';
import {
  delegatesToFolders,
  type Part,
  runsCompose,
  runsManager,
  type Scripts,
  sideBySide,
  wholeText,
} from './script-text.ts';

/** The scripts that start something to work with, the most usual first. A package is one service, by the first that it has. */
const MAIN = ['dev', 'develop', 'start:dev', 'dev:start', 'serve', 'start'] as const;

/** Longest script: people move longer ones into files. */
const MOST_CHARACTERS = 8 * 1024;

const TESTS = ['test', 'test:e2e', 'e2e', 'test:unit', 'test:integration'] as const;

/** The package.json of a folder. */
export interface Package {
  readonly folder: string;
  readonly path: string;
  readonly manager: PackageManager;
  readonly scripts: Scripts;
  /** Names of its dependencies of all kinds. */
  readonly dependencies: readonly string[];
  readonly name: string | null;
}

/** The packages of a repository, that of the root first. */
export function packagesOf(repository: Repository): readonly Package[] {
  return repository.folders.flatMap((folder) => {
    const path = below(folder, 'package.json');
    const document = repository.documents.get(path);
    if (document === undefined) return [];
    const fields = fieldsOf(document);
    const kinds = ['dependencies', 'devDependencies', 'peerDependencies', 'optionalDependencies'];
    const dependencies = kinds.flatMap((kind) => Object.keys(fieldsOf(fields[kind])));
    const scripts = Object.fromEntries(
      Object.entries(textsOf(fields.scripts)).filter(([, text]) => text.length <= MOST_CHARACTERS),
    );
    const name = typeof fields.name === 'string' ? fields.name : null;
    const manager = packageManagerOf(repository, folder);
    return [{ folder, path, manager, scripts, dependencies, name }];
  });
}

/**
 * Reads the scripts of all packages: what is to be worked with as services, tests as one-offs.
 *
 * @param hasProjects true where there are services below the root that are no packages: projects of nx
 */
export function readPackages(repository: Repository, hasProjects: boolean): Reading {
  const packages = packagesOf(repository);
  const patterns = workspacePatterns(repository.documents);
  const rest = packages.flatMap((one) =>
    one.folder === '.' ? [] : [readPackage(repository, one, false)],
  );
  const root = packages.find(({ folder }) => folder === '.');
  const others = joined(rest);
  if (!root) return others;
  const own = readPackage(repository, root, hasProjects || others.services.length > 0);
  // Those of the root run those of the packages.
  const below = own.oneOffs.length > 0 ? { ...others, oneOffs: [] } : others;
  const seen = patterns.map(
    ({ file, patterns: listed }) => `${file}: workspaces ${listed.join(', ')}`,
  );
  return joined([own, below, { ...NOTHING, notes: seen }]);
}

/** @param isAbove true for the root, where folders below it have services of their own */
function readPackage(repository: Repository, one: Package, isAbove: boolean): Reading {
  const { scripts, path } = one;
  const notes: string[] = [];
  const isTaken = (what: string, text: string): boolean => {
    const why = whyNotTaken(text, repository, one.folder, isAbove);
    if (why !== null) notes.push(`${path}: ${what} is not taken: ${why}`);
    return why === null;
  };
  const usable = (script: string): boolean => {
    if (!Object.hasOwn(scripts, script)) return false;
    // Of several commands side by side, each is judged by itself.
    const isApart = partsOf(scripts, script) !== null;
    return isApart || isTaken(`scripts.${script}`, wholeText(scripts, script));
  };
  const main = MAIN.find(usable);
  const services =
    main === undefined
      ? []
      : servicesOf(repository, one, main, (part) => {
          const text = part.script === null ? part.command : wholeText(scripts, part.script);
          return isTaken(`${part.script ?? part.command} in scripts.${main}`, text);
        });
  const isWatched = main === undefined || !/^(?:dev|develop)/.test(main);
  const watches =
    isWatched && usable('watch')
      ? [toService(repository, one, 'watch', services.length > 0 ? 'watch' : null)]
      : [];
  return { services: [...services, ...watches], oneOffs: testsOf(one, repository), notes };
}

function whyNotTaken(
  text: string,
  repository: Repository,
  folder: string,
  isAbove: boolean,
): string | null {
  const calls = whyCallsDevctl(repository, folder, text);
  if (calls !== null) return calls;
  if (runsManager(text)) return 'it runs another manager of processes';
  if (runsCompose(text)) return 'it brings up containers';
  if (isAbove && delegatesToFolders(text))
    return 'it runs what is below, which has services of its own';
  return null;
}

/** The services of one script: of each part, where it runs several commands side by side. */
function servicesOf(
  repository: Repository,
  one: Package,
  script: string,
  isTaken: (part: Part) => boolean,
): readonly ProposedService[] {
  const parts = partsOf(one.scripts, script);
  if (parts === null) return [toService(repository, one, script, null)];
  return parts.filter(isTaken).map((part) => toPart(repository, one, script, part));
}

/** The parts of a script; null where it is to be kept whole. Its hooks run only with the script itself. */
function partsOf(scripts: Scripts, script: string): readonly Part[] | null {
  if (Object.hasOwn(scripts, `pre${script}`) || Object.hasOwn(scripts, `post${script}`))
    return null;
  return sideBySide(scripts, scripts[script] ?? '');
}

function toPart(repository: Repository, one: Package, script: string, part: Part): ProposedService {
  const suffix = part.script?.replace(/^(?:dev|develop|start|serve|watch)[:-]/, '') ?? null;
  const env = Object.keys(part.env).length > 0 ? { env: part.env } : {};
  const name = part.name ?? suffix ?? part.command.split(/\s+/)[0] ?? script;
  if (part.script !== null)
    return { ...toService(repository, one, part.script, null), ...env, name: partName(one, name) };
  const { folder } = one;
  // A script finds the programs of node_modules/.bin on its PATH.
  const isCompound = /[;&|\n]/.test(part.command);
  const bins = foldersUpTo(folder).map((up) => `$PWD/${up}node_modules/.bin:`);
  const path = `PATH="${bins.join('')}$PATH"`;
  const prefix = isCompound
    ? `export ${path}; `
    : SYSTEM_PROGRAM.test(part.command)
      ? ''
      : `${path} `;
  return {
    name: partName(one, name),
    command: `${prefix}${part.command}`,
    ...env,
    ...(folder === '.' ? {} : { cwd: folder }),
    from: `${one.path}: scripts.${script}`,
    notes: [],
    text: part.command,
  };
}

/** The way from a folder to itself and to those around it, up to the root: '', '../', '../../'. */
function foldersUpTo(folder: string): readonly string[] {
  const steps = folder === '.' ? 0 : folder.split('/').length;
  return Array.from({ length: steps + 1 }, (_none, count) => '../'.repeat(count));
}

/** Programs that are on the PATH by themselves. */
const SYSTEM_PROGRAM =
  /^(?:npm|pnpm|yarn|bunx?|npx|node|deno|python\d?|uv|poetry|pipenv|ruby|bundle|bin\/\w+|php|go|cargo|java|make|docker|sh|bash|\.{0,2}\/)(?:\s|(?<=\/))/;

function partName({ folder }: Package, name: string): string {
  return toServiceName(folder === '.' ? name : `${folder.split('/').at(-1)}-${name}`);
}

function toService(
  repository: Repository,
  one: Package,
  script: string,
  suffix: string | null,
): ProposedService {
  const { folder, manager, scripts, path, name } = one;
  // The name of the root's folder is often that of a clone: "my-app-2".
  const base = folder === '.' ? (name ?? repository.name) : nameOfFolder(repository, folder);
  return {
    name: toServiceName(suffix === null ? base : `${base}-${suffix}`),
    command: runScript(manager, script),
    ...(folder === '.' ? {} : { cwd: folder }),
    from: `${path}: scripts.${script}`,
    notes: [],
    text: wholeText(scripts, script),
  };
}

function testsOf(
  { scripts, folder, manager, path }: Package,
  repository: Repository,
): readonly ProposedOneOff[] {
  // The placeholder that `npm init` writes.
  const isReal = (script: string): boolean =>
    scripts[script] !== undefined && !/no test specified/.test(scripts[script] ?? '');
  const run = (script: string): string =>
    script === 'test' && manager.name !== 'bun'
      ? `${manager.name} test`
      : runScript(manager, script);
  return TESTS.filter(isReal)
    .filter((script) => whyCallsDevctl(repository, folder, wholeText(scripts, script)) === null)
    .map((script) => ({
      command: `${folder === '.' ? '' : `cd ${shellWord(folder)} && `}${run(script)}`,
      from: `${path}: scripts.${script}`,
    }));
}

/** Says how to install the packages that scripts need; null where nothing is missing. */
export function missingInstall(repository: Repository): string | null {
  const packages = packagesOf(repository);
  const isShort = ({ folder, dependencies }: Package): boolean => {
    const inRoot = repository.present.has('node_modules');
    const isOwn = repository.present.has(below(folder, 'node_modules'));
    // Yarn's Plug'n'Play has no node_modules.
    return dependencies.length > 0 && !inRoot && !isOwn && !repository.present.has('.pnp.cjs');
  };
  const short = packages.filter(isShort);
  const root = packages.find(({ folder }) => folder === '.');
  const hasWorkspaces = workspacePatterns(repository.documents).length > 0;
  if (root && short.length > 0 && (hasWorkspaces || short.includes(root)))
    return installCommand(root.manager);
  const [first] = short;
  return first ? `cd ${shellWord(first.folder)} && ${installCommand(first.manager)}` : null;
}
