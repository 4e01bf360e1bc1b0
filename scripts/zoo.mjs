// npm run zoo: every behaviour of fixtures/zoo in every mode, and a table of the processes that got away.
//
//   npm run zoo -- --places [N] [--seed N] [--at-once N]
//   npm run zoo -- [--mode WORDS] [--only NAME,NAME] [--combinations N] [--seed N] [--markdown FILE] [--list]
//
// --places plays N cases (2,000) of what may happen to the folders of projects between a start and a stop.
// --mode "root native" runs the modes whose names have all these words. Exit code 1: something got away where
// all was held, a bystander died, a grace period was cut, or a report claimed more than was true.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const repository = fileURLToPath(new URL('..', import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    mode: { type: 'string', default: '' },
    only: { type: 'string', default: '' },
    combinations: { type: 'string', default: '0' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    markdown: { type: 'string' },
    list: { type: 'boolean', default: false },
    places: { type: 'boolean', default: false },
    'at-once': { type: 'string', default: '3' },
  },
});

/** Bundles a program of the tests, which is TypeScript: Node 20 cannot import that. */
async function load(entry) {
  const folder = join(repository, 'test', 'support');
  const name = `${entry.replaceAll('/', '-')}.mjs`;
  const outfile = join(repository, 'node_modules', '.cache', 'devctl-zoo', name);
  await build({
    entryPoints: [join(folder, `${entry}.ts`)],
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

if (values.places) await playPlaces();
else await runZoo();

async function playPlaces() {
  // Not the registry of the user.
  const folder = mkdtempSync(join(tmpdir(), 'devctl-places-'));
  process.env.XDG_STATE_HOME = join(folder, 'state');
  process.env.XDG_CACHE_HOME = join(folder, 'cache');
  mkdirSync(process.env.XDG_STATE_HOME);
  const { playCases } = await load('place-cases');
  const seed = Number(values.seed);
  const cases = Number(positionals[0] ?? 2_000);
  console.log(`${cases} cases of seed ${seed}`);
  const began = performance.now();
  const atOnce = Number(values['at-once']);
  const say = (line) => console.log(`✗ ${line}`);
  const figures = await playCases({ seed, cases, atOnce, say });
  for (const made of [folder, join(tmpdir(), `devctl-test-alone-${process.pid}`)]) {
    rmSync(made, { recursive: true, force: true });
  }
  const seconds = Math.round((performance.now() - began) / 1_000);
  const { stops, faults } = figures;
  console.log(`${figures.cases} cases, ${stops} stops, ${seconds} s: ${faults.length} went wrong`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}

async function runZoo() {
  const { listBehaviours, runMatrix } = await load('zoo/matrix');
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
}
