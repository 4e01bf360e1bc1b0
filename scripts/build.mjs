// Bundles src/ into dist/: few files a command, all packages inside, so that the published devctl
// has no dependency tree to install (a cold `npx` takes 0.6 s instead of 2.8 s).
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { minify } from 'rolldown/utils';
import { bundledPackages, licenceText } from './licences.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = path.join(root, 'dist');
const ENTRIES = ['src/main.ts', 'src/cli.ts', 'src/index.ts'];

/**
 * commander loads node:child_process for commands that are programs of their own. devctl has none,
 * and loading it costs every command 2.5 ms.
 */
const commanderWithoutChildProcess = {
  name: 'commander-without-child-process',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:child_process$/ }, ({ importer }) =>
      /node_modules\/commander\//.test(importer)
        ? { path: 'child_process', namespace: 'unused' }
        : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'unused' }, () => ({ contents: 'module.exports = {}' }));
  },
};

/** Of 90 spinners ora shows the two that it has for terminals with and without Unicode. The others are 30 kB. */
const twoSpinners = {
  name: 'two-spinners',
  setup({ onLoad }) {
    onLoad({ filter: /cli-spinners\/spinners\.json$/ }, async ({ path: file }) => {
      const { dots, line } = JSON.parse(await readFile(file, 'utf8'));
      return { contents: JSON.stringify({ dots, line }), loader: 'json' };
    });
  },
};

/** Parts of packages that devctl never calls: writing YAML and its older types; pipes, messages and streams of execa. */
const UNUSED = [
  /yaml[/]browser[/]dist[/](stringify[/]\w+|doc[/](createNode|applyReviver)|parse[/]cst-\w+|schema[/]yaml-1[.]1[/](timestamp|set|pairs|omap|binary|bool|int|float))\.js$/,
  /execa[/]lib[/](pipe[/]setup|convert[/]add|ipc[/](methods|graceful|get-each)|verbose[/](log|ipc))\.js$/,
];

/** Leaves these parts out, which saves 20 kB of the package. Their functions are made, and throw when they are called. */
const withoutUnused = {
  name: 'without-unused',
  setup({ onLoad }) {
    onLoad(
      { filter: new RegExp(UNUSED.map(({ source }) => source).join('|')) },
      async ({ path: file }) => {
        const text = await readFile(file, 'utf8');
        const declared = [...text.matchAll(/^export (?:const|function) (\w+)/gm)];
        const listed = [...text.matchAll(/^export \{([^}]*)\}/gm)].flatMap(([, all]) =>
          all.split(',').map((one) => [one, one.trim().split(/ as /).pop()]),
        );
        const names = [...declared, ...listed].map(([, name]) => name);
        const none = "const none = () => () => { throw new Error('devctl has left this out'); };";
        return { contents: `${none} export { ${names.map((name) => `none as ${name}`)} };` };
      },
    );
  },
};

/** The descriptions of manifest keys are for the JSON Schema, which has them already. */
const withoutDescriptions = {
  name: 'without-descriptions',
  setup({ onLoad }) {
    const literal = /\s*(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"),?\s*/.source;
    const optional = new RegExp(`field\\.optional\\(${literal}`, 'g');
    const described = new RegExp(`\\.with\\(\\s*z\\.describe\\(${literal}\\),?\\s*\\)`, 'g');
    onLoad(
      { filter: /src[/]manifest[/](schema|containers[/]settings)[\w-]*\.ts$/ },
      async ({ path: file }) => {
        const text = await readFile(file, 'utf8');
        const contents = text.replace(optional, 'z.optional(').replace(described, '');
        return { contents, loader: 'ts' };
      },
    );
  },
};

/**
 * Parts of execa that devctl has turned off, which saves 4 kB of the package: symbols and times of its output for people, what it
 * does when its parent ends, and the words for signals, whose names are enough.
 */
const TURNED_OFF = {
  figures: 'export default {};',
  'pretty-ms': 'export default {};',
  'signal-exit': "export const onExit = () => { throw new Error('devctl has left this out'); };",
  'human-signals':
    'export const signalsByName = new Proxy({}, { get: (_, name) => ({ description: name }) });',
};

const withoutTurnedOff = {
  name: 'without-turned-off',
  setup({ onResolve, onLoad }) {
    onResolve(
      { filter: new RegExp(`^(${Object.keys(TURNED_OFF).join('|')})$`) },
      ({ path: name, importer }) =>
        /node_modules[/]execa[/]/.test(importer) ? { path: name, namespace: 'off' } : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'off' }, ({ path: name }) => ({
      contents: TURNED_OFF[name],
    }));
  },
};

