import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { guardCookie } from '../../src/ownership/cookie.ts';
import { markOfPath } from '../../src/project/names.ts';
import type { StopReport } from '../../src/stopping/report.ts';
import { devctlWith } from '../support/devctl.ts';
import { marksOf } from '../support/marks.ts';
import { repositoryRoot } from '../support/paths.ts';
import { parseReport } from '../support/reports.ts';
import {
  guardsOf,
  hasSubreaper,
  killAtOnce,
  removeAll,
  service,
  signalSupervisor,
  supervisorsOf,
} from '../support/services.ts';
import { eachModeIf, fullTest, test } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

const CLI = join(repositoryRoot, 'bin', 'devctl.js');
/** No control groups, because a control group would contain everything by itself. */
const NO_GROUPS = { env: { DEVCTL_CGROUP: 'off' } };
/** A complete proof. A failure shows what the proof lacks. */
const COMPLETE = { strength: 'complete', why: null };
/** A daemon that only its parent gives away: it has no log, no folder and no environment. */
const bare = service('double-fork', ['--empty-env']);

const run = (project: TemporaryProject, ...args: readonly string[]) =>
  devctlWith(project, NO_GROUPS, ...args);

async function started(services: object): Promise<TemporaryProject> {
  const project = await temporaryProject({ services });
  const { exitCode, stderr } = await run(project, 'start');
  expect(exitCode, stderr).toBe(0);
  expect(guardsOf(project).length).toBe(1);
  return project;
}

async function stopped(project: TemporaryProject, ...args: readonly string[]): Promise<StopReport> {
  const { exitCode, stdout, stderr } = await run(project, 'stop', '--json', ...args);
  expect(exitCode, stdout + stderr).toBe(0);
  expect(project.oracle.everything()).toEqual([]);
  return JSON.parse(stdout);
}

async function killGuard(project: TemporaryProject): Promise<void> {
  for (const guard of guardsOf(project)) await killAtOnce(guard);
}

eachModeIf(hasSubreaper)([[[]], [['--force']]])(
  'the services of a killed supervisor are below its guard: stop %j',
  async (args) => {
    await using project = await started({ bare });
    await signalSupervisor(project, 'SIGKILL');
    const [pid = 0] = guardsOf(project).map((guard) => guard.pid);
    const dry = await run(project, 'stop', '--dry-run', ...args);
    expect(dry.stdout).toMatch(`then the guard (pid ${pid})\n`);
    const report = await stopped(project, ...args);
    expect(report.guards).toEqual([pid]);
    expect(report.proof).toMatchObject(COMPLETE);
    expect(report.capabilities.subreaper).toEqual({ held: true, why: null });
    const evidence = report.processes.flatMap((one) => one.evidence.map(({ detail }) => detail));
    expect(evidence).toContainEqual(expect.stringMatching(/^child of the guard \(pid \d+\)$/));
  },
);

fullTest.runIf(hasSubreaper)(
  'the services of a killed supervisor are below its guard, also when its records are lost',
  async () => {
    await using project = await started({ bare });
    await signalSupervisor(project, 'SIGKILL');
    await removeAll(project.file('.pids'));
    expect((await stopped(project)).proof.strength).toBe('best-effort');
  },
);

fullTest.runIf(hasSubreaper)(
  'each killed supervisor leaves its services to its guard, one after the other',
  async () => {
    await using project = await started({ bare });
    for (let round = 0; round < 3; round += 1) {
      await signalSupervisor(project, 'SIGKILL');
      expect(await run(project, 'start')).toMatchObject({ exitCode: 0 });
      // The first guard keeps the daemon, and the last guard the supervisor.
      await until(() => guardsOf(project).length === 2);
    }
    expect((await stopped(project)).proof).toMatchObject(COMPLETE);
  },
);

fullTest.runIf(hasSubreaper)(
  'a guard that keeps nothing any more is ended by the next start',
  async () => {
    await using project = await started({ bare, web: service('sleeper') });
    await signalSupervisor(project, 'SIGKILL');
    const [first] = guardsOf(project);
    expect(await run(project, 'start')).toMatchObject({ exitCode: 0 });
    expect(await run(project, 'stop', 'bare', 'web')).toMatchObject({ exitCode: 0 });
    expect(await run(project, 'start', 'web')).toMatchObject({ exitCode: 0 });
    await until(() => guardsOf(project).every(({ pid }) => pid !== first?.pid));
    expect(supervisorsOf(project).length).toBe(1);
    await stopped(project);
  },
);

fullTest.runIf(hasSubreaper)(
  'of two guards, one below the other, the inner one is asked and ended first',
  async () => {
    await using project = await temporaryProject();
    const command = `until [ -e go ]; do sleep 0.05; done; ${process.execPath} ${CLI} start late; sleep 100`;
    const services = { outer: { command }, late: { ...bare, autostart: false } };
    project.write('.devctl.json', JSON.stringify({ services }));
    expect(await run(project, 'start')).toMatchObject({ exitCode: 0 });
    await signalSupervisor(project, 'SIGKILL');
    const [outer] = guardsOf(project);
    project.write('go', '');
    await until(() => guardsOf(project).some(({ ppid }) => ppid === outer?.pid));
    await until(() => existsSync(project.file('.pids/services/late.json')));
    await signalSupervisor(project, 'SIGKILL');
    const { proof } = await stopped(project);
    // The proof is best effort, because the second supervisor had not seen the first run begin.
    expect(proof.why ?? '').not.toContain('child');
  },
);

