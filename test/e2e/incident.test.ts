import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { beforeAll, expect } from 'vitest';
import { cleanEnvironment } from '../support/clean-environment.ts';
import { devctlWith, startDevctl } from '../support/devctl.ts';
import { IMAGE, startEngine, whyNoEngine } from '../support/docker-engine.ts';
import { canBind, freePorts } from '../support/free-ports.ts';
import {
  copyIncident,
  incidentEnvironment,
  incidentPorts,
  installIncident,
} from '../support/incident.ts';
import { fullTest, test } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

/** A hundred processes of Node on two cores, and the first time an `npm ci`. */
const TIMEOUT_MS = 600_000;

// Before the first time it runs `npm ci`.
beforeAll(installIncident, TIMEOUT_MS);

async function incident() {
  const project = await temporaryProject();
  await copyIncident(project.root);
  const ports = await freePorts(2);
  const [orchestrator = 0, web = 0] = ports;
  project.write('.devctl.local.json', incidentPorts(orchestrator, web));
  return { project, ports };
}

/** Adds a container that the orchestrator needs. */
function withDatabase(project: TemporaryProject): void {
  const db = { image: IMAGE, init: true, command: ['sleep', '100000'], stop_grace_period: '1s' };
  project.write('compose.yaml', JSON.stringify({ version: '3.8', services: { db } }));
  const local = JSON.parse(readFileSync(project.file('.devctl.local.json'), 'utf8'));
  local.services.orchestrator.dependsOn = ['db'];
  local.containers = { command: 'docker-compose' };
  project.write('.devctl.local.json', JSON.stringify(local));
}

function run(project: TemporaryProject, ...args: readonly string[]) {
  return devctlWith(project, { env: incidentEnvironment() }, ...args);
}

/** Starts `npm test` as from another terminal: devctl did not start it, and no record knows it. */
function startStorm(project: TemporaryProject): void {
  mkdirSync(project.file('.logs'), { recursive: true });
  const log = openSync(project.file('.logs/npm-test.log'), 'w');
  // Through a shell that ends at once. Else this test, which runs devctl, would be above it.
  spawn('/bin/sh', ['-c', 'npm test &'], {
    cwd: project.root,
    env: { ...cleanEnvironment(), ...incidentEnvironment(), ...project.env },
    stdio: ['ignore', log, log],
    detached: true,
  });
}

/** Waits until there are so many processes. The storm lasts longer than that. */
async function waitForProcesses(project: TemporaryProject, count: number): Promise<void> {
  const seen = () => project.oracle.processes().length;
  // Two cores need long for a hundred processes of Node, so it waits while their number grows.
  for (let before = 0; seen() > before && seen() < count; ) {
    before = seen();
    await until(() => seen() >= count).catch(() => {});
  }
  expect(seen()).toBeGreaterThanOrEqual(count);
}

test(
  'one stop ends 80 processes and more, with a storm that devctl did not start',
  async () => {
    const { project, ports } = await incident();
    await using _project = project;
    const started = await run(project, 'start');
    expect(started.exitCode, started.stderr).toBe(0);
    startStorm(project);
    await waitForProcesses(project, 80);

    const { exitCode, stdout, stderr } = await run(project, 'stop', '--json');
    const left = project.oracle.processes().map(({ pid, argv }) => `${pid} ${argv.join(' ')}`);
    expect(left).toEqual([]);
    expect(exitCode, stderr).toBe(0);
    const report = JSON.parse(stdout);
    expect(report.survivors).toEqual([]);
    expect(report.processes.length).toBeGreaterThanOrEqual(80);
    for (const port of ports) expect(await canBind(port)).toBe(true);
  },
  TIMEOUT_MS,
);

fullTest(
  'start and stop again and again: no survivor, no "address already in use"',
  async () => {
    const { project, ports } = await incident();
    await using _project = project;
    for (let round = 1; round <= 3; round += 1) {
      const started = await run(project, 'start');
      expect(started.exitCode, `round ${round}: ${started.stderr}`).toBe(0);
      expect(started.stderr).not.toContain('EADDRINUSE');
      expect(await run(project, 'status')).toMatchObject({ exitCode: 0 });
      const stopped = await run(project, 'stop');
      expect(stopped.exitCode, `round ${round}: ${stopped.stderr}`).toBe(0);
      expect(project.oracle.everything()).toEqual([]);
      for (const port of ports) expect(await canBind(port)).toBe(true);
    }
  },
  TIMEOUT_MS,
);

