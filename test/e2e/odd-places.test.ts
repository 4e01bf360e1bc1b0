import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { bystander } from '../support/bystander.ts';
import { devctl, devctlWith } from '../support/devctl.ts';
import { startReport, statusReport, stopReport } from '../support/reports.ts';
import { service, signalSupervisor, supervisorsOf } from '../support/services.ts';
import { eachMode, fullTest } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';

const services = { web: service('own-session'), db: service('fan', ['1'], { dependsOn: ['web'] }) };

/** Runs start, status and stop, in JSON and in words, in a folder with an odd name. */
async function expectRoundTrip(project: TemporaryProject): Promise<void> {
  const started = await startReport(project);
  expect(started.exitCode, started.stderr).toBe(0);
  expect(project.oracle.processes().length).toBe(4);
  expect(readdirSync(project.file('.pids/services')).sort()).toEqual(['db.json', 'web.json']);
  const record = JSON.parse(readFileSync(project.file('.pids/services/web.json'), 'utf8'));
  expect(record).toMatchObject({ cwd: project.root, log: project.file('.pids/logs/web.log') });

  const { exitCode, report } = await statusReport(project);
  expect(exitCode).toBe(0);
  expect(report).toMatchObject({ project: project.root, healthy: true, problems: [], stale: [] });
  expect(await devctl(project, 'status')).toMatchObject({ exitCode: 0, stderr: '' });
  const stopped = await stopReport(project, 'db');
  expect(stopped.exitCode, stopped.stderr).toBe(0);
  expect(project.oracle.processes().length).toBe(2);
  // The rest is found by its traces alone.
  await signalSupervisor(project, 'SIGKILL');
  const last = await stopReport(project);
  expect(last.exitCode, last.stderr).toBe(0);
  expect(last.report).toMatchObject({ project: project.root, survivors: [], problems: [] });
  expect([...project.oracle.processes(), ...supervisorsOf(project)]).toEqual([]);
}

// docs/limits.md: `ps` shows control characters as question marks.
const CONTROL = process.env.DEVCTL_PROCESS_TABLE === 'portable' ? '' : '\n\t\u001b[31m';

const PLACES = [
  [
    'what shells, formats and terminals read',
    ` a "double" and 'single' \`one\` /two${CONTROL}lines${CONTROL}` +
      '/-n $(touch owned) `touch owned` %s%n $HOME \\n \\\\ ;& | * ? [a]/--force/-rf',
  ],
  ['a name that ends like that of a removed folder', 'app (deleted)'],
  ['2,400 characters', Array(10).fill('n'.repeat(240)).join('/')],
];

eachMode(PLACES)('start, status and stop work in a project path with %s', async (_what, place) => {
  await using project = await temporaryProject({ services }, {}, place);
  await expectRoundTrip(project);
  expect(existsSync(project.file('owned'))).toBe(false);
});

fullTest('a project path that is too long for its records is refused', async () => {
  // PATH_MAX is 4,096 bytes with the NUL (limits.h(0p)): the folder fits, a record in it does not.
  await using above = await temporaryProject();
  const rest = 4_060 - above.root.length - 1;
  const place = `${'n'.repeat(199)}/`.repeat(30).slice(0, rest - 1);
  await using project = await temporaryProject({ services }, {}, `${place}x`);
  const { exitCode, stderr } = await devctl(project, 'start');
  expect(exitCode, stderr).toBe(1);
  expect(stderr).toMatch(/the path of the records folder is too long: \d+ bytes.*\n.*"pidsDir"/);
  expect(stderr).not.toMatch(/\n\s+at /);
  expect(await devctl(project, 'status')).toMatchObject({ exitCode: 3 });
  for (const args of [['stop'], ['stop', '--force']]) {
    expect(await devctl(project, ...args)).toMatchObject({ exitCode: 0 });
  }
  const records = await temporaryProject();
  await using _records = records;
  const manifest = { services, pidsDir: records.file('.pids') };
  project.write('.devctl.json', JSON.stringify(manifest));
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  expect(project.oracle.processes().length).toBe(4);
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
  expect(project.oracle.everything()).toEqual([]);
});

fullTest(
  'a project is kept apart from folders whose names look the same or begin the same',
  async () => {
    const name = '\u5de5\u5177 \u{1f468}\u200d\u{1f469} caf\u00e9';
    await using project = await temporaryProject({ services }, {}, name);
    const names = [name.normalize('NFD'), `${name}2`, `${name} (deleted)`, name.slice(0, -1)];
    const twins = names.map((twin) => `../${twin}`);
    for (const twin of twins) mkdirSync(project.file(twin));
    const innocent = await Promise.all(
      twins.map((twin) => bystander('npm test', project.file(twin))),
    );
    try {
      await expectRoundTrip(project);
      expect(innocent.filter((one) => !one.alive())).toEqual([]);
    } finally {
      await Promise.all(innocent.map((one) => one[Symbol.asyncDispose]()));
    }
  },
);

