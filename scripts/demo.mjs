// npm run demo: the founding incident, once with the script it happened to and once with devctl.
//
// Two copies of fixtures/incident run on ports of their own, each with `npm test` started beside its
// services. An oracle that knows nothing of devctl (test/support/oracle.ts) counts what is left.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const ENOUGH = 80;
const STOP_LIMIT_MS = 10_000;
const repository = fileURLToPath(new URL('..', import.meta.url));
const support = await loadSupport();

/** Bundles the oracle and the incident, which are TypeScript of the tests: Node 20 cannot import that. */
async function loadSupport() {
  const folder = join(repository, 'test', 'support');
  const outfile = join(repository, 'node_modules', '.cache', 'devctl-demo', 'support.mjs');
  const parts = ['clean-environment', 'end-processes', 'free-ports', 'incident', 'oracle'];
  await build({
    stdin: {
      contents: parts.map((part) => `export * from './${part}.ts';`).join('\n'),
      resolveDir: folder,
    },
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    logLevel: 'error',
    define: { 'import.meta.url': JSON.stringify(pathToFileURL(join(folder, 'oracle.ts')).href) },
  });
  return import(pathToFileURL(outfile).href);
}

const colour = process.stdout.isTTY && !process.env.NO_COLOR && process.env.TERM !== 'dumb';
const paint = (code) => (text) => (colour ? `\x1b[${code}m${text}\x1b[0m` : text);
const [bold, dim, red, green] = [paint(1), paint(2), paint(31), paint(32)];
const interrupted = new AbortController();
/** Waits, and throws as soon as somebody interrupts the demo. */
const delay = (ms) => setTimeout(ms, undefined, { signal: interrupted.signal });
const say = (text = '') => console.log(text);
const step = (text) => say(`\n${bold(text)}`);

/** Makes a copy of the incident on free ports, with an oracle of its own. */
async function makeCopy(folder) {
  await support.copyIncident(folder);
  await delay(0);
  const [orchestrator, web] = await support.freePorts(2);
  writeFileSync(join(folder, '.marker'), '');
  writeFileSync(join(folder, '.devctl.local.json'), support.incidentPorts(orchestrator, web));
  mkdirSync(join(folder, '.logs'), { recursive: true });
  const mark = { TURBO_DEVCTL_ORACLE: folder };
  return {
    folder,
    ports: [orchestrator, web],
    oracle: support.openOracle({
      folders: [folder],
      environment: [`TURBO_DEVCTL_ORACLE=${folder}`],
    }),
    env: {
      ...support.cleanEnvironment(),
      ...support.incidentEnvironment(),
      ...mark,
      ORCHESTRATOR_PORT: String(orchestrator),
      WEB_PORT: String(web),
      ...(colour ? { FORCE_COLOR: '1' } : {}),
    },
  };
}

/** Runs a command of the tour in the copy's folder, showing its output below the command line. */
function run(copy, shown, command, args, stdio = 'inherit') {
  say(`\n${dim('$')} ${shown}`);
  const started = performance.now();
  const { status, error, stdout } = spawnSync(command, args, {
    cwd: copy.folder,
    env: copy.env,
    stdio: ['ignore', stdio, 'inherit'],
    encoding: 'utf8',
  });
  if (error) throw error;
  return { code: status, ms: performance.now() - started, stdout };
}

function devctl(copy, ...args) {
  const program = join(repository, 'bin', 'devctl.js');
  return run(copy, ['devctl', ...args].join(' '), process.execPath, [program, ...args]);
}

/** Starts `npm test` as in a terminal of its own: turbo, seven times vitest, five forks each. */
async function startStorm(copy) {
  say(`\n${dim('$')} npm test   ${dim('# in another terminal; nobody told the services’ script')}`);
  const log = openSync(join(copy.folder, '.logs', 'npm-test.log'), 'w');
  const { folder: cwd, env } = copy;
  spawn('npm', ['test'], { cwd, env, detached: true, stdio: ['ignore', log, log] }).unref();
  const seen = await settled(copy);
  const count = (key) => new Set(seen.map((one) => one[key])).size;
  const megabytes = Math.round(seen.reduce((sum, one) => sum + one.rssBytes, 0) / 1e6);
  const where = `${count('pgid')} process groups, ${count('sid')} sessions`;
  say(`  ${bold(`${seen.length} processes`)}, ${megabytes} MB, ${where}`);
  return seen.length;
}

