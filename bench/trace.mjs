// npm run bench -- --trace start|stop|status [ROUNDS] [--processes N]: the phases of one command, by process.
//
// The notes come from a preload (bench/trace/preload.cjs). Each round runs the command with it and without it, so the
// last line says how much the notes have taken. Medians.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openFigures } from './compare/figures.mjs';
import { drawTable } from './compare/table.mjs';
import { loadInternals } from './internals.mjs';
import { manifest } from './load.mjs';
import { PHASES, phasesOf } from './trace/phases.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    trace: { type: 'string' },
    processes: { type: 'string', default: '80' },
    markdown: { type: 'boolean', default: false },
  },
});
const COMMANDS = ['start', 'status', 'stop'];
const COUNTS = ['looks', 'reads', 'signals', 'spawns'];
const ROLES = ['command', 'supervisor'];
if (!COMMANDS.includes(values.trace)) throw new Error(`--trace takes ${COMMANDS.join(', ')}`);
const rounds = Number(positionals[0] ?? 5);
const root = fileURLToPath(new URL('..', import.meta.url));
const launcher = path.join(root, 'bin', 'devctl.js');
const preload = path.join(root, 'bench', 'trace', 'preload.cjs');
const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'devctl-trace-')));
const project = path.join(folder, 'project');
const { cleanEnvironment, openOracle, endAtOnce, endProcesses } = await loadInternals(root);
const oracle = openOracle({ folders: [folder], environment: [`DEVCTL_BENCH=${folder}`] });
const figures = openFigures();
process.once('exit', () => {
  endAtOnce(oracle.everything);
  rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));

mkdirSync(project);
const content = JSON.stringify(manifest(Number(values.processes)));
writeFileSync(path.join(project, '.devctl.json'), content);
for (let round = 0; round < rounds; round += 1) {
  for (const isTraced of [false, true]) await playRound(isTraced);
}
report();
process.exit();

async function playRound(isTraced) {
  const notes = path.join(folder, 'notes.ndjson');
  rmSync(notes, { force: true });
  const base = { ...cleanEnvironment(), DEVCTL_BENCH: folder };
  const env = {
    ...base,
    XDG_STATE_HOME: path.join(folder, 'state'),
    ...(isTraced ? { NODE_OPTIONS: `--require=${preload}`, DEVCTL_TRACE_FOLDER: folder } : {}),
  };
  const windows = new Map();
  for (const command of COMMANDS) windows.set(command, await run(command, env));
  await endProcesses(oracle.everything);
  const window = windows.get(values.trace);
  figures.record(isTraced ? 'traced' : 'plain', window.to - window.from);
  if (!isTraced) return;
  const lines = readFileSync(notes, 'utf8').split('\n').filter(Boolean).map(JSON.parse);
  const own = lines.find(({ pid }) => pid === window.pid);
  const spawned = own.notes.find(([kind]) => kind === 'spawn supervisor');
  record('command', phasesOf(own, window, window.from));
  const supervisor = lines.find(({ role }) => role === 'supervisor');
  if (supervisor) record('supervisor', phasesOf(supervisor, window, spawned?.[1] ?? null));
}

async function run(command, env) {
  const from = monotonicMs();
  const child = spawn(process.execPath, [launcher, command], {
    cwd: project,
    env,
    stdio: 'ignore',
  });
  const code = await new Promise((resolve) => child.once('exit', resolve));
  if (code !== 0) throw new Error(`devctl ${command}: exit code ${code}`);
  return { from, to: monotonicMs(), pid: child.pid };
}

/** The clock of the notes. */
function monotonicMs() {
  return Number(process.hrtime.bigint()) / 1e6;
}

function record(role, { ms, counts }) {
  for (const name of PHASES) figures.record(`${role} ${name}`, ms[name]);
  for (const name of COUNTS) figures.record(`${role} ${name}`, counts[name]);
}

function report() {
  const cell = (role, name, digits) => figures.median(`${role} ${name}`)?.toFixed(digits) ?? '–';
  const row = (title, name, digits) => [title, ...ROLES.map((role) => cell(role, name, digits))];
  console.log(`devctl ${values.trace}, ${values.processes} processes, ${rounds} rounds, ms\n`);
  const rows = [
    ['phase', ...ROLES],
    ...PHASES.map((name) => row(name, name, 1)),
    row('looks at the process table', 'looks', 0),
    row('files read in /proc', 'reads', 0),
    row('signals', 'signals', 0),
    row('spawns', 'spawns', 0),
  ];
  console.log(drawTable(rows, values.markdown));
  const [traced, plain] = ['traced', 'plain'].map((name) => figures.median(name).toFixed(0));
  console.log(`\nin all ${traced} ms; without the notes ${plain} ms`);
}
