import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { serviceCookie } from '../../src/ownership/cookie.ts';
import type { SweepReport } from '../../src/stopping/report.ts';
import { bystander } from '../support/bystander.ts';
import { cleanEnvironment } from '../support/clean-environment.ts';
import { devctl, devctlWith } from '../support/devctl.ts';
import { marksOf } from '../support/marks.ts';
import { fixture } from '../support/paths.ts';
import { parseReport, statusReport } from '../support/reports.ts';
import { service } from '../support/services.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

async function swept(project: TemporaryProject, ...args: readonly string[]) {
  return parseReport<SweepReport>(await devctl(project, 'sweep', '--json', ...args));
}

/**
 * Starts a program of `fixtures/` as from another terminal: no process above it is above devctl too. Its output goes
 * into the file `said-NAME`.
 */
function startApart(cwd: string, name: string, args: readonly string[], env: object = {}): void {
  const [command = '', ...words] = fixture(name, ...args);
  spawn('/bin/sh', ['-c', `"$0" "$@" >said-${name} &`, command, ...words], {
    cwd,
    env: { ...cleanEnvironment(), ...env },
    stdio: 'ignore',
    detached: true,
  });
}

test('sweep asks and then kills programs that match; services and bystanders are left alone', async () => {
  await using project = await temporaryProject({
    services: {
      web: { command: fixture('bystander', 'npm', 'run', 'dev') },
      api: service('fan', ['1']),
    },
    sweep: { patterns: ['stubborn\\.mjs'], protect: ['precious'] },
  });
  await using elsewhere = await temporaryProject();
  const announced = /^stop also ends dev tools started by hand here; off: "sweep": .*"off"/m;
  const start = await devctl(project, 'start');
  expect(start).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(announced) });
  const twice = await devctl(project, 'start');
  expect(twice).toMatchObject({ exitCode: 0, stdout: expect.not.stringMatching(announced) });
  // It changes its name a moment after its start.
  const { pid: web } = await until(() =>
    project.oracle.processes().find(({ argv }) => argv[0] === 'npm run dev'),
  );
  const services = project.oracle.processes().map(({ pid }) => pid);
  expect(services.length).toBe(3);
  project.write('nested/.devctl.json', '{}');
  await using polite = await bystander('npm test', project.root);
  await using editor = await bystander('vim node_modules/.bin/vite', project.root);
  await using spared = await bystander('node vite precious', project.root);
  await using outside = await bystander('npm run dev', elsewhere.root);
  await using build = await bystander('node node_modules/.bin/vite build', project.root);
  await using nested = await bystander('npm test', project.file('nested'));
  startApart(project.root, 'stubborn', ['1'], project.env);
  const foreign = {
    DEVCTL_TEST_BYSTANDER: '1',
    ...serviceCookie(marksOf('other-0123'), 'web', 'r1'),
  };
  startApart(project.root, 'bystander', ['node', 'vitest'], foreign);
  const find = (line: string) =>
    project.oracle.everything().find(({ argv }) => argv.join(' ').startsWith(line));
  const cookied = await until(() => find('node vitest'));
  const stubborn = () => project.oracle.processes().filter(({ pid }) => !services.includes(pid));
  await until(() => readFileSync(project.file('said-stubborn'), 'utf8') === 'ready\n');
  // The shell that starts them counts until it has ended.
  await until(() => stubborn().length === 2);

  const dry = await swept(project, '--dry-run');
  expect(dry.exitCode).toBe(0);
  expect(dry.report).toMatchObject({ version: 1, kind: 'sweep-dry-run', survivors: [] });
  const planned = dry.report.processes.map(({ pid }) => pid);
  const wanted = [polite.pid, ...stubborn().map(({ pid }) => pid)];
  expect(planned).toEqual(wanted.sort((a, b) => a - b));
  const reasons = new Map(dry.report.spared.map(({ pid, veto, why }) => [pid, `${veto}: ${why}`]));
  expect(reasons.get(web)).toBe(
    'owned: belongs to the service web: npx --no-install devctl stop ends it',
  );
  expect(reasons.get(spared.pid)).toBe('protected: matches sweep.protect precious');
  expect(reasons.get(build.pid)).toBe('runs-once: it builds or runs once');
  expect(reasons.get(outside.pid)).toContain('outside-project: works in');
  expect(reasons.get(nested.pid)).toContain('a project of its own');
  expect(reasons.get(cookied.pid)).toContain(
    'other-project: it carries the mark of another project',
  );
  expect(polite.alive()).toBe(true);

  const { exitCode, report } = await swept(project);
  expect(exitCode).toBe(0);
  expect(report.processes.map(({ endedBy }) => endedBy).sort()).toEqual([
    'SIGKILL',
    'SIGKILL',
    'SIGTERM',
  ]);
  expect(report.survivors).toEqual([]);
  expect(polite.alive()).toBe(false);
  const innocent = [editor, spared, outside, nested, build].map((one) => one.alive());
  expect(innocent).toEqual([true, true, true, true, true]);
  expect(find('node vitest')?.pid).toBe(cookied.pid);
  expect(project.oracle.processes().map(({ pid }) => pid)).toEqual(services);
  expect(await statusReport(project)).toMatchObject({ exitCode: 0 });

  const again = await devctl(project, 'sweep');
  expect(again.exitCode).toBe(0);
  expect(again.stdout).toMatch(/^nothing to sweep in .*$/m);
  expect(again.stdout).toMatch(
    /^ *\d+ +belongs to the service web: npx --no-install devctl stop ends it +npm run dev$/m,
  );
});

test('"scope": "off" is for the sweep of stop only: devctl sweep sweeps', async () => {
  await using project = await temporaryProject({
    services: { web: service('sleeper') },
    sweep: { scope: 'off' },
  });
  await using leftover = await bystander('npm test', project.root);
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
  expect(leftover.alive()).toBe(true);
  const { exitCode, stdout } = await devctl(project, 'sweep');
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^✓ ended 1 process in .*$/m);
  expect(leftover.alive()).toBe(false);
});

test('sweep refuses where it cannot know what to spare; without a manifest it takes the folder', async () => {
  await using folder = await temporaryProject('{ "sweep": { "protect": ["npm"] }');
  await using leftover = await bystander('npm test', folder.root);
  const broken = await devctl(folder, 'sweep');
  expect(broken).toMatchObject({ exitCode: 2, stdout: '' });
  expect(broken.stderr).toContain('what the manifest protects cannot be read: .devctl.json:1');

  rmSync(folder.file('.devctl.json'));
  const home = await devctlWith(folder, { env: { HOME: `${folder.root}/me` } }, 'sweep');
  expect(home).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('home folder') });
  expect(leftover.alive()).toBe(true);

  expect(await devctl(folder, 'sweep')).toMatchObject({ exitCode: 0 });
  expect(leftover.alive()).toBe(false);
});
