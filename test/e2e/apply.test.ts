import { renameSync } from 'node:fs';
import { expect } from 'vitest';
import { devctl, devctlWith, startDevctl } from '../support/devctl.ts';
import { fixture } from '../support/paths.ts';
import { parseReport, startReport, statusReport, stopReport } from '../support/reports.ts';
import { service } from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

/** The pid of each service that runs. */
async function pids(project: TemporaryProject): Promise<Readonly<Record<string, number | null>>> {
  const { report } = await statusReport(project);
  return Object.fromEntries(report.services.map(({ name, pid }) => [name, pid]));
}

async function changed(project: TemporaryProject) {
  const { report } = await statusReport(project);
  return Object.fromEntries(report.services.map((one) => [one.name, one.changed]));
}

test('what has changed is marked, and start --apply brings everything in line', async () => {
  const db = service('sleeper', [], { envFile: 'db.env' });
  const web = service('sleeper', [], { dependsOn: ['db'] });
  const old = service('sleeper');
  await using project = await temporaryProject(
    { services: { db, web, old } },
    { 'db.env': 'TOKEN=hunter2\n' },
  );
  expect((await startReport(project)).report).toMatchObject({ ok: true, changed: [] });
  const tests = startDevctl(project, {}, 'run', '--name', 'tests', '--', ...fixture('sleeper'));
  await until(async () => 'tests' in (await pids(project)) || null);
  const before = await pids(project);
  expect(await changed(project)).toMatchObject({ db: [], web: [], old: [] });

  // The process does not see the first two of these changes.
  const live = { exec: 'true', interval: '1m' };
  const services = { db, web: { ...web, live }, fresh: service('sleeper') };
  project.write('db.env', '# a comment\nTOKEN=hunter3\n');
  project.write('.devctl.json', JSON.stringify({ services }));
  expect(await changed(project)).toMatchObject({ db: ['envFile'], web: [] });
  const shown = await devctl(project, 'status');
  expect(shown.stdout).toMatch(/^db +ready \(changed\)/m);
  expect(shown.stdout).toContain(
    'db: changed since it was started (envFile); npx --no-install devctl start --apply',
  );
  expect(shown.stdout).toMatch(/^old +ready \(undeclared\)/m);
  expect(shown.stdout).toContain(
    'old: the manifest names it no more; npx --no-install devctl stop old',
  );
  const { report: now } = await statusReport(project);
  const undeclared = now.services.filter((one) => one.undeclared).map(({ name }) => name);
  expect(undeclared).toEqual(['old']);
  const again = await devctl(project, 'start', 'db');
  expect(again).toMatchObject({
    exitCode: 0,
    stderr: expect.stringMatching(/already running: db \(changed\)\n.*db \(envFile\)\n.*--apply/),
  });

  const plan = {
    restart: [{ service: 'db', keys: ['envFile'] }],
    start: ['fresh'],
    stop: ['old'],
    keep: ['web'],
    unknown: [],
  };
  const dry = await devctl(project, 'start', '--apply', '--dry-run');
  expect(dry).toMatchObject({ exitCode: 0, stderr: '' });
  expect(dry.stdout.split('\n')).toEqual([
    'stop     old: the manifest names it no more',
    'restart  db: envFile changed',
    'start    fresh',
    'unchanged: web',
  ]);
  expect(await pids(project)).toEqual({ ...before, fresh: null });

  const applied = await startReport(project, '--apply');
  expect(applied.exitCode, applied.stderr).toBe(0);
  expect(applied.report).toMatchObject({ ok: true, plan, start: { aborted: [] } });
  const after = await pids(project);
  expect(after).toMatchObject({ web: before.web, tests: before.tests });
  expect(after).not.toHaveProperty('old');
  expect(after.db).not.toBe(before.db);
  expect(after.fresh).not.toBeNull();
  expect(await changed(project)).toMatchObject({ db: [], web: [], fresh: [] });
  tests.kill('SIGTERM');
  await tests;
});

fullTest('with --dependents, after a move, and with records of an earlier devctl', async () => {
  await using project = await temporaryProject(
    {
      services: {
        db: service('sleeper', [], { cwd: 'here' }),
        api: service('sleeper', [], { dependsOn: ['db'] }),
        seed: { command: 'echo "$TEXT" >> done', env: { TEXT: 'one' }, oneShot: true },
      },
    },
    { 'here/x': '', 'first/x': '' },
    'first',
  );
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const before = await pids(project);
  const moved = `${project.root}-moved`;
  renameSync(project.root, moved);
  const at = { cwd: moved };
  const status = async () =>
    parseReport<{ services: { name: string; changed: string[] | null; pid: number }[] }>(
      await devctlWith(project, at, 'status', '--json'),
    ).report.services;
  expect(await status()).toMatchObject([
    { name: 'db', changed: [], pid: before.db },
    { name: 'api', changed: [], pid: before.api },
    { name: 'seed', changed: [] },
  ]);
  renameSync(moved, project.root);

  project.write(
    '.devctl.json',
    JSON.stringify({
      services: {
        db: service('sleeper', [], { cwd: 'here', env: { A: '1' } }),
        api: service('sleeper', [], { dependsOn: ['db'] }),
        seed: { command: 'echo "$TEXT" >> done', env: { TEXT: 'two' }, oneShot: true },
      },
    }),
  );
  const applied = await startReport(project, '--apply', '--dependents');
  expect(applied.exitCode, applied.stderr).toBe(0);
  expect(applied.report).toMatchObject({
    plan: {
      restart: [
        { service: 'db', keys: ['env'] },
        { service: 'api', keys: [] },
        { service: 'seed', keys: ['env'] },
      ],
    },
  });
  const after = await pids(project);
  expect(after.api).not.toBe(before.api);

  // Without the key nobody can tell, and what cannot be known is no success.
  project.write('.pids/definition-key', 'lost\n');
  const unknown = await devctl(project, 'start', '--apply');
  expect(unknown).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('→ npx --no-install devctl restart db api seed'),
  });
  expect(await pids(project)).toEqual(after);
  expect(await devctl(project, 'restart')).toMatchObject({ exitCode: 0 });
  expect(await devctl(project, 'start', '--apply')).toMatchObject({ exitCode: 0 });
  expect((await stopReport(project)).report.survivors).toEqual([]);
});

test('--dry-run and --dependents belong to --apply', async () => {
  await using project = await temporaryProject({ services: { web: service('sleeper') } });
  expect(await devctl(project, 'start', '--dry-run')).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('npx --no-install devctl start --apply --dry-run'),
  });
});
