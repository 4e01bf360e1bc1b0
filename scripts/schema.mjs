// Writes schema/devctl.schema.json from the zod schema. With --check it only says whether they differ.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const file = path.join(root, 'schema', 'devctl.schema.json');

// Node 20 cannot import TypeScript, so bundle it in memory, and import that.
const { outputFiles } = await build({
  entryPoints: [path.join(root, 'src', 'manifest', 'json-schema.ts')],
  bundle: true,
  format: 'esm',
  platform: 'node',
  write: false,
  logLevel: 'error',
});
const code = Buffer.from(outputFiles[0].contents).toString('base64');
const { manifestJsonSchema } = await import(`data:text/javascript;base64,${code}`);

const wanted = manifestJsonSchema();
const current = await readFile(file, 'utf8').catch(() => '');
if (wanted === current) {
  console.log('schema/devctl.schema.json is up to date');
} else if (process.argv.includes('--check')) {
  console.error('schema/devctl.schema.json differs from src/manifest/schema.ts: npm run schema');
  process.exitCode = 1;
} else {
  await writeFile(file, wanted);
  console.log('schema/devctl.schema.json written');
}