fullTest.runIf(hasSubreaper)(
  'a guard above the supervisor that carries out the stop reports no child that is left',
  async () => {
    await using project = await temporaryProject();
    const wait = (file: string) => `until [ -e ${file} ]; do sleep 0.05; done`;
    const devctl = `${process.execPath} ${CLI}`;
    const command = `${wait('go')}; ${devctl} start late; ${wait('end')}; ${devctl} stop; sleep 100`;
    const services = { outer: { command }, late: { ...service('sleeper'), autostart: false } };
    project.write('.devctl.json', JSON.stringify({ services }));
    expect(await run(project, 'start')).toMatchObject({ exitCode: 0 });
    await signalSupervisor(project, 'SIGKILL');
    const [outer] = guardsOf(project);
    project.write('go', '');
    await until(() => guardsOf(project).some(({ ppid }) => ppid === outer?.pid));
    await until(() => existsSync(project.file('.pids/services/late.json')));
    project.write('end', '');
    await until(() => project.oracle.everything().length === 0);
    const last = readFileSync(project.file('.pids/last-stop.json'), 'utf8');
    const { guards, proof }: StopReport = JSON.parse(last);
    expect(guards.length).toBe(2);
    expect(proof.strength).toBe('best-effort');
    expect(proof.why).not.toContain('child');
  },
);

test.runIf(hasSubreaper)('a guard that is just starting is left alone', async () => {
  await using project = await started({ web: service('sleeper') });
  const begin = (file: string, ...args: readonly string[]) => {
    const cookie = guardCookie(marksOf(markOfPath(project.root)));
    return spawn(file, args, { env: { ...process.env, ...project.env, ...cookie } });
  };
  const coming = begin(process.execPath, '-e', 'setInterval(() => {}, 1000)');
  const idle = begin('sleep', '2147483647');
  await once(idle, 'exit');
  expect(coming).toMatchObject({ exitCode: null, signalCode: null });
  await stopped(project);
});

fullTest.runIf(hasSubreaper)(
  'a guard ends with a supervisor that has nothing more to do',
  async () => {
    await using project = await started({ web: service('sleeper') });
    for (const one of project.oracle.processes()) await killAtOnce(one);
    await until(() => project.oracle.everything().length === 0);
  },
);

test.runIf(hasSubreaper)(
  'a guard outlives a supervisor that ends before its services',
  async () => {
    await using project = await started({ bare });
    await signalSupervisor(project, 'SIGTERM');
    await until(() => supervisorsOf(project).length === 0);
    expect(guardsOf(project).length).toBe(1);
    expect((await stopped(project)).proof).toMatchObject(COMPLETE);
  },
);

fullTest.runIf(hasSubreaper)(
  'without a guard, the supervisor contains everything itself',
  async () => {
    await using project = await started({ bare });
    await killGuard(project);
    expect(await run(project, 'status')).toMatchObject({ exitCode: 0 });
    expect((await stopped(project)).proof).toMatchObject(COMPLETE);
  },
);

fullTest.runIf(hasSubreaper)(
  'without a guard and a supervisor, the proof is best effort',
  async () => {
    await using project = await started({ web: service('sleeper') });
    await killGuard(project);
    await signalSupervisor(project, 'SIGKILL');
    const { proof } = await stopped(project);
    expect(proof).toMatchObject({ strength: 'best-effort' });
    expect(proof.why).toContain('the supervisor that started web had died');
  },
);

test.runIf(hasSubreaper)('a supervisor that cannot start leaves no guard', async () => {
  await using project = await temporaryProject({ services: { web: service('sleeper') } });
  const preload = project.write(
    'preload.cjs',
    "if (process.argv[1]?.endsWith('/supervisor/main.js')) process.exit(7);",
  );
  const env = { ...NO_GROUPS.env, NODE_OPTIONS: `--require=${preload}` };
  const { exitCode, stderr } = await devctlWith(project, { env }, 'start');
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 1 });
  expect(stderr).toContain('the supervisor ended at once');
  await until(() => project.oracle.everything().length === 0);
});