const COMMON = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20.12',
  // Names too: kept, they would add 60 kB to the package. A stack trace still tells line and column.
  minify: true,
  legalComments: 'none',
  // Native and optional: found at run time or not at all.
  external: ['koffi'],
  // jsonc-parser's `main` is UMD, which no bundler can follow; its `module` is the same as ESM.
  mainFields: ['module', 'main'],
  // Its ESM is for browsers by name only, and a bundler can leave out what nobody uses.
  alias: { yaml: './node_modules/yaml/browser/dist/index.js' },
  plugins: [
    commanderWithoutChildProcess,
    twoSpinners,
    withoutUnused,
    withoutDescriptions,
    withoutTurnedOff,
  ],
  metafile: true,
  write: false,
  logLevel: 'error',
};

const AS_COMMON_JS = {
  ...COMMON,
  outbase: 'src',
  outdir: 'dist',
  outExtension: { '.js': '.cjs' },
  format: 'cjs',
  // A lazy import becomes a function in the same file.
  supported: { 'dynamic-import': false },
  define: { 'import.meta.url': 'devctlUrl' },
  banner: { js: "const devctlUrl=require('node:url').pathToFileURL(__filename).href;" },
};

/** The code that `status` and `stop` begin with, as far as the supervisor has it too: all that they need where nothing runs. */
const SHARED = 'shared.cjs';
/** Their code that the supervisor has not. */
const QUICK = 'quick-main.cjs';
/** The further code of `start`. */
const START = 'start.cjs';
/** The further code of all commands that the supervisor has too. */
const SUPERVISED = 'supervised.cjs';
/** The code that needs zod, and the code that needs yaml. */
const MANIFEST = 'manifest.cjs';
const YAML = 'yaml.cjs';
/** Their source files run together, so that esbuild leaves out what they do not use of the two packages. */
const WHOLE = [MANIFEST, YAML];
const STATUS_AND_STOP = ['status', 'stop'].map((name) => `src/commands/${name}.ts`);
/** The code with which every command begins; a failure must be of the same class in all bundles. */
const FIRST = 'first.cjs';
/** The code that loads all these, and keeps what V8 makes of them. */
const LOADER = 'compiled-code.cjs';
/** Packages that devctl loads when it spawns, or on other systems only. */
const PACKAGES = ['execa', 'ps-list', 'pidtree', 'tree-kill'];

/**
 * Says which source files every bundle takes from one place, so that nothing is published twice: those of `start`,
 * `status`, `stop` and the supervisor, and those with which every command begins.
 *
 * @returns source file → { from: the file in dist/, id: its number, names: what the source file exports }
 */
async function findPlaces() {
  const [quick, withoutStart, commands, supervisor, first, ...begins] = await Promise.all([
    sourcesOf(['src/quick-main.ts']),
    sourcesOf(['src/quick.ts', 'src/output/terminal/failure.ts', ...STATUS_AND_STOP]),
    sourcesOf(ENTRIES),
    sourcesOf(['src/supervisor/resident.ts']),
    eagerlyLoaded('src/main.ts'),
    ...['src/quick-main.ts', ...STATUS_AND_STOP].map(eagerlyLoaded),
  ]);
  withoutStart.add('src/quick-main.ts');
  const placeOf = (source) => {
    // V8 takes time for each function of a file, used or not.
    const isNeededAtOnce = begins.some((one) => one.has(source));
    if (supervisor.has(source)) return isNeededAtOnce ? SHARED : SUPERVISED;
    if (withoutStart.has(source)) return QUICK;
    if (source === 'src/yaml.ts') return YAML;
    return source.startsWith('src/manifest/') ? MANIFEST : START;
  };
  const taken = [...new Set([...quick, ...commands])].filter(
    (source) => !first.has(source) && (quick.has(source) || supervisor.has(source)),
  );
  const places = [
    ...taken.map((source) => [source, placeOf(source)]),
    ...[...first].filter((source) => !isCommandLine(source)).map((source) => [source, FIRST]),
  ];
  const names = await exportsOf(places.map(([source]) => source));
  return new Map(
    places.map(([source, from], id) => [source, { from, id, names: names.get(source) }]),
  );
}

/** Code that only the parser of all command lines has: the usual ones do without it. */
function isCommandLine(source) {
  return ENTRIES.includes(source) || source.startsWith('src/command-line/');
}

/** @returns the source files of ours that these programs consist of */
async function sourcesOf(entries) {
  const { metafile } = await bundleCommonJs(entries);
  return new Set(Object.keys(metafile.inputs).filter(isOurs));
}

