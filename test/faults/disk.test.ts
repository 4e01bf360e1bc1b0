import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { expect } from 'vitest';
import { bystander } from '../support/bystander.ts';
import { cleanEnvironment } from '../support/clean-environment.ts';
import { hasControlGroups, ownControlGroup } from '../support/control-groups.ts';
import { type DevctlResult, devctl } from '../support/devctl.ts';
import { statusReport, stopReport } from '../support/reports.ts';
import { service } from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { canMount, smallDisk } from '../support/small-disk.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';
import { asUser, installFor, NOBODY } from '../support/zoo/user.ts';

const isRoot = process.geteuid?.() === 0;
const STACK = /\n\s+at |TypeError|RangeError|SyntaxError/;

fullTest.runIf(canMount)(
  'all commands work with records on another file system, and say plainly when it is full',
  async () => {
    await using project = await temporaryProject({
      services: { web: service('own-session'), db: service('fan', ['1']) },
    });
    await using stranger = await bystander('node server.js', project.root);
    const own = () => project.oracle.everything().filter(({ pid }) => pid !== stranger.pid);
    using disk = smallDisk(project.file('.pids'));
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    expect(await devctl(project, 'status')).toMatchObject({ exitCode: 0 });
    expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
    expect(own()).toEqual([]);

    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    disk.fill();
    const status = await statusReport(project);
    expect(status, status.stderr).toMatchObject({ exitCode: 0 });
    const stop = await stopReport(project);
    expect(stop.stderr).not.toMatch(STACK);
    expect(stop.exitCode, JSON.stringify(stop.report.problems)).toBe(0);
    expect(stop.report.problems.join('\n')).toMatch(/ENOSPC|the disk is full/);
    expect(own()).toEqual([]);
    expect(readdirSync(project.file('.pids/services'))).toEqual([]);

    disk.fill();
    const again = await devctl(project, 'start');
    expect(again).toMatchObject({ exitCode: 1 });
    expect(again.stderr).toMatch(/ENOSPC|the disk is full/);
    expect(again.stderr).not.toMatch(STACK);
    expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
    expect(own()).toEqual([]);
    expect(stranger.alive()).toBe(true);
  },
);

fullTest(
  'with read-only records, status and stop work and start says why it does not',
  async () => {
    const loop = 'sleep 100';
    const web = `exec 9<.marker; setsid sh -c '${loop} &'; ${loop}`;
    await using project = await temporaryProject({ services: { web: { command: web } } });
    await using installed = await temporaryProject();
    chmodSync(installed.root, 0o755);
    const uid = isRoot ? NOBODY : null;
    const { program } = installFor(uid, installed.root);
    const runtime = project.file('run');
    mkdirSync(runtime, { mode: 0o700 });
    if (isRoot) execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, project.root]);
    const run = async (...args: readonly string[]): Promise<DevctlResult> => {
      const [file, ...rest] = asUser(uid, null, [process.execPath, program, ...args]);
      const env = { ...cleanEnvironment(), ...project.env, XDG_RUNTIME_DIR: runtime };
      const options = { cwd: project.root, env, extendEnv: false, reject: false } as const;
      const {
        exitCode = -1,
        stdout,
        stderr,
      } = await execa(file, rest, { ...options, stdin: 'ignore' });
      return { exitCode, stdout, stderr };
    };
    const folders = ['.pids/services', '.pids/ledger', '.pids/stdin', '.pids'].map(project.file);
    const close = (): void => folders.forEach((folder) => void chmodSync(folder, 0o500));
    const open = (): void => folders.forEach((folder) => void chmodSync(folder, 0o700));
    const services = () =>
      project.oracle.processes().filter(({ argv }) => argv[0] === 'sleep' || argv[0] === '/bin/sh');

    const first = await run('start');
    expect(first.exitCode, first.stderr).toBe(0);
    await until(() => services().length === 3);
    close();
    const status = await run('status');
    expect(status.exitCode, status.stderr).toBe(0);
    const stop = await run('stop', '--json');
    expect(stop.exitCode, stop.stderr + stop.stdout).toBe(0);
    expect(stop.stderr).not.toMatch(STACK);
    expect(JSON.parse(stop.stdout).problems.join('\n')).toMatch(/\.pids.*(EACCES|EROFS)/);
    expect(services()).toEqual([]);
    const again = await run('start');
    expect(again.exitCode).toBe(1);
    expect(again.stderr).toMatch(/cannot write .*\.pids.*EACCES/);
    expect(again.stderr).not.toMatch(STACK);
    expect(services()).toEqual([]);

    open();
    expect(await run('start')).toMatchObject({ exitCode: 0 });
    close();
    expect(await run('stop', '--force')).toMatchObject({ exitCode: 0 });
    expect(services()).toEqual([]);
    open();
    expect(await run('status')).toMatchObject({ exitCode: 3 });
    expect(await run('stop')).toMatchObject({ exitCode: 0 });
    expect(readdirSync(project.file('.pids/services'))).toEqual([]);
  },
);

test.runIf(hasControlGroups)('a record cannot claim a control group that is not ours', async () => {
  const foreign = join(ownControlGroup() ?? '', `devctl-test-foreign-${process.pid}`);
  mkdirSync(join(foreign, 'inner'), { recursive: true });
  try {
    await using project: TemporaryProject = await temporaryProject({
      services: { web: service('own-session') },
    });
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    const path = project.file('.pids/services/web.json');
    const record = JSON.parse(readFileSync(path, 'utf8'));
    expect(record.cgroup).toMatchObject({ held: true });
    expect(dirname(record.cgroup.path)).not.toBe(foreign);
    const text = JSON.stringify({ ...record, cgroup: { path: foreign, held: true } });
    project.write('.pids/services/web.json', text);
    const { exitCode } = await stopReport(project);
    expect(exitCode).toBe(0);
    expect(project.oracle.everything()).toEqual([]);
    expect(readdirSync(foreign)).toContain('inner');
  } finally {
    rmdirSync(join(foreign, 'inner'));
    rmdirSync(foreign);
  }
});
