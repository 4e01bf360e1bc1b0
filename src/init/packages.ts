import {
  installCommand,
  type PackageManager,
  packageManagerOf,
  runScript,
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
import { below, fieldsOf, nameOfFolder, type Repository, textsOf } from './repository.ts';
import {
  callsDevctl,
  delegatesToWorkspaces,
  type Part,
  runsCompose,
  runsManager,
  type Scripts,
  sideBySide,
  wholeText,
} from './script-text.ts';

/** The scripts that start something to work with, the most usual first. A package is one service, by the first that it has. */
const MAIN = ['dev', 'develop', 'start:dev', 'dev:start', 'serve', 'start'] as const;

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
    const scripts = textsOf(fields.scripts);
    const name = typeof fields.name === 'string' ? fields.name : null;
    const manager = packageManagerOf(repository, folder);
    return [{ folder, path, manager, scripts, dependencies, name }];
  });
}

/** Reads the scripts of all packages: what is to be worked with as services, tests as one-offs. */
export function readPackages(repository: Repository): Reading {
  const packages = packagesOf(repository);
  const patterns = workspacePatterns(repository.documents);
  const hasOthers = packages.length > 1;
  const rest = packages.flatMap((one) =>
    one.folder === '.' ? [] : [readPackage(repository, one, false)],
  );
  const root = packages.find(({ folder }) => folder === '.');
  const others = joined(rest);
  if (!root) return others;
  const own = readPackage(repository, root, hasOthers && others.services.length > 0);
  const seen = patterns.map(
    ({ file, patterns: listed }) => `${file}: workspaces ${listed.join(', ')}`,
  );
  return joined([own, others, { ...NOTHING, notes: seen }]);
}

/** @param isRoot true for the root of several packages that have services of their own */
function readPackage(repository: Repository, one: Package, isRoot: boolean): Reading {
  const { scripts, path } = one;
  const notes: string[] = [];
  const usable = (script: string): boolean => {
    const text = wholeText(scripts, script);
    const why = whyNotTaken(text, repository, isRoot);
    if (why !== null) notes.push(`${path}: scripts.${script} is not taken: ${why}`);
    return why === null;
  };
  const main = MAIN.find((name) => Object.hasOwn(scripts, name) && usable(name));
  const services = main === undefined ? [] : servicesOf(repository, one, main, notes, isRoot);
  const isWatched = main === undefined || !/^(?:dev|develop)/.test(main);
  const watches =
    isWatched && Object.hasOwn(scripts, 'watch') && usable('watch')
      ? [toService(repository, one, 'watch', services.length > 0 ? 'watch' : null)]
      : [];
  return { services: [...services, ...watches], oneOffs: testsOf(one, repository), notes };
}

function whyNotTaken(text: string, repository: Repository, isRoot: boolean): string | null {
  if (callsDevctl(text, repository.texts))
    return 'it calls devctl, and would start itself for ever';
  if (runsManager(text)) return 'it runs another manager of processes';
  if (runsCompose(text)) return 'it brings up containers';
  if (isRoot && (delegatesToWorkspaces(text) || /\bconcurrently\b|\brun-p\b/.test(text)))
    return 'it runs the scripts of the packages below, which are services of their own';
  return null;
}

/** The services of one script: of each part, where it runs several commands side by side. */
function servicesOf(
  repository: Repository,
  one: Package,
  script: string,
  notes: string[],
  isRoot: boolean,
): readonly ProposedService[] {
  const parts = sideBySide(one.scripts, one.scripts[script] ?? '');
  if (parts === null) return [toService(repository, one, script, null)];
  const taken = parts.filter((part) => {
    const text = part.script === null ? part.command : wholeText(one.scripts, part.script);
    const why = whyNotTaken(text, repository, isRoot);
    if (why !== null)
      notes.push(`${one.path}: ${part.script ?? part.command} is not taken: ${why}`);
    return why === null;
  });
  return taken.map((part) => toPart(repository, one, script, part));
}

function toPart(repository: Repository, one: Package, script: string, part: Part): ProposedService {
  const suffix = part.script?.replace(/^(?:dev|develop|start|serve|watch)[:-]/, '') ?? null;
  const name = part.name ?? suffix ?? part.command.split(/\s+/)[0] ?? script;
  if (part.script !== null)
    return { ...toService(repository, one, part.script, null), name: partName(one, name) };
  // concurrently runs its commands with the programs of node_modules/.bin on the PATH, as a script has them.
  const { folder } = one;
  const command = `PATH="$PWD/node_modules/.bin:$PATH" ${part.command}`;
  return {
    name: partName(one, name),
    command: /^(?:npm|pnpm|yarn|bun|npx|node)\s/.test(part.command) ? part.command : command,
    ...(folder === '.' ? {} : { cwd: folder }),
    from: `${one.path}: scripts.${script}`,
    notes: [],
    text: part.command,
  };
}

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
  return TESTS.filter(isReal)
    .filter((script) => !callsDevctl(wholeText(scripts, script), repository.texts))
    .map((script) => ({
      command: `${folder === '.' ? '' : `cd ${folder} && `}${runScript(manager, script)}`,
      from: `${path}: scripts.${script}`,
    }));
}

/** What must be installed before a script can run; null where nothing is missing. */
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
  return first ? `cd ${first.folder} && ${installCommand(first.manager)}` : null;
}