test(
  'devctl run -- npm test: the storm of the incident is contained from its birth and leaves nothing',
  async () => {
    const { project } = await incident();
    await using _project = project;
    const env = incidentEnvironment();
    const storm = startDevctl(project, { env }, 'run', '--json', '--', 'npm', 'test');
    await until(() => project.oracle.processes().length > 0);
    await waitForProcesses(project, 20);
    storm.kill('SIGTERM');
    const { exitCode, stderr } = await storm;
    const left = project.oracle.processes().map(({ pid, argv }) => `${pid} ${argv.join(' ')}`);
    expect(left).toEqual([]);
    expect([0, 1, 143], stderr).toContain(exitCode);
    const { survivors, stop } = JSON.parse(stderr.trimEnd().split('\n').at(-1) ?? '');
    expect(survivors).toEqual([]);
    expect(stop.processes.length).toBeGreaterThanOrEqual(20);
  },
  TIMEOUT_MS,
);

fullTest(
  'the validation checklist of the founding plan, in its order',
  async () => {
    await using engine = whyNoEngine() === null ? await startEngine() : null;
    const { project, ports } = await incident();
    await using _project = project;
    const env = { ...incidentEnvironment(), ...engine?.env };
    const run = (one: TemporaryProject, ...args: readonly string[]) =>
      devctlWith(one, { env }, ...args);
    if (engine) withDatabase(project);
    const linesOf = (name: string) =>
      readFileSync(project.file(`.pids/${name}`), 'utf8')
        .trimEnd()
        .split('\n')
        .sort();

    // 1. start creates all services successfully.
    const started = await run(project, 'start');
    expect(started.exitCode, started.stderr).toBe(0);

    // 2. All 6+ services are running and healthy.
    const status = await run(project, 'status', '--json');
    expect(status.exitCode, status.stdout).toBe(0);
    const { services, breaches, healthy } = JSON.parse(status.stdout);
    expect(healthy).toBe(true);
    expect(services).toHaveLength(7);
    expect(engine?.containers() ?? [{}]).toHaveLength(1);
    expect(services.map(({ state }: { state: string }) => state)).toEqual(Array(7).fill('ready'));

    // 3. ps shows services in isolated process groups.
    const leaders: readonly number[] = services.map(({ pid }: { pid: number }) => pid);
    const columns = ['-o', 'pid=,pgid=,sid=', '-p', leaders.join()];
    const groups = execFileSync('ps', columns, { encoding: 'utf8' }).trimEnd().split('\n');
    expect(groups.map((line) => new Set(line.trim().split(/\s+/)).size)).toEqual(Array(7).fill(1));

    // 4. services.pids contains all PIDs, and the files beside it their groups and names.
    const named = (prefix: string) =>
      services.map(({ name, pid }: { name: string; pid: number }) => `${prefix}${name}:${pid}`);
    expect(linesOf('services.pids')).toEqual(leaders.map(String).sort());
    expect(linesOf('services.pids.groups')).toEqual(named('PGID:').sort());
    expect(linesOf('services.pids.services')).toEqual(named('').sort());

    // 9. Resource usage stays below limits, while it can be seen.
    expect(breaches).toEqual([]);
    const usage = services.map(({ processes }: { processes: number }) => processes);
    expect(usage.reduce((sum: number, count: number) => sum + count)).toBeLessThan(100);

    // 5. stop kills all processes gracefully.
    const stopped = await run(project, 'stop', '--json');
    expect(stopped.exitCode, stopped.stderr).toBe(0);
    const report = JSON.parse(stopped.stdout);
    const killed = report.processes.filter(({ signals }: { signals: readonly string[] }) =>
      signals.includes('SIGKILL'),
    );
    expect(killed).toEqual([]);

    // 6. No orphaned processes remain.
    expect(project.oracle.everything()).toEqual([]);
    expect(engine?.containers() ?? []).toEqual([]);

    // 7. Can restart services without interference.
    const again = await run(project, 'start');
    expect(again.exitCode, again.stderr).toBe(0);
    expect(await run(project, 'status')).toMatchObject({ exitCode: 0 });

    // 8. No "Address already in use" errors.
    const inUse = await run(project, 'logs', '--grep', 'EADDRINUSE|address already in use', '-i');
    expect(inUse).toMatchObject({ exitCode: 0, stdout: '' });

    // 10. Emergency cleanup works when needed: beside a storm, without supervisor, records and manifest.
    startStorm(project);
    await waitForProcesses(project, 60);
    const supervisor = JSON.parse((await run(project, 'status', '--json')).stdout).supervisor.pid;
    process.kill(supervisor, 'SIGKILL');
    rmSync(project.file('.pids'), { recursive: true });
    rmSync(project.file('.devctl.json'));
    const forced = await run(project, 'stop', '--force', '--json');
    expect(forced.exitCode, forced.stderr).toBe(0);
    expect(JSON.parse(forced.stdout).survivors).toEqual([]);
    const left = project.oracle.processes().map(({ pid, argv }) => `${pid} ${argv.join(' ')}`);
    expect(left).toEqual([]);
    expect(engine?.containers() ?? []).toEqual([]);
    for (const port of ports) expect(await canBind(port)).toBe(true);
  },
  TIMEOUT_MS,
);