fullTest('a project is the same through a symbolic link and from a folder below it', async () => {
  await using project = await temporaryProject({ services }, { 'src/x.ts': '' });
  const link = join(project.root, '..', `${project.root.split('/').at(-1)}-link`);
  symlinkSync(project.root, link);
  const cwd = join(link, 'src');
  const env = { PWD: cwd };
  expect(await devctlWith(project, { cwd, env }, 'start')).toMatchObject({ exitCode: 0 });
  expect((await statusReport(project)).report).toMatchObject({
    project: project.root,
    healthy: true,
  });
  const config = join(link, '.devctl.json');
  expect(await devctlWith(project, { cwd: '/' }, 'stop', '--config', config)).toMatchObject({
    exitCode: 0,
  });
  expect(project.oracle.everything()).toEqual([]);
});

fullTest('devctl works where every folder for the socket is too long or missing', async () => {
  await using project = await temporaryProject({ services });
  const long = project.file('t'.repeat(100));
  mkdirSync(long);
  // /tmp is used then, where start, status and stop find each other whatever is set.
  const env = { TMPDIR: long, XDG_RUNTIME_DIR: long };
  expect(await devctlWith(project, { env }, 'start')).toMatchObject({ exitCode: 0 });
  const { socket } = JSON.parse(readFileSync(project.file('.pids/supervisor.json'), 'utf8'));
  expect(Buffer.byteLength(socket)).toBeLessThan(100);
  expect(await devctl(project, 'status')).toMatchObject({ exitCode: 0 });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  expect(await devctlWith(project, { env }, 'stop')).toMatchObject({ exitCode: 0 });
  expect(project.oracle.everything()).toEqual([]);
});

fullTest('services may have names that every JavaScript object has', async () => {
  const names = ['constructor', 'toString', 'hasOwnProperty', 'valueOf', '0'];
  const [first = '', ...others] = names;
  await using project = await temporaryProject({
    services: {
      [first]: service('sleeper'),
      ...Object.fromEntries(
        others.map((name) => [name, service('sleeper', [], { dependsOn: [first] })]),
      ),
    },
    groups: { isPrototypeOf: names, prototype: [first] },
  });
  expect(await devctl(project, 'check')).toMatchObject({ exitCode: 0 });
  const started = await startReport(project, 'isPrototypeOf');
  expect(started.exitCode, started.stderr).toBe(0);
  expect(started.report.services.map(({ name }) => name).sort()).toEqual([...names].sort());
  expect((await statusReport(project, 'toString')).report.services.length).toBe(1);
  expect((await statusReport(project)).report).toMatchObject({ healthy: true, problems: [] });
  const one = await stopReport(project, 'constructor');
  expect(one.exitCode, one.stderr).toBe(0);
  expect(project.oracle.processes().length).toBe(4);
  expect(await devctl(project, 'start', 'prototype')).toMatchObject({ exitCode: 0 });
  await signalSupervisor(project, 'SIGKILL');
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const all = await stopReport(project, ...names);
  expect(all.exitCode, all.stderr).toBe(0);
  expect(all.report.services.map(({ name }) => name).sort()).toEqual([...names].sort());
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
  expect(project.oracle.everything()).toEqual([]);
});

eachMode([['services'], ['groups']])('%s cannot be called __proto__', async (key) => {
  const more = key === 'services' ? ', "__proto__": { "command": "true" }' : '';
  const groups = key === 'groups' ? ', "groups": { "__proto__": ["web"] }' : '';
  await using project = await temporaryProject(
    `{ "services": { "web": { "command": "true" }${more} }${groups} }`,
  );
  for (const command of ['check', 'start']) {
    const { exitCode, stderr } = await devctl(project, command);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(`${key}.__proto__: "__proto__" cannot be a name`);
  }
  // status and stop work with a broken manifest.
  expect(await devctl(project, 'status')).toMatchObject({ exitCode: 3 });
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
});

fullTest('names that every JavaScript object has are no services by themselves', async () => {
  await using project = await temporaryProject({ services });
  for (const command of ['start', 'status', 'stop']) {
    for (const name of ['__proto__', 'constructor']) {
      const { exitCode, stderr } = await devctl(project, command, name);
      expect(exitCode).toBe(2);
      expect(stderr).toContain(`no service or group is called "${name}"`);
    }
  }
});
