// npm run zoo: every behaviour of fixtures/zoo in every mode, and a table of the processes that got away.
//
//   npm run zoo -- [--mode WORDS] [--only NAME,NAME] [--combinations N] [--seed N] [--markdown FILE] [--list]
//
// --mode "root native" runs the modes whose names have all these words. Exit code 1: something got away where
// all was held, a bystander died, a grace period was cut, or a report claimed more than was true.
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const repository = fileURLToPath(new URL('..', import.meta.url));
const { values } = parseArgs({
  options: {
    mode: { type: 'string', default: '' },
    only: { type: 'string', default: '' },
    combinations: { type: 'string', default: '0' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    markdown: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
});

/** Bundles the zoo, which is TypeScript of the tests: Node 20 cannot import that. */
async function loadZoo() {
  const folder = join(repository, 'test', 'support');
  const outfile = join(repository, 'node_modules', '.cache', 'devctl-zoo', 'matrix.mjs');
  await build({
    entryPoints: [join(folder, 'zoo', 'matrix.ts')],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    logLevel: 'error',
    define: { 'import.meta.url': JSON.stringify(pathToFileURL(join(folder, 'oracle.ts')).href) },
  });
  return import(pathToFileURL(outfile).href);
}

const { listBehaviours, runMatrix } = await loadZoo();
if (values.list) {
  for (const { name, how, caughtBy } of listBehaviours()) {
    console.log(`${name}: ${how}\n    ${caughtBy}`);
  }
} else {
  const faults = await runMatrix({
    mode: values.mode.split(' ').filter(Boolean),
    only: values.only.split(',').filter(Boolean),
    combinations: Number(values.combinations),
    seed: Number(values.seed),
    markdown: values.markdown ?? null,
    say: (line) => console.log(line),
  });
  const ok = faults.length === 0;
  console.log(ok ? '\n✓ nothing got away that was held' : `\n✗ ${faults.length} faults`);
  process.exitCode = ok ? 0 : 1;
}