/** @returns the source files of ours that are loaded as soon as `entry` is */
async function eagerlyLoaded(entry) {
  const { metafile } = await build({ ...COMMON, entryPoints: [entry], format: 'esm' });
  const sources = new Set([entry]);
  // A set is walked in the order in which it grows.
  for (const source of sources) {
    for (const { kind, path: imported } of metafile.inputs[source].imports) {
      if (kind === 'import-statement' && isOurs(imported)) sources.add(imported);
    }
  }
  return sources;
}

function isOurs(file) {
  return file.startsWith('src/');
}

/** @returns source file → the names that it exports */
async function exportsOf(sources) {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: sources,
    outdir: 'dist',
    format: 'esm',
    metafile: true,
    write: false,
  });
  const outputs = Object.values(metafile.outputs);
  return new Map(outputs.map(({ entryPoint, exports }) => [entryPoint, exports]));
}

/**
 * Bundles `start`, `restart`, `status` and `stop` as CommonJS: that is loaded without Node's ESM loader, which takes 15 ms more and, when
 * processes and threads have run out, cannot work at all.
 */
async function bundleQuickly(places) {
  return bundleModules(QUICK, places, "export { quickMain } from './src/quick-main.ts';");
}

/** Bundles the source files whose place is `name`, for all other bundles to take from there. */
async function bundleModules(name, places, entry = '') {
  const own = [...places.keys()].filter((source) => places.get(source).from === name);
  const others = new Map([...places].filter(([, { from }]) => from !== name));
  // A function each, so that a source file runs when it is first needed, as it would as a file.
  const isWhole = WHOLE.includes(name);
  const imports = own.map((source, at) =>
    isWhole ? `import * as m${at} from './${source}';` : '',
  );
  const modules = own.map((source, at) => {
    const value = isWhole ? `m${at}` : `require('./${source}')`;
    return `${places.get(source).id}: () => ${value}`;
  });
  const contents = `${imports.join('')}${entry} export const modules = {${modules}};`;
  const { metafile, outputFiles } = await build({
    ...AS_COMMON_JS,
    stdin: { contents, resolveDir: root },
    plugins: [...COMMON.plugins, takenFromPlaces('.', others)],
  });
  return { metafile, files: outputFiles.map(({ contents }) => [name, Buffer.from(contents)]) };
}

/** Bundles the other commands. A command runs the code of no other one, though all of them lie in one file. */
async function bundleCommands(places) {
  return bundleCommonJs({ commands: 'src/main.ts' }, [takenFromPlaces('.', places)]);
}

/** Bundles the library, and a module that exports it: a program that imports it may be either kind of module. */
async function bundleLibrary(places) {
  const { metafile, files } = await bundleCommonJs({ library: 'src/index.ts' }, [
    takenFromPlaces('.', places),
  ]);
  const names = (await exportsOf(['src/index.ts'])).get('src/index.ts').join(', ');
  const index = `import library from './library.cjs'; export const { ${names} } = library;`;
  return { metafile, files: [...files, ['index.js', Buffer.from(index)]] };
}

/** Bundles the supervisor as CommonJS: the ESM loader would keep 2 MB and four threads while it lives. */
async function bundleSupervisor(places) {
  const { metafile, files } = await bundleCommonJs(
    ['src/supervisor/main.ts', 'src/supervisor/resident.ts'],
    [takenFromPlaces('..', places)],
  );
  // Supervisors are known by this name, those of earlier versions too; so the folder says what kind it is.
  const named = files.map(([file, content]) => [file.replace(/main\.cjs$/, 'main.js'), content]);
  const type = [path.join('supervisor', 'package.json'), Buffer.from('{ "type": "commonjs" }\n')];
  return { metafile, files: [...named, type] };
}

/** Bundles the loader of the other bundles. */
async function bundleLoader() {
  return bundleCommonJs(['src/compiled-code.ts']);
}

/** Bundles the guard of a machine without Perl. */
async function bundleGuard(places) {
  return bundleCommonJs(['src/supervisor/guard.ts'], [takenFromPlaces('..', places)]);
}

/** Bundles the program that begins the session of a terminal. */
async function bundleTerminalSession(places) {
  return bundleCommonJs(['src/supervisor/terminal-session.ts'], [takenFromPlaces('..', places)]);
}

/** Bundles each package as a file of its own, so that nothing loads its text before it is needed. */
async function bundlePackages() {
  const entries = Object.fromEntries(PACKAGES.map((name) => [`packages/${name}`, name]));
  return bundleCommonJs(entries, [onlyExeca]);
}

