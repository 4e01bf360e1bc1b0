// node scripts/rounds.mjs [N]: starts and stops the incident's services N times in a row (default 20). Each
// round must leave no process and free ports. Too long for `npm test`, which does three.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const repository = fileURLToPath(new URL('..', import.meta.url));
const support = await loadSupport();
const rounds = Number(process.argv[2] ?? 20);
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'devctl-rounds-')));
const mark = { TURBO_DEVCTL_ORACLE: folder };
const oracle = support.openOracle({
  folders: [folder],
  environment: [`TURBO_DEVCTL_ORACLE=${folder}`],
});

/** Bundles the oracle and the incident, which are TypeScript of the tests: Node 20 cannot import that. */
async function loadSupport() {
  const source = join(repository, 'test', 'support');
  const outfile = join(repository, 'node_modules', '.cache', 'devctl-rounds', 'support.mjs');
  const parts = ['clean-environment', 'end-processes', 'free-ports', 'incident', 'oracle'];
  const contents = parts.map((part) => `export * from './${part}.ts';`).join('\n');
  await build({
    stdin: { contents, resolveDir: source },
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    logLevel: 'error',
    define: { 'import.meta.url': JSON.stringify(pathToFileURL(join(source, 'oracle.ts')).href) },
  });
  return import(pathToFileURL(outfile).href);
}

/** Runs devctl in the copy, and throws its output when it fails. */
function devctl(...args) {
  const program = join(repository, 'bin', 'devctl.js');
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], {
    cwd: folder,
    env: { ...support.cleanEnvironment(), ...support.incidentEnvironment(), ...mark },
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`devctl ${args[0]} exited with ${status}:\n${stdout}${stderr}`);
}

async function round(ports) {
  const began = performance.now();
  devctl('start');
  const up = oracle.processes().length;
  const started = performance.now();
  devctl('stop');
  const stopped = performance.now();
  const left = oracle.everything();
  if (left.length > 0) {
    throw new Error(`left: ${left.map(({ pid, argv }) => `${pid} ${argv.join(' ')}`).join('\n')}`);
  }
  for (const port of ports) {
    if (!(await support.canBind(port))) throw new Error(`port ${port} is still in use`);
  }
  const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
  return `${up} processes up in ${seconds(started - began)}, 0 left after ${seconds(stopped - started)}`;
}

try {
  await support.copyIncident(folder);
  writeFileSync(join(folder, '.marker'), '');
  const ports = await support.freePorts(2);
  writeFileSync(join(folder, '.devctl.local.json'), support.incidentPorts(...ports));
  for (let number = 1; number <= rounds; number += 1) {
    console.log(`round ${number} of ${rounds}: ${await round(ports)}`);
  }
  console.log(`✓ ${rounds} rounds, no survivor, every port free`);
} catch (error) {
  console.log(`✗ ${error.message}`);
  process.exitCode = 1;
} finally {
  await support.endProcesses(oracle.everything);
  rmSync(folder, { recursive: true, force: true });
}
