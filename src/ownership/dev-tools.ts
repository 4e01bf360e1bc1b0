/*
 * Dev tools recognised by their command lines. A match is the weakest evidence: only the sweep uses it, and only
 * together with a working directory inside the project. docs/sweep.md has the reason of each rule.
 */
import { commandWords, fileName, isInterpreter, ownOptions, programOf } from './argv.ts';

/**
 * The kind of a known tool: `dev` for a dev server, a watcher or a test runner, which the sweep ends; `once` for a tool
 * that builds or runs once and ends by itself; `worker` for a process that works for another one of the same tool.
 */
export type ToolKind = 'dev' | 'once' | 'worker';

/** Finds the kind of the tool that a command line runs; null for any other program. */
export function toolKindOf(argv: readonly string[]): ToolKind | null {
  // npm and others write "npm run dev" over their arguments, as one word.
  const words = argv.length === 1 ? (argv[0] ?? '').split(' ') : argv;
  if (!isInterpreter(words)) return kindOfProgram(words[0] ?? '', words.slice(1));
  const { options, loaded, script, args } = commandWords(words);
  const program = programOf(words);
  if (options.some((option) => WATCHES.test(option) || option === '--test')) return 'dev';
  // Vitest calls itself "node (vitest)", and its workers "node (vitest 3)".
  if (script?.startsWith('(vitest')) return script === '(vitest)' ? 'dev' : 'worker';
  const nodeScript = options.at(-1) === '--run' ? script : null;
  if (nodeScript !== null) return isDevTask(nodeScript) ? 'dev' : null;
  if (program === 'deno' && (script === 'test' || script === 'serve')) return 'dev';
  if (program === 'deno' && script === 'task') return scriptKind(args[0]);
  if (program === 'bun' && script !== null && !/[./]/.test(script)) {
    return kindByManager('bun', words.slice(1));
  }
  const ofScript = script === null ? null : kindOfProgram(script, args);
  return ofScript ?? (loaded.some((path) => isOfTool(path)) ? 'worker' : null);
}

/** Names a tool as people know it: the command line without folders, cut to a length that fits a report. */
export function nameOfTool(argv: readonly string[]): string {
  const words = argv.length === 1 ? (argv[0] ?? '').split(' ') : argv;
  const shown = words.map(fileName);
  if (shown[0] === 'node' && /^[\w@]/.test(shown[1] ?? '')) shown.shift();
  return shown.join(' ').trim().slice(0, 60);
}

function kindOfProgram(path: string, args: readonly string[]): ToolKind | null {
  const file = fileName(path);
  const name = file.replace(/\.(exe|[cm]?js)$/, '');
  const manager = MANAGER.exec(name)?.[1];
  if (manager !== undefined) return kindByManager(manager, args);
  if (STARTS_OTHERS.test(name)) return kindOfRest(args);
  const tool = packageOf(path);
  // `node vite.js` is a script of the user's own.
  const isOwnScript = tool === null && name !== file;
  if (Object.hasOwn(TOOLS, name) && !isOwnScript) return kindOfTool(name, args);
  if (tool === null) return null;
  const entry = PACKAGES[tool] ?? tool;
  if (ENTRY.test(name) && Object.hasOwn(TOOLS, entry)) return kindOfTool(entry, args);
  return isOfTool(path) ? 'worker' : null;
}

/** The names of package managers, as `npm-cli.js` and `yarn-4.1.0.cjs` have them too. */
const MANAGER = /^(npm|pnpm|yarn|bun)(?:-cli|-\d[\d.]*)?$/;
const STARTS_OTHERS = /^(npx|pnpx|bunx|npx-cli)$/;
/** The main script of a package. */
const ENTRY = /^(cli|index|main|bin)$/;
/** Packages whose tool has another name. */
const PACKAGES: Readonly<Record<string, string>> = {
  '@angular/cli': 'ng',
  '@playwright/test': 'playwright',
  '@storybook/cli': 'storybook',
  'jest-cli': 'jest',
  typescript: 'tsc',
  'webpack-cli': 'webpack',
};

/**
 * A tool: the kind of its usual use, and the subcommands that are of the other kind.
 */
interface ToolRule {
  readonly usual: 'dev' | 'once';
  readonly except: ReadonlySet<string>;
}