/** Of execa only these two functions, so that the bundler leaves out the rest. */
const onlyExeca = {
  name: 'only-execa',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^execa$/ }, ({ kind, path: name }) =>
      kind === 'entry-point' ? { path: name, namespace: 'only' } : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'only' }, () => ({
      contents: "export { execa, execaSync } from 'execa';",
      resolveDir: root,
    }));
  },
};

async function bundleCommonJs(entryPoints, plugins = []) {
  const { metafile, outputFiles } = await build({
    ...AS_COMMON_JS,
    entryPoints,
    plugins: [...COMMON.plugins, ...plugins],
  });
  return { metafile, files: outputFiles.map(toFile) };
}

/** @returns [path relative to dist, content] */
function toFile({ path: file, text }) {
  return [path.relative(dist, file), Buffer.from(text)];
}

/**
 * Takes packages and source files from the files in dist/ in which they lie, instead of bundling them once more.
 *
 * @param way from the bundle to dist/
 */
function takenFromPlaces(way, places) {
  return {
    name: 'taken-from-places',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: new RegExp(`^(${PACKAGES.join('|')})$`) }, ({ path: name }) => ({
        path: name,
        namespace: 'package',
      }));
      onResolve({ filter: /\.ts$/ }, ({ kind, resolveDir, path: file }) => {
        const source = path.relative(root, path.resolve(resolveDir, file));
        const isTaken = kind !== 'entry-point' && places.has(source);
        return isTaken ? { path: source, namespace: 'source' } : undefined;
      });
      onResolve({ filter: /[/]compiled-code\.ts$/ }, () => ({
        path: `${way}/${LOADER}`,
        external: true,
      }));
      onResolve({ filter: /\.cjs$/ }, ({ kind, path: file, namespace }) => {
        if (kind === 'require-resolve') return { path: file, external: true };
        return namespace === 'in-dist'
          ? { path: `${way}/${file}`, external: true }
          : { path: file, namespace: 'in-dist' };
      });
      onLoad({ filter: /.*/, namespace: 'package' }, ({ path: name }) => ({
        contents: `const all = require('packages/${name}.cjs');
          export default all.default ?? all;
          export const { execa, execaSync } = all;`,
      }));
      onLoad({ filter: /.*/, namespace: 'source' }, ({ path: source }) => {
        const { from, id, names } = places.get(source);
        // Marked as pure, so that names which nobody here uses are left out.
        const taken = names.map(
          (name) => `export const ${name} = /* @__PURE__ */ (() => all.${name})();`,
        );
        return {
          contents: `const all = require('${from}').modules[${id}](); ${taken.join(' ')}`,
        };
      });
      // One file that requires it, so that the commands have it in one file too.
      onLoad({ filter: /.*/, namespace: 'in-dist' }, ({ path: file }) => ({
        contents: `module.exports = require('${LOADER}').loadCompiled(require.resolve('${way}/${file}'));`,
      }));
    },
  };
}

/** Declarations of the library, as [path relative to dist, content]. */
async function emitTypes() {
  const folder = await mkdtemp(path.join(tmpdir(), 'devctl-types-'));
  try {
    await runTsc(['-p', 'tsconfig.types.json', '--outDir', folder]);
    const declarations = new Map();
    // The compiler writes one for each file that the code imports; most are imported by no declaration.
    const names = new Set(['index.d.ts']);
    const index = await readFile(path.join(folder, 'index.d.ts'), 'utf8');
    const isPublic = new Set(['index.d.ts', ...importedBy('index.d.ts', index)]);
    for (const name of names) {
      const written = await readFile(path.join(folder, name), 'utf8');
      const text = isPublic.has(name) ? written : onlyTypes(written);
      declarations.set(path.join('types', name), Buffer.from(text));
      for (const imported of importedBy(name, text)) names.add(imported);
    }
    return declarations;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function importedBy(name, text) {
  return [...text.matchAll(/['"](\.[^'"]+)\.ts['"]/g)].map(([, imported]) =>
    path.join(path.dirname(name), `${imported}.d.ts`),
  );
}

/**
 * Keeps the types of a file that the library does not export by itself, without comments: editors show those of what it
 * exports. Functions of such a file cannot be reached. All of it would add 25 kB to the package.
 */
function onlyTypes(text) {
  const types = text
    .replace(/^\s*\/\*\*[\s\S]*?\*\/\n/gm, '')
    // A declaration ends with the semicolon after which a line begins another one.
    .replace(
      /^(?:export )?declare (?:function|const) [\s\S]*?;\n(?=[^\s}]|$(?![\s\S]))/gm,
      (all) => (/\btypeof\b/.test(text) ? all : ''),
    );
  return types.replace(/^import (?:type )?\{([^}]*)\} from [^;]*;\n/gm, (all, names) => {
    const rest = types.replaceAll(all, '');
    const isUsed = (name) => new RegExp(`\\b${name}\\b`).test(rest);
    return names.split(',').some((one) => isUsed(one.trim().split(' ').pop())) ? all : '';
  });
}

