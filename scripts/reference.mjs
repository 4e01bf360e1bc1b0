// Writes the generated parts of docs/manifest.md and docs/cli.md. With --check it only says whether they differ.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { parse } from 'jsonc-parser';
import { commandParts } from './reference/commands.mjs';
import { manifestTables } from './reference/manifest.mjs';
import { withPart, withPartBelowEach } from './reference/pages.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (name) => readFile(path.join(root, name), 'utf8');

/** The functions of commands are never called here, and are many files. */
const withoutCommands = {
  name: 'without-commands',
  setup({ onResolve }) {
    onResolve({ filter: /./ }, ({ kind, path: file }) =>
      kind === 'dynamic-import' ? { path: file, external: true } : undefined,
    );
  },
};

async function loadCommands() {
  const contents =
    "export { buildProgram } from './src/cli.ts'; export { COMMANDS } from './src/command-line/entries.ts';";
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: root },
    bundle: true,
    format: 'esm',
    platform: 'node',
    // commander is CommonJS, and requires modules of Node.
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire('file:///');",
    },
    plugins: [withoutCommands],
    write: false,
    logLevel: 'error',
  });
  const text = Buffer.from(outputFiles[0].contents).toString('base64');
  const { buildProgram, COMMANDS } = await import(`data:text/javascript;base64,${text}`);
  return { program: buildProgram(() => {}), entries: COMMANDS };
}

const { program, entries } = await loadCommands();
const schema = JSON.parse(await read('schema/devctl.schema.json'));
const examples = parse(await read('fixtures/every-key.json'));
const pages = {
  'docs/cli.md': (page) => withPartBelowEach(page, commandParts(program, entries)),
  'docs/manifest.md': (page) => withPart(page, manifestTables(schema, examples)),
};

for (const [name, renew] of Object.entries(pages)) {
  const current = await read(name);
  const wanted = renew(current);
  if (wanted === current) {
    console.log(`${name} is up to date`);
  } else if (process.argv.includes('--check')) {
    console.error(`${name} differs from the schema or the commands: npm run reference`);
    process.exitCode = 1;
  } else {
    await writeFile(path.join(root, name), wanted);
    console.log(`${name} written`);
  }
}