function usually(usual: ToolRule['usual'], names: string, except = ''): Record<string, ToolRule> {
  const rule = { usual, except: new Set(except.split(' ')) };
  return Object.fromEntries(names.split(' ').map((name) => [name, rule]));
}

const TOOLS: Readonly<Record<string, ToolRule>> = {
  ...usually('dev', 'jest mocha ava nodemon ts-node-dev tsnd next-server webpack-dev-server'),
  ...usually('dev', 'vite', 'build optimize'),
  ...usually('dev', 'vitest', 'list init'),
  ...usually('dev', 'next', 'build export info lint telemetry typegen upgrade'),
  ...usually('dev', 'parcel', 'build'),
  ...usually('once', 'webpack rspack', 'serve server s watch w dev'),
  ...usually('once', 'esbuild rollup tsc vue-tsc tsup babel swc sass postcss tailwindcss ts-node'),
  ...usually('once', 'tsx', 'watch'),
  ...usually('once', 'playwright', 'test test-server show-report'),
  ...usually('once', 'ng', 'serve s dev test t e2e e'),
  ...usually('once', 'react-scripts', 'start test'),
  ...usually(
    'once',
    'astro nuxt nuxi storybook remix react-router wrangler gatsby',
    'dev preview develop',
  ),
  ...usually('once', 'turbo nx concurrently'),
};

/** Packages of tools that start workers: any script of them that is not their command is a worker. */
const OF_TOOL =
  /^(tsx|vitest|vite|turbo|@turbo\/.+|esbuild|@esbuild\/.+|nodemon|jest|jest-worker|webpack|rollup|next|nx|ts-node|concurrently|playwright)$/;

/** Tells whether a file is installed with a tool, installers aside. */
function isOfTool(path: string): boolean {
  const name = packageOf(path);
  return name !== null && OF_TOOL.test(name) && !INSTALLER.test(path);
}

const INSTALLER = /\/(pre|post)?install\.[cm]?js$/;

/** The name of the innermost package that a file is installed with; null for any other file. */
function packageOf(path: string): string | null {
  // pnpm starts `node …/node_modules/.bin/../vite/bin/vite.js`.
  const [, name] =
    /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//s.exec(path.replace('/.bin/../', '/')) ?? [];
  return name ?? null;
}

/** Flags that make a command stay: it watches files, or serves. */
const WATCHES = /^(--watch(-path|-hmr)?(=(?!false$).*)?|--hot|--serve(dir)?(=.*)?|-c?w|-wc)$/i;

/** Tools whose words behind the script belong to the script. */
const RUNS_A_SCRIPT = new Set(['tsx', 'ts-node']);

function kindOfTool(name: string, args: readonly string[]): ToolKind | null {
  if (name === 'concurrently')
    return kindOfCommands(
      withoutValues(args, /^(-n|--names|-c|--prefix-colors|-p|--prefix|-l|-t|-i|-m)$/),
    );
  if (name === 'turbo') return turboKind(args);
  if (name === 'nx') return nxKind(args);
  if (args.some((arg) => arg.startsWith('--service='))) return 'worker';
  const own = ownOptions(args);
  const { usual, except } = TOOLS[name] ?? { usual: 'once', except: new Set() };
  const other = usual === 'dev' ? 'once' : 'dev';
  if (RUNS_A_SCRIPT.has(name)) {
    const stays = own.options.some((option) => WATCHES.test(option) || option === '--test');
    return stays || (own.first !== null && except.has(own.first)) ? 'dev' : usual;
  }
  if (args.some((arg) => WATCHES.test(arg))) return 'dev';
  if (usual === 'once' || own.options.length === 0)
    return own.first !== null && except.has(own.first) ? other : usual;
  // The value of an option may stand before the subcommand: `vite --mode production build`.
  return args.some((arg) => except.has(arg)) ? other : usual;
}

/** Takes the flags off, with the values of those that have one. */
function withoutValues(args: readonly string[], valued: RegExp): readonly string[] {
  const end = args.indexOf('--');
  return (end === -1 ? args : args.slice(0, end)).filter(
    (arg, index) => !arg.startsWith('-') && !valued.test(args[index - 1] ?? ''),
  );
}

const TURBO_VALUES =
  /^(-F|--filter|--concurrency|--cwd|--env-mode|--output-logs|--log-order|--log-prefix|--cache-dir|--team|--token|--api|--ui)$/;

