// npm run bench [-- ROUNDS]: how much devctl takes beyond Node's own start.
//
// Everything is measured in turn within each round, so that a machine that slows down slows all of
// it down; the figures are medians. A ratio is over `node -e 0` in the same run. Then what devctl costs while
// services run: the supervisor at rest, their logs, and how soon `logs -f` shows a line.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadInternals } from './internals.mjs';
import {
  EMERGENCY_PROCESSES,
  listeners,
  manifest,
  PROCESSES,
  SERVICES,
  startCrowd,
} from './load.mjs';
import { logManifest, measureLatency, measureThroughput } from './logs.mjs';
import { measureResident } from './resident.mjs';

const ROUNDS = Number(process.argv[2] ?? 15);
/** Of what takes many seconds. */
const LONG_ROUNDS = Math.max(1, Math.round(ROUNDS / 3));
const CROWD = 1000;

const root = fileURLToPath(new URL('..', import.meta.url));
const launcher = path.join(root, 'bin', 'devctl.js');
const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'devctl-bench-')));
const environment = { ...process.env, DEVCTL_BENCH: folder };
const timings = new Map();
const figures = new Map();

const { openHost, openOracle, endProcesses } = await loadInternals(root);
const oracle = openOracle({ folders: [folder], environment: [`DEVCTL_BENCH=${folder}`] });
try {
  useManifest(PROCESSES);
  for (let round = 0; round < ROUNDS; round += 1) measureCommands();
  writeManifest(manifest(PROCESSES, {}));
  for (let round = 0; round < LONG_ROUNDS; round += 1) measureSettling();
  useManifest(EMERGENCY_PROCESSES);
  for (let round = 0; round < ROUNDS; round += 1) measureEmergency();
  await measureSnapshots();
  report();
  if (process.platform === 'linux') await measureRest();
  await measureLogs();
  reportFigures();
} finally {
  await endProcesses(oracle.everything);
  rmSync(folder, { recursive: true, force: true });
}

function measureCommands() {
  measure('node -e 0', ['-e', '0'], 0);
  measure('devctl --version', [launcher, '--version'], 0);
  measure('devctl status, nothing running', [launcher, 'status'], 3);
  measure('devctl stop, nothing running', [launcher, 'stop'], 0);
  measure(`devctl start, ${SERVICES} services, ${PROCESSES} processes`, [launcher, 'start'], 0);
  if (oracle.processes().length < PROCESSES) throw new Error('start returned before all were up');
  measure(`devctl status, ${PROCESSES} processes`, [launcher, 'status'], 0);
  measure(`devctl stop, ${PROCESSES} processes`, [launcher, 'stop'], 0);
  if (oracle.processes().length > 0) throw new Error('stop returned 0 and left processes');
}

/** The same start as a user has it, whose word waits for `settle`. */
function measureSettling() {
  measure(`devctl start, ${SERVICES} services, settle by default`, [launcher, 'start'], 0);
  runQuietly([launcher, 'stop'], 0);
}

/** From cold: nothing is left to go by but what runs. */
function measureEmergency() {
  runQuietly([launcher, 'start'], 0);
  const running = oracle.processes().length;
  if (running < EMERGENCY_PROCESSES) throw new Error(`start returned when ${running} were up`);
  const record = readFileSync(path.join(folder, '.pids', 'supervisor.json'), 'utf8');
  process.kill(JSON.parse(record).identity.pid, 'SIGKILL');
  rmSync(path.join(folder, '.pids'), { recursive: true, maxRetries: 5 });
  const name = `devctl stop --force, ${EMERGENCY_PROCESSES} processes, no records, no supervisor`;
  measure(name, [launcher, 'stop', '--force'], 0);
  if (oracle.processes().length > 0) throw new Error('stop --force returned 0 and left processes');
}

function useManifest(processes) {
  writeManifest(manifest(processes));
}

function writeManifest(content) {
  writeFileSync(path.join(folder, '.devctl.json'), JSON.stringify(content));
}

/** @param expected exit code; another one would mean that something else was measured */
function measure(name, args, expected) {
  const startedAt = performance.now();
  runQuietly(args, expected, () => record(name, performance.now() - startedAt));
}

function runQuietly(args, expected, done = () => {}) {
  const result = spawnSync(process.execPath, args, {
    cwd: folder,
    env: environment,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  done();
  if (result.status !== expected) {
    const ran = args.slice(1).join(' ');
    throw new Error(`${ran}: exit code ${result.status}, not ${expected}\n${result.stderr}`);
  }
}

async function measureRest() {
  await endProcesses(oracle.everything);
  const loads = {
    [`${PROCESSES} processes`]: manifest(PROCESSES),
    [`${PROCESSES} services that listen`]: listeners(PROCESSES, false),
    [`${PROCESSES} services, ready by ports`]: listeners(PROCESSES, true),
  };
  for (const [name, content] of Object.entries(loads)) {
    writeManifest(content);
    runQuietly([launcher, 'start'], 0);
    await measureResident(folder, LONG_ROUNDS, figure(`supervisor of ${name} at rest`));
    runQuietly([launcher, 'stop'], 0);
  }
}

async function measureLogs() {
  writeManifest(logManifest());
  const run = (...args) => runQuietly([launcher, ...args], 0);
  measureThroughput(folder, LONG_ROUNDS, run, figure('logs'));
  run('start', 'clock');
  await measureLatency(folder, launcher, environment, figure('logs'));
  run('stop');
}

async function measureSnapshots() {
  await startCrowd(CROWD, { cwd: folder, env: environment }, () => oracle.processes().length);
  const host = await openHost();
  for (let round = 0; round < ROUNDS; round += 1) {
    const startedAt = performance.now();
    await host.snapshot();
    record(`snapshot of ${CROWD} processes`, performance.now() - startedAt);
  }
}

function record(name, ms) {
  timings.set(name, [...(timings.get(name) ?? []), ms]);
}

function report() {
  const bare = median('node -e 0');
  const width = Math.max(...[...timings.keys()].map((name) => name.length));
  const row = (...cells) => console.log(cells.join('  '));
  row(
    'median of'.padEnd(width - 4),
    String(ROUNDS).padStart(4),
    '     ms',
    '  over bare',
    '  ratio',
  );
  for (const name of timings.keys()) {
    const ms = median(name);
    // A snapshot is part of a command, not a program that starts Node.
    const over = name.startsWith('snapshot') ? '' : `+${(ms - bare).toFixed(1)}`;
    row(
      name.padEnd(width),
      ms.toFixed(1).padStart(9),
      over.padStart(11),
      (ms / bare).toFixed(2).padStart(7),
    );
  }
}

function figure(group) {
  return (name, value) => {
    const key = `${group}: ${name}`;
    figures.set(key, [...(figures.get(key) ?? []), value]);
  };
}

function reportFigures() {
  const names = [...figures.keys()];
  const width = Math.max(...names.map((name) => name.length));
  console.log(`\n${'median of'.padEnd(width)}  rounds      value       p95`);
  for (const name of names) {
    const values = figures.get(name);
    const cells = [quantile(values, 0.5), quantile(values, 0.95)].map(shown);
    console.log([name.padEnd(width), String(values.length).padStart(6), ...cells].join('  '));
  }
}

function shown(value) {
  return value.toFixed(value >= 1000 ? 0 : value >= 10 ? 1 : 3).padStart(9);
}

function median(name) {
  return quantile(timings.get(name), 0.5);
}

function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}