fullTest.runIf(hasSubreaper)(
  'start goes on without a guard that takes too long, and ends it',
  async () => {
    await using project = await temporaryProject({ services: { web: service('sleeper') } });
    const preload = project.write(
      'preload.cjs',
      // Perl would be the guard at once, so the command that starts it does not see Perl.
      `const fs = require('node:fs');
    const { accessSync } = fs;
    fs.accessSync = (path, mode) => accessSync(path === '/usr/bin/perl' ? '/no/perl' : path, mode);
    if (process.argv[1]?.endsWith('/guard.cjs')) {
      const { readFileSync } = fs;
      const given = () => readFileSync('.pids/supervisor.log', 'utf8').includes('no guard');
      const pause = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
      process.chdir = () => { while (!given()) pause(); };
    }`,
    );
    const env = { ...NO_GROUPS.env, NODE_OPTIONS: `--require=${preload}` };
    const { exitCode, stderr } = await devctlWith(project, { env }, 'start');
    expect(exitCode, stderr).toBe(0);
    const isThere = () =>
      project.oracle
        .everything()
        .some(({ argv }) => /guard\.cjs|devctl-guard/.test(argv.join(' ')));
    await until(() => !isThere());
    const log = readFileSync(project.file('.pids/supervisor.log'), 'utf8');
    expect(log).toContain('there is no guard: it has not answered within 5 s');
    expect((await stopped(project)).proof).toMatchObject(COMPLETE);
  },
);

/** Starts a supervisor as `start` does, and waits until it is up. */
const LATE_SUPERVISOR = `
  const { spawn } = require('node:child_process');
  const [script, root, cookie] = process.argv.slice(2);
  const child = spawn(process.execPath, [script, root, root + '/.pids'], {
    cwd: root,
    env: { ...process.env, ...JSON.parse(cookie) },
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  child.stdio[3].once('data', (said) => {
    process.stdout.write(said);
    process.exit();
  });`;

fullTest.runIf(hasSubreaper)(
  'a supervisor that comes up while a stop asks the guards is ended as well',
  async () => {
    await using project = await started({ web: service('sleeper') });
    const late = project.write('late.cjs', LATE_SUPERVISOR);
    const guard = join(repositoryRoot, 'dist', 'supervisor', 'guard.cjs');
    const cookie = JSON.stringify(guardCookie(marksOf(markOfPath(project.root))));
    const words = JSON.stringify([late, guard, project.root, cookie]);
    const preload = project.write(
      'preload.cjs',
      `const fs = require('node:fs');
    const { openSync } = fs;
    fs.openSync = (path, ...rest) => {
      if (String(path).endsWith('/children')) {
        fs.openSync = openSync;
        const { NODE_OPTIONS, ...env } = process.env;
        const { execFileSync } = require('node:child_process');
        const said = execFileSync(process.execPath, ${words}, { env });
        fs.writeFileSync('late', said);
      }
      return openSync(path, ...rest);
    };`,
    );
    const env = { ...NO_GROUPS.env, NODE_OPTIONS: `--require=${preload}` };
    const result = await devctlWith(project, { env }, 'stop', '--json');
    const { exitCode, report, stderr } = parseReport<StopReport>(result);
    expect(exitCode, stderr).toBe(0);
    expect(readFileSync(project.file('late'), 'utf8')).toBe('ready\n');
    expect(project.oracle.everything()).toEqual([]);
    // It looked again because of the late supervisor, and reports everything as one stop from its beginning on.
    const [web] = report.processes;
    expect(web).toMatchObject({ service: 'web', endedBy: 'SIGTERM' });
    expect(web?.endedAfterMs).toBeGreaterThan(0);
    expect(report.services).toMatchObject([{ name: 'web', outcome: 'stopped', processes: 1 }]);
  },
);

fullTest.runIf(hasSubreaper).each([[false], [true]])(
  'a project below ours that has its own guard is no reason to spare our processes (supervisor killed: %s)',
  async (isKilled) => {
    await using inner = await temporaryProject({ services: { web: service('sleeper') } });
    const command = `${process.execPath} ${CLI} start --config ${inner.file('.devctl.json')} && echo started; sleep 120`;
    const shell = { command, env: { ...inner.env }, ready: { log: '^started$' } };
    await using outer = await temporaryProject({ services: { bare, shell } });
    const { exitCode, stderr } = await run(outer, 'start');
    expect(exitCode, stderr).toBe(0);
    const ofOuter = () =>
      outer.oracle.processes().filter(({ files }) => files.includes(outer.marker));
    expect(ofOuter().length).toBeGreaterThan(0);
    if (isKilled) {
      const pid = JSON.parse(readFileSync(outer.file('.pids/supervisor.json'), 'utf8')).identity
        .pid;
      const [own] = supervisorsOf(outer).filter((one) => one.pid === pid);
      if (own) await killAtOnce(own);
    }
    expect(await run(outer, 'stop')).toMatchObject({ exitCode: 0 });
    expect(ofOuter()).toEqual([]);
    const nested = inner.oracle.processes().filter(({ files }) => files.includes(inner.marker));
    expect(nested.length).toBe(1);
    expect(await run(inner, 'stop')).toMatchObject({ exitCode: 0 });
    await until(() => outer.oracle.everything().length + inner.oracle.everything().length === 0);
  },
);

fullTest.runIf(hasSubreaper)(
  'a guard works in the project folder, and keeps no file in use',
  async () => {
    await using project = await started({ web: service('sleeper') });
    const [guard] = guardsOf(project);
    const [supervisor] = supervisorsOf(project);
    expect(supervisor?.sid).toBe(supervisor?.pid);
    expect(supervisor?.ppid).toBe(guard?.pid);
    expect(guard?.files.filter((file) => file.startsWith(project.root))).toEqual([project.root]);
    await stopped(project);
  },
);