/**
 * Gives local names anew: the shortest to those that are used most, which esbuild does not. It saves 10 kB of the package.
 *
 * The result is ASCII, because V8 keeps such a text in half of the memory, and Node reads it ten times as fast.
 */
async function withShorterNames([name, content]) {
  if (!/\.c?js$/.test(name)) return [name, content];
  const { code, errors } = await minify(name, content.toString(), {
    compress: false,
    mangle: { toplevel: true },
  });
  if (errors.length > 0) throw new Error(`${name}: ${errors[0].message}`);
  return [name, Buffer.from(inAscii(code))];
}

/** Writes other characters as escapes, which strings, templates and regular expressions understand (but not `String.raw`). */
function inAscii(code) {
  const escaped = (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  const [spoilt] =
    /String\.raw`[^`]*[\u0080-\uffff]|(?<!\\)(?:\\\\)*\\[\u0080-\uffff]/.exec(code) ?? [];
  if (spoilt !== undefined) throw new Error(`an escape would change what this means: ${spoilt}`);
  // Without the flag u it takes each half of a pair.
  return code.replace(/[\u0080-\uffff]/g, escaped);
}

/**
 * Begins each CommonJS file with strict mode, which modules always have, and with the name of this build, which
 * `compiled-code.ts` compares: files of two builds would call each other by other numbers.
 */
function ofOneBuild(files) {
  const hash = createHash('sha256');
  for (const [, content] of files) hash.update(content);
  const head = `'use strict';'build ${hash.digest('hex').slice(0, 12)}';`;
  return files.map(([name, content]) => [
    name,
    /\.json$|^index\.js$/.test(name) ? content : Buffer.concat([Buffer.from(head), content]),
  ]);
}

function runTsc(args) {
  const require = createRequire(import.meta.url);
  const manifest = require.resolve('typescript/package.json');
  const tsc = path.join(path.dirname(manifest), require(manifest).bin.tsc);
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [tsc, ...args], { cwd: root, stdio: 'inherit' });
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`tsc exited ${code}`))));
  });
}

/**
 * Makes dist/ equal to `files` without ever being half of anything for a devctl that runs from it:
 * a file that is right already is left alone, each other one is replaced by rename, and the ones that are no part of it any
 * more go last.
 */
async function synchronise(files) {
  for (const [name, content] of files) await replaceFile(path.join(dist, name), content);
  const entries = await readdir(dist, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    const file = path.join(entry.parentPath ?? entry.path, entry.name);
    if (entry.isFile() && !files.has(path.relative(dist, file))) await rm(file, { force: true });
  }
}

async function replaceFile(file, content) {
  const current = await readFile(file).catch(() => null);
  if (current && Buffer.compare(current, content) === 0) return;
  await mkdir(path.dirname(file), { recursive: true });
  const fresh = `${file}.${process.pid}.tmp`;
  await writeFile(fresh, content);
  await rename(fresh, file);
}

function report() {
  const bytes = scripts.reduce((sum, [, content]) => sum + content.length, 0);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(
    `dist: ${scripts.length} scripts, ${Math.round(bytes / 1000)} kB, ` +
      `${packages.length} packages bundled, in ${seconds} s`,
  );
}

const startedAt = performance.now();
const [types, places] = await Promise.all([emitTypes(), findPlaces()]);
const bundles = await Promise.all([
  bundleModules(FIRST, places),
  bundleModules(SHARED, places),
  bundleQuickly(places),
  bundleModules(SUPERVISED, places),
  bundleModules(START, places),
  bundleModules(MANIFEST, places),
  bundleModules(YAML, places),
  bundleCommands(places),
  bundleLibrary(places),
  bundleSupervisor(places),
  bundleLoader(),
  bundleGuard(places),
  bundleTerminalSession(places),
  bundlePackages(),
]);
const scripts = ofOneBuild(
  await Promise.all(bundles.flatMap(({ files }) => files).map(withShorterNames)),
);
const metafiles = bundles.map(({ metafile }) => metafile);
const packages = await bundledPackages(root, metafiles);
await synchronise(new Map([...scripts, ...types]));
await replaceFile(path.join(root, 'THIRD_PARTY_LICENSES'), Buffer.from(licenceText(packages)));
report();