/** `turbo run build` runs once, `turbo run dev` stays. The daemon stays until nobody uses it. */
function turboKind(args: readonly string[]): ToolKind {
  const words = withoutValues(args, TURBO_VALUES);
  if (words[0] === 'watch' || words[0] === 'daemon') return 'dev';
  return words.some(isDevTask) ? 'dev' : 'once';
}

const NX_TARGETS = /^(-t|--targets?)(=.*)?$/;
const NX_VALUES = /^(-p|--projects|-c|--configuration|--exclude|--parallel|--base|--head)$/;

/** The targets of nx: `nx serve web`, `nx run web:serve:production`, `nx run-many -t test`. */
function nxKind(args: readonly string[]): ToolKind {
  if (args.some((arg) => WATCHES.test(arg))) return 'dev';
  const at = args.findIndex((arg) => NX_TARGETS.test(arg));
  const [first = '', second = ''] = withoutValues(args, NX_VALUES);
  const targets =
    at !== -1
      ? [...(args[at]?.split('=')[1] ?? '').split(','), ...valuesFrom(args, at + 1)]
      : [first === 'run' ? (second.split(':')[1] ?? '') : (first.split(':').at(-1) ?? '')];
  return targets.some(isDevTask) ? 'dev' : 'once';
}

function valuesFrom(args: readonly string[], start: number): readonly string[] {
  const end = args.findIndex((arg, index) => index >= start && arg.startsWith('-'));
  return args.slice(start, end === -1 ? undefined : end).flatMap((arg) => arg.split(','));
}

/** Each word is a command line: `concurrently "npm:dev" "tsc -w"`. */
function kindOfCommands(commands: readonly string[]): ToolKind | null {
  const kinds = commands.map((command) =>
    /^(npm|pnpm|yarn|bun|node|deno):/.test(command)
      ? scriptKind(command.slice(command.indexOf(':') + 1))
      : toolKindOf(command.split(' ')),
  );
  if (kinds.includes('dev')) return 'dev';
  return kinds.length > 0 && kinds.every((kind) => kind === 'once') ? 'once' : null;
}

/** Options of package managers whose value is a word of its own; npm's -w has one, pnpm's has none. */
const MANAGER_VALUES: Readonly<Record<string, RegExp>> = {
  npm: /^(-w|--workspace|--prefix|--loglevel)$/,
  pnpm: /^(-F|--filter|-C|--dir)$/,
  yarn: /^--cwd$/,
  bun: /^(-F|--filter|--cwd)$/,
};

/** Judges `npm run dev` by its script, and `pnpm exec vite` by its program. */
function kindByManager(manager: string, args: readonly string[]): ToolKind | null {
  const valued = MANAGER_VALUES[manager] ?? /^$/;
  const at = args.findIndex(
    (arg, index) => !arg.startsWith('-') && !valued.test(args[index - 1] ?? ''),
  );
  const [first = '', ...rest] = at === -1 ? [] : args.slice(at);
  if (first === 'run' || first === 'run-script') return scriptKind(withoutValues(rest, valued)[0]);
  if (first === 'exec' || first === 'x' || first === 'dlx') return kindOfRest(rest);
  if (first === 'workspace' && manager === 'yarn') return kindByManager(manager, rest.slice(1));
  if (manager === 'npm') return /^(t|tst|test|start)$/.test(first) ? 'dev' : null;
  return scriptKind(first) ?? kindOfRest([first, ...rest]);
}

function kindOfRest(args: readonly string[]): ToolKind | null {
  const start = args.findIndex((arg) => !arg.startsWith('-'));
  const rest = start === -1 ? [] : args.slice(start);
  return toolKindOf(rest);
}

/** A script of package.json that is not known to stay may do anything. */
function scriptKind(name: string | undefined): ToolKind | null {
  return name !== undefined && isDevTask(name) ? 'dev' : null;
}

const DEV_TASK = /^(dev|develop|start|tests?|e2e|watch|serve|server|preview|storybook)$/;
const ONCE_TASK = /^(build|install|deploy|migrate|seed|setup)$/;

/** Tells whether a task stays or tests: `dev:web`, `web#dev`, `build:watch`; not `test:build`. */
function isDevTask(name: string): boolean {
  const words = name.slice(name.indexOf('#') + 1).split(/[:\-_.*]/);
  if (words.includes('watch')) return true;
  return DEV_TASK.test(words[0] ?? '') && !words.some((word) => ONCE_TASK.test(word));
}
