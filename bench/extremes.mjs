// npm run bench:extremes [-- CASE … [--rounds N] [--launcher PATH]]: what must stay bounded where a project is at its worst.
//
// Cases: storm, run-storm, crashes, damaged, many. `--launcher` measures another devctl (its bin/devctl.js) with the
// same cases. The figures are medians; where a bound is a ratio, both sides are measured in turn within a round.
import { spawn, spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { loadInternals } from './internals.mjs';

const { values: options, positionals } = parseArgs({
  options: { rounds: { type: 'string', default: '3' }, launcher: { type: 'string' } },
  allowPositionals: true,
});
const ROUNDS = Number(options.rounds);
const root = fileURLToPath(new URL('..', import.meta.url));
const launcher = path.resolve(options.launcher ?? path.join(root, 'bin', 'devctl.js'));
const figures = new Map();

const CASES = {
  storm: () => measureStorm({}),
  'storm-no-groups': () => measureStorm({ DEVCTL_CGROUP: 'off' }),
  'run-storm': measureRunStorm,
  crashes: measureCrashes,
  damaged: measureDamaged,
  many: measureMany,
};

const { openOracle, endProcesses } = await loadInternals(root);
const names = positionals.length > 0 ? positionals : Object.keys(CASES);
for (let round = 0; round < ROUNDS; round += 1) {
  for (const name of names) await CASES[name]();
}
report();

/** 60 lineages that live 20 ms each: the dead below the supervisor, and how long a stop takes. */
async function measureStorm(more) {
  const name = more.DEVCTL_CGROUP ? 'storm without control groups' : 'storm';
  await inProject({ storm: { command: lineages() } }, more, async ({ run, folder }) => {
    run(['start'], 0);
    const { pid } = supervisorOf(folder);
    await countZombies(name, pid);
    record(
      `${name}: stop, ms`,
      timed(() => run(['stop'], 0)),
    );
  });
}

/** The same below `devctl run`. */
async function measureRunStorm() {
  await inProject({}, {}, async ({ folder, env }) => {
    const argv = [launcher, 'run', '--', ...lineages()];
    const child = spawn(process.execPath, argv, { cwd: folder, env, stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    await setTimeout(1_000);
    await countZombies('storm below devctl run', child.pid);
    const from = performance.now();
    child.kill('SIGTERM');
    await ended;
    record('storm below devctl run: end, ms', performance.now() - from);
  });
}

/** Looks for 4 s at how many dead a process has not reaped. */
async function countZombies(name, pid) {
  const seen = [];
  let forks = forksOfMachine();
  const cpu = cpuMs(pid);
  const from = performance.now();
  while (performance.now() - from < 4_000) {
    await setTimeout(100);
    seen.push(zombiesBelow(pid));
  }
  forks = forksOfMachine() - forks;
  const ms = performance.now() - from;
  record(`${name}: forks a second on the machine`, (forks * 1000) / ms);
  record(`${name}: zombies, median of 4 s`, quantile(seen, 0.5));
  record(`${name}: zombies, most in 4 s`, Math.max(...seen));
  record(`${name}: cpu of the parent, % of a core`, (100 * (cpuMs(pid) - cpu)) / ms);
}

/** Ten services that crash again and again among 150, beside four busy loops: `start` of a healthy one. */
async function measureCrashes() {
  const busy = [0, 1, 2, 3].map(() => spawn('sh', ['-c', 'while :; do :; done']));
  try {
    for (const crashing of [0, 10]) {
      await inProject(services150(crashing), {}, async ({ run, folder }) => {
        run(['start', 'group'], null);
        const { pid } = supervisorOf(folder);
        await setTimeout(4_000);
        const cpu = cpuMs(pid);
        const from = performance.now();
        for (let time = 0; time < 5; time += 1) {
          const name = `crashes: start beside ${crashing} that crash, ms`;
          record(
            name,
            timed(() => run(['start', 'extra'], 0)),
          );
          run(['stop', 'extra'], 0);
          await setTimeout(500);
        }
        const share = (100 * (cpuMs(pid) - cpu)) / (performance.now() - from);
        record(`crashes: cpu of the supervisor of ${crashing} that crash, % of a core`, share);
      });
    }
  } finally {
    for (const child of busy) child.kill('SIGKILL');
  }
}

function services150(crashing) {
  const services = { extra: { command: ['sleep', '3600'] } };
  for (let index = 0; index < 150; index += 1) {
    const crashes = index < crashing;
    services[`s${index}`] = crashes
      ? { command: 'sleep 3; exit 1', restart: { policy: 'always', maxRestarts: 10_000 } }
      : { command: ['sleep', '3600'] };
  }
  return services;
}

/** 3,000 records that cannot be read, and a ledger of 20 MB. */
async function measureDamaged() {
  await inProject({ web: { command: ['sleep', '3600'] } }, {}, async ({ run, folder }) => {
    run(['start'], 0);
    const services = path.join(folder, '.pids', 'services');
    for (let index = 0; index < 3_000; index += 1) {
      writeFileSync(path.join(services, `damaged-${index}.json`), '{"schema":1,"serv', {
        mode: 0o600,
      });
    }
    const ledger = path.join(folder, '.pids', 'ledger', 'web');
    const [, header] = readFileSync(ledger, 'utf8').split('\n');
    const lines = [header];
    for (let index = 0; lines.length < 330_000; index += 1) {
      const pid = 100_000 + (index % 30_000);
      lines.push(JSON.stringify(['f'.repeat(32), pid, 1_000 + index, 1, pid, pid]));
    }
    writeFileSync(ledger, `\n${lines.join('\n')}\n`, { flag: 'a' });
    record(
      'damaged: stop --force, ms',
      timed(() => run(['stop', '--force'], 0)),
    );
  });
}

/** 250 services, and 250 processes by hand. */
async function measureMany() {
  const services = {};
  for (let index = 0; index < 250; index += 1)
    services[`s${index}`] = { command: ['sleep', '3600'] };
  await inProject(services, {}, async ({ run, folder, oracle, env }) => {
    const byHand = await timedAsync(() => spawnByHand(250, folder, env, oracle));
    await endProcesses(oracle.everything);
    record('many: 250 processes by hand, ms', byHand);
    const start = timed(() => run(['start'], 0));
    record('many: start of 250 services, ms', start);
    record('many: start, ratio', start / byHand);
    record(
      'many: restart of one, ms',
      timed(() => run(['restart', 's100'], 0)),
    );
    record(
      'many: stop of 250 services, ms',
      timed(() => run(['stop'], 0)),
    );
  });
}

async function spawnByHand(count, cwd, env, oracle) {
  mkdirSync(path.join(cwd, 'by-hand'), { recursive: true });
  for (let index = 0; index < count; index += 1) {
    const log = openSync(path.join(cwd, 'by-hand', `${index}.log`), 'a');
    const stdio = ['ignore', log, log];
    spawn('sleep', ['3600'], { cwd, env, stdio, detached: true }).unref();
  }
  while (oracle.processes().length < count) await setTimeout(10);
}

async function inProject(services, more, measure) {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'devctl-extremes-')));
  const env = { ...process.env, ...more, DEVCTL_BENCH: folder };
  const groups = { group: Object.keys(services).filter((name) => name !== 'extra') };
  const { extra } = services;
  const manifest = { name: 'extremes', services, ...(extra ? { groups } : {}) };
  writeFileSync(path.join(folder, '.devctl.json'), JSON.stringify(manifest));
  writeFileSync(mark(), '');
  const oracle = openOracle({ folders: [folder], environment: [`DEVCTL_BENCH=${folder}`] });
  const run = (args, expected) => {
    const how = { cwd: folder, env, stdio: ['ignore', 'ignore', 'pipe'] };
    const { status, stderr } = spawnSync(process.execPath, [launcher, ...args], how);
    if (expected === null || status === expected) return;
    throw new Error(`${args.join(' ')}: exit code ${status}, not ${expected}\n${stderr}`);
  };
  try {
    await measure({ folder, env, oracle, run });
  } finally {
    rmSync(mark(), { force: true });
    await setTimeout(200);
    await endProcesses(oracle.everything);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

function lineages() {
  if (process.env.LINEAGES) return [process.env.LINEAGES, mark()];
  const zoo = path.join(root, 'fixtures', 'zoo');
  return ['perl', `-I${zoo}`, `-MZoo=${mark()}`, path.join(root, 'fixtures', 'lineages.pl')];
}

/** The storm ends when this file is gone. */
function mark() {
  return path.join(tmpdir(), `devctl-extremes-${process.pid}.mark`);
}

function supervisorOf(folder) {
  const record = readFileSync(path.join(folder, '.pids', 'supervisor.json'), 'utf8');
  return JSON.parse(record).identity;
}

/** Without a look at the whole machine: proc_tid_children(5), and field 3 of stat (proc_pid_stat(5)). */
function zombiesBelow(pid) {
  let count = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const list = readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8');
    for (const child of list.split(' ').filter(Boolean)) if (isZombie(child)) count += 1;
  }
  return count;
}

function isZombie(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2)[0] === 'Z';
  } catch {
    return false;
  }
}

function forksOfMachine() {
  return Number(/^processes (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8'))[1]);
}

/** proc_pid_schedstat(5) of all threads. */
function cpuMs(pid) {
  const read = (thread) => readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8');
  const threads = readdirSync(`/proc/${pid}/task`);
  return threads.reduce((sum, thread) => sum + Number(read(thread).split(' ')[0]) / 1e6, 0);
}

function timed(work) {
  const from = performance.now();
  work();
  return performance.now() - from;
}

async function timedAsync(work) {
  const from = performance.now();
  await work();
  return performance.now() - from;
}

function record(name, value) {
  figures.set(name, [...(figures.get(name) ?? []), value]);
}

function report() {
  const width = Math.max(...[...figures.keys()].map((name) => name.length));
  console.log(`${'median of'.padEnd(width)}  rounds     median       most`);
  for (const [name, values] of figures) {
    const cells = [quantile(values, 0.5), Math.max(...values)].map(shown);
    console.log([name.padEnd(width), String(values.length).padStart(6), ...cells].join('  '));
  }
}

function shown(value) {
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2).padStart(9);
}

function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}
