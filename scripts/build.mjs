// Bundles src/ into dist/: one file a command, all packages inside, so that the published devctl
// has no dependency tree to install (a cold `npx` takes 0.6 s instead of 2.8 s).
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { bundledPackages, licenceText } from './licences.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = path.join(root, 'dist');
const ENTRIES = ['src/main.ts', 'src/cli.ts', 'src/index.ts'];

// Bundled CommonJS packages call require() for Node's own modules; ESM has none.
const REQUIRE_BANNER =
  "import{createRequire as devctlRequire}from'node:module';const require=devctlRequire(import.meta.url);";

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

const COMMON = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20.12',
  // Names are kept: a stack trace of a user is worth more than a few kilobytes.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  // Native and optional: found at run time or not at all.
  external: ['koffi'],
  // jsonc-parser's `main` is UMD, which no bundler can follow; its `module` is the same as ESM.
  mainFields: ['module', 'main'],
  plugins: [commanderWithoutChildProcess],
  metafile: true,
  write: false,
  logLevel: 'error',
};

/** Path relative to dist → content, and the metafile. */
async function bundleScripts() {
  const result = await build({
    ...COMMON,
    entryPoints: ENTRIES.filter((entry) => existsSync(path.join(root, entry))),
    outbase: 'src',
    outdir: 'dist',
    chunkNames: 'chunks/[name]-[hash]',
    splitting: true,
    format: 'esm',
    banner: { js: REQUIRE_BANNER },
  });
  const bundled = result.outputFiles.map(({ path: file, text }) => [
    path.relative(dist, file),
    Buffer.from(withoutIdleBanner(text)),
  ]);
  return { metafile: result.metafile, files: bundled };
}

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

/**
 * Bundles `status` and `stop` once more, each with what it needs in one CommonJS file: such a file is loaded without
 * Node's ESM loader, which takes 15 ms more and, when processes and threads have run out, cannot work at all.
 */
async function bundleQuickly() {
  return bundleCommonJs('src/quick-main.ts', [packagesApart('./packages')]);
}

/** Bundles the supervisor likewise: the ESM loader would keep 2 MB and four threads while it lives. */
async function bundleSupervisor() {
  const [main, guard] = await Promise.all([
    bundleCommonJs('src/supervisor/main.ts', [packagesApart('../packages')]),
    bundleCommonJs('src/supervisor/guard.ts'),
  ]);
  // Supervisors are known by this name, those of earlier versions too; so the folder says what kind it is.
  const named = main.files.map(([file, content]) => [
    file.replace(/main\.cjs$/, 'main.js'),
    content,
  ]);
  const type = [path.join('supervisor', 'package.json'), Buffer.from('{ "type": "commonjs" }\n')];
  return {
    metafile: { outputs: { ...main.metafile.outputs, ...guard.metafile.outputs } },
    files: [...named, ...guard.files, type],
  };
}

/** Packages that a command loads when it spawns, or on other systems only. */
const APART = ['execa', 'ps-list', 'pidtree', 'tree-kill'];

/** Bundles each of them as a file of its own, so that a bundle in CommonJS does not load their text before it needs it. */
async function bundlePackages() {
  return bundleCommonJs(Object.fromEntries(APART.map((name) => [`packages/${name}`, name])));
}

async function bundleCommonJs(entryPoints, plugins = []) {
  const { metafile, outputFiles } = await build({
    ...AS_COMMON_JS,
    entryPoints: typeof entryPoints === 'string' ? [entryPoints] : entryPoints,
    plugins: [...COMMON.plugins, ...plugins],
  });
  return {
    metafile,
    files: outputFiles.map(({ path: file, text }) => [
      path.relative(dist, file),
      Buffer.from(text),
    ]),
  };
}

/** @param folder of the packages, as seen from the bundle */
function packagesApart(folder) {
  return {
    name: 'packages-apart',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: new RegExp(`^(${APART.join('|')})$`) }, ({ path: name }) => ({
        path: name,
        namespace: 'apart',
      }));
      onResolve({ filter: /\/packages\/[\w-]+\.cjs$/ }, ({ path: file }) => ({
        path: file,
        external: true,
      }));
      onLoad({ filter: /.*/, namespace: 'apart' }, ({ path: name }) => ({
        contents: `const all = require('${folder}/${name}.cjs');
          export default all.default ?? all;
          export const { execa, execaSync } = all;`,
      }));
    },
  };
}

/** Few files need it, and making a `require` in each of the rest takes a command 2 ms. */
function withoutIdleBanner(text) {
  const rest = text.replace(`${REQUIRE_BANNER}\n`, '');
  return /\brequire\b/.test(rest) ? text : rest;
}

/** Declarations of the library, as [path relative to dist, content]. */
async function emitTypes() {
  const folder = await mkdtemp(path.join(tmpdir(), 'devctl-types-'));
  try {
    await runTsc(['-p', 'tsconfig.types.json', '--outDir', folder]);
    const names = await readdir(folder, { recursive: true });
    const declarations = names.filter((name) => name.endsWith('.d.ts'));
    return await Promise.all(
      declarations.map(async (name) => [
        path.join('types', name),
        await readFile(path.join(folder, name)),
      ]),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
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
 * a file that is right already is left alone, chunks (named by their content) come before the
 * entries that import them, each by rename, and what no entry imports any more goes last.
 */
async function synchronise(files) {
  const chunksFirst = [...files].sort(([a], [b]) => Number(isChunk(b)) - Number(isChunk(a)));
  for (const [name, content] of chunksFirst) await replaceFile(path.join(dist, name), content);
  const entries = await readdir(dist, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    const file = path.join(entry.parentPath ?? entry.path, entry.name);
    if (entry.isFile() && !files.has(path.relative(dist, file))) await rm(file, { force: true });
  }
}

function isChunk(name) {
  return name.startsWith('chunks');
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
  const scripts = bundle.files.reduce((sum, [, content]) => sum + content.length, 0);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(
    `dist: ${bundle.files.length} scripts, ${Math.round(scripts / 1000)} kB, ` +
      `${packages.length} packages bundled, in ${seconds} s`,
  );
}

const startedAt = performance.now();
const [types, ...bundles] = await Promise.all([
  emitTypes(),
  bundleScripts(),
  bundleQuickly(),
  bundleSupervisor(),
  bundlePackages(),
]);
const outputs = Object.assign({}, ...bundles.map(({ metafile }) => metafile.outputs));
const bundle = { metafile: { outputs }, files: bundles.flatMap(({ files }) => files) };
const packages = await bundledPackages(root, bundle.metafile);
const files = new Map([...bundle.files, ...types]);
await synchronise(files);
await replaceFile(path.join(root, 'THIRD_PARTY_LICENSES'), Buffer.from(licenceText(packages)));
report();