/** Waits until there are enough processes and their number has not changed for two seconds. */
async function settled(copy) {
  const end = performance.now() + 120_000;
  let seen = copy.oracle.processes();
  for (let calm = 0; calm < 8; ) {
    await delay(250);
    const now = copy.oracle.processes();
    calm = now.length === seen.length && now.length >= ENOUGH ? calm + 1 : 0;
    seen = now;
    if (performance.now() > end) {
      throw new Error(`only ${seen.length} processes after two minutes, ${ENOUGH} are needed`);
    }
  }
  return seen;
}

/** Looks for what a stop has left behind. */
async function lookAround(copy) {
  const left = copy.oracle.processes();
  const bindable = await Promise.all(copy.ports.map(support.canBind));
  return { left, portsFree: bindable.every(Boolean) };
}

async function theOldWay(copy) {
  step('1. The script it happened to');
  const start = run(copy, 'scripts/start-dev.sh', 'bash', ['scripts/start-dev.sh']);
  if (start.code !== 0) throw new Error('start-dev.sh failed');
  const before = await startStorm(copy);
  const { ms } = run(copy, 'scripts/stop-dev.sh', 'bash', ['scripts/stop-dev.sh']);
  // Time for every process that ends after the signal.
  await delay(3000);
  const after = await lookAround(copy);
  say(`  ${red(`still running 3 s later: ${after.left.length} processes`)}`);
  await support.endProcesses(copy.oracle.everything);
  say(dim('  (ended by this demo, by pid and start time)'));
  return { before, ms, ...after };
}

async function withDevctl(copy) {
  step('2. The same with devctl');
  const start = devctl(copy, 'start');
  if (start.code !== 0) throw new Error(`devctl start exited with ${start.code}`);
  const before = await startStorm(copy);
  devctl(copy, 'status');
  const { code, ms } = devctl(copy, 'stop');
  return { before, code, ms, ...(await lookAround(copy)) };
}

function proof(old, ours) {
  step('3. The proof, counted by an oracle that knows nothing of devctl');
  const good = (value, isGood) => (isGood ? green : red)(String(value).padEnd(14));
  const row = (what, a, b) => say(`  ${what.padEnd(22)}${a}${b}`);
  const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
  row('', dim('stop-dev.sh   '), dim('devctl stop'));
  row('processes before', String(old.before).padEnd(14), String(ours.before));
  row(
    'left running',
    good(old.left.length, old.left.length === 0),
    good(ours.left.length, ours.left.length === 0),
  );
  row(
    'ports free again',
    good(old.portsFree ? 'yes' : 'no', old.portsFree),
    good(ours.portsFree ? 'yes' : 'no', ours.portsFree),
  );
  row('time', seconds(old.ms).padEnd(14), seconds(ours.ms));
  for (const one of ours.left) say(red(`  left: pid ${one.pid} ${one.argv.join(' ')}`));

  const claims = [
    [ours.code === 0, `devctl stop exited with ${ours.code}`],
    [ours.left.length === 0, `devctl stop left ${ours.left.length} processes`],
    [ours.portsFree, 'a port is still in use'],
    [ours.ms < STOP_LIMIT_MS, `devctl stop took ${seconds(ours.ms)}`],
    [old.left.length > 0, 'the old script left nothing: that was not the incident'],
  ];
  const failed = claims.filter(([holds]) => !holds).map(([, text]) => text);
  for (const text of failed) say(red(`\n✗ ${text}`));
  if (failed.length === 0) say(green('\n✓ zero processes left'));
  return failed.length === 0 ? 0 : 1;
}

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'devctl-demo-')));
const all = support.openOracle({ folders: [folder], environment: [] });

async function cleanUp() {
  await support.endProcesses(all.everything);
  rmSync(folder, { recursive: true, force: true });
}

for (const [signal, number] of [
  ['SIGINT', 2],
  ['SIGTERM', 15],
  ['SIGHUP', 1],
]) {
  process.on(signal, () => interrupted.abort(number));
}

try {
  say(bold('devctl demo: an orchestrator, five agents, vite, and a test run that nobody stops'));
  say(dim('Making two copies of fixtures/incident (the first time with npm ci) …'));
  const old = await theOldWay(await makeCopy(join(folder, 'old')));
  const ours = await withDevctl(await makeCopy(join(folder, 'new')));
  process.exitCode = proof(old, ours);
} catch (error) {
  const { aborted, reason } = interrupted.signal;
  say(red(`\n✗ ${aborted ? 'interrupted, cleaning up …' : (error.shortMessage ?? error.message)}`));
  process.exitCode = aborted ? 128 + reason : 1;
} finally {
  await cleanUp();
}
