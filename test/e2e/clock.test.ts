import { spawn } from 'node:child_process';
import { existsSync, readdirSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { StatusReport } from '../../src/operations/status/report.ts';
import type { StopReport } from '../../src/stopping/report.ts';
import { bystander } from '../support/bystander.ts';
import { cleanEnvironment } from '../support/clean-environment.ts';
import { devctlWith } from '../support/devctl.ts';
import { fixture, repositoryRoot } from '../support/paths.ts';
import { parseReport, stopReport } from '../support/reports.ts';
import { hasSubreaper, service, signalSupervisor } from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

const DAY_MS = 86_400_000;
const preload = join(repositoryRoot, 'fixtures', 'shifted-clock.cjs');

/** Runs devctl with a clock that is set by this time. */
function devctlAt(shiftMs: number, project: TemporaryProject, ...args: readonly string[]) {
  const env = { NODE_OPTIONS: `--require ${preload}`, CLOCK_SHIFT_MS: String(shiftMs) };
  return devctlWith(project, { env }, ...args);
}

/** Gives all records another time, as if the clock had been set since they were written. */
function moveRecords(project: TemporaryProject, byMs: number): void {
  const at = (Date.now() + byMs) / 1000;
  for (const folder of ['.pids', '.pids/services', '.pids/ledger']) {
    for (const name of readdirSync(project.file(folder))) {
      utimesSync(project.file(`${folder}/${name}`), at, at);
    }
  }
}

// The portable table has start times of the wall clock: docs/limits.md.
fullTest.runIf(process.env.DEVCTL_PROCESS_TABLE !== 'portable').each([
  ['back', DAY_MS, -DAY_MS],
  ['forward', -DAY_MS, DAY_MS],
])('stop works when the clock is set %s after the start', async (_how, before, after) => {
  const services = {
    web: service('own-session'),
    db: service('fan', ['1'], { dependsOn: ['web'] }),
  };
  await using project = await temporaryProject({ services });
  await using neighbour = await bystander('node server.js', project.root);
  expect(await devctlAt(before, project, 'start')).toMatchObject({ exitCode: 0 });
  moveRecords(project, before - after);
  const status = parseReport<StatusReport>(await devctlAt(after, project, 'status', '--json'));
  expect(status.exitCode, status.stderr).toBe(0);
  expect(status.report).toMatchObject({ healthy: true, problems: [], stale: [], orphans: [] });
  for (const { uptimeMs } of status.report.services) expect(uptimeMs).toBeLessThan(DAY_MS / 24);
  expect(await devctlAt(after, project, 'start')).toMatchObject({ exitCode: 0 });
  expect(project.oracle.processes().length).toBe(4);

  const { exitCode, report, stderr } = parseReport<StopReport>(
    await devctlAt(after, project, 'stop', '--json'),
  );
  expect(exitCode, stderr).toBe(0);
  expect(report).toMatchObject({ problems: [], survivors: [] });
  expect(report.tookMs).toBeLessThan(DAY_MS / 24);
  if (hasSubreaper) expect(report.proof.strength).toBe('complete');
  expect(project.oracle.processes()).toEqual([]);

  // The same without a supervisor that remembers.
  expect(await devctlAt(before, project, 'start', 'db')).toMatchObject({ exitCode: 0 });
  await signalSupervisor(project, 'SIGKILL');
  moveRecords(project, before - after);
  expect(await devctlAt(after, project, 'start', 'db')).toMatchObject({ exitCode: 0 });
  expect(await devctlAt(before, project, 'stop')).toMatchObject({ exitCode: 0 });
  expect(project.oracle.processes()).toEqual([]);
  expect(neighbour.alive()).toBe(true);
});

test('files of an old start-dev.sh that lie in the future end no process, and stay', async () => {
  await using project = await temporaryProject({ services: { web: service('sleeper') } });
  const [command = '', ...args] = fixture('sleeper');
  const env = { ...cleanEnvironment(), ...project.env };
  const old = spawn(command, args, { cwd: project.root, env, stdio: 'ignore', detached: true });
  await until(() => project.oracle.processes().length === 1);
  const path = project.write('.pids/services.pids', `${old.pid}\n`);
  const tomorrow = (Date.now() + DAY_MS) / 1000;
  utimesSync(path, tomorrow, tomorrow);

  const spared = await stopReport(project);
  expect(spared.exitCode).toBe(0);
  expect(spared.report.problems.join('\n')).toContain('written in the future');
  expect(project.oracle.processes().length).toBe(1);
  utimesSync(path, new Date(), new Date());
  expect(await stopReport(project)).toMatchObject({ exitCode: 0, report: { problems: [] } });
  expect(project.oracle.processes()).toEqual([]);
  expect(existsSync(path)).toBe(false);
});
