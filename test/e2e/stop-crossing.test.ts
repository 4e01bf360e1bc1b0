import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'vitest';
import { projectFolder } from '../../src/project/folder.ts';
import { readLedgers } from '../../src/project/ledger.ts';
import type { StopReport } from '../../src/stopping/report.ts';
import { devctl, devctlWith, startDevctl } from '../support/devctl.ts';
import { fixture, repositoryRoot } from '../support/paths.ts';
import { parseReport, stopReport } from '../support/reports.ts';
import {
  guardsOf,
  hasSubreaper,
  service,
  signalSupervisor,
  supervisorsOf,
} from '../support/services.ts';
import { eachMode, eachModeIf, fullTest, test } from '../support/sets.ts';
import { temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

test('a stop wins over a start that is under way', async () => {
  await using project = await temporaryProject({
    services: {
      db: service('fan', ['3']),
      // It is never ready, and start waits for it much longer than a test may take.
      web: {
        command: fixture('fan', '3'),
        dependsOn: ['db'],
        ready: { log: '^never$', timeout: '10m' },
      },
      last: service('sleeper', [], { dependsOn: ['web'] }),
    },
  });
  const starting = startDevctl(project, {}, 'start');
  await until(() => project.oracle.processes().length === 8);
  const stopped = await stopReport(project);
  expect(stopped.exitCode, stopped.stderr).toBe(0);
  expect(project.oracle.processes()).toEqual([]);
  const { exitCode, stderr } = await starting;
  expect(exitCode, stderr).toBe(1);
  expect(stderr).not.toMatch(/\n\s+at /);
  expect(project.oracle.everything()).toEqual([]);
});

fullTest('two stops at once: one stops all, the other agrees or gives way', async () => {
  await using project = await temporaryProject({
    services: { a: service('fan', ['3']), b: service('needs-grace', ['cleaned', '500']) },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const codes = (await Promise.all([devctl(project, 'stop'), devctl(project, 'stop')])).map(
    ({ exitCode }) => exitCode,
  );
  expect(codes).toContain(0);
  for (const code of codes) expect([0, 6]).toContain(code);
  expect(project.oracle.everything()).toEqual([]);
});

test('a forced stop breaks in on a slow one', async () => {
  await using project = await temporaryProject({
    services: { a: service('stubborn', ['1'], { stop: { grace: '10m' } }) },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const slow = startDevctl(project, {}, 'stop');
  await until(() => existsSync(project.file('.pids/lock')));
  const { exitCode, stderr } = await devctl(project, 'stop', '--force');
  expect(exitCode, stderr).toBe(0);
  const overtaken = await slow;
  expect(overtaken.exitCode).toBe(6);
  expect(overtaken.stderr).toContain('a devctl stop has taken over from this command');
  expect(project.oracle.everything()).toEqual([]);
});

fullTest('two starts at once run one after the other and start nothing twice', async () => {
  await using project = await temporaryProject({ services: { a: service('fan', ['2']) } });
  const results = await Promise.all([devctl(project, 'start'), devctl(project, 'start')]);
  expect(results.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
  expect(project.oracle.processes().length).toBe(3);
});

fullTest('Ctrl-C turns a running stop into a forced stop, which is proved as well', async () => {
  await using project = await temporaryProject({
    services: { web: service('stubborn', ['2'], { stop: { grace: '10m' } }) },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const stopping = startDevctl(project, {}, 'stop', '--json');
  let told = '';
  stopping.stderr.on('data', (data) => {
    told += data;
  });
  // It says every second which services it waits for.
  await until(
    () => told.includes('waiting for'),
    () => told,
  );
  stopping.kill('SIGINT');
  const { exitCode, stdout, stderr } = await stopping;
  const { report } = parseReport<StopReport>({ exitCode: exitCode ?? -1, stdout, stderr });
  expect(exitCode).toBe(0);
  expect(report.forced).toBe(true);
  expect(report.survivors).toEqual([]);
  expect(project.oracle.everything()).toEqual([]);
});

const program = join(repositoryRoot, 'bin', 'devctl.js');
const library = pathToFileURL(join(repositoryRoot, 'dist', 'index.js')).href;

eachMode([
  ['devctl stop', [program, 'stop']],
  ['devctl stop --force', [program, 'stop', '--force']],
  ['stop() of the library', ['-e', `import('${library}').then(({ stop }) => stop())`]],
])('%s inside a service is carried out by the supervisor', async (_name, args) => {
  const stop = [process.execPath, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`);
  await using project = await temporaryProject({
    services: {
      inner: {
        command: `echo ready; read line; ${stop.join(' ')} > stop.out 2>&1`,
        ready: { log: '^ready$' },
      },
      other: service('fan', ['3']),
    },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  project.write('.pids/stdin/inner', 'go\n');
  await until(
    () => project.oracle.everything().length === 0,
    () => JSON.stringify(project.oracle.everything().map(({ argv }) => argv)),
  );
  const said = readFileSync(project.file('stop.out'), 'utf8');
  if (args[0] === program) expect(said).toContain('devctl runs inside the service inner');
  const report = JSON.parse(readFileSync(project.file('.pids/last-stop.json'), 'utf8'));
  expect(report).toMatchObject({ survivors: [], project: project.root });
});

fullTest(
  'a stop inside a service whose supervisor was killed is carried out by a new one',
  async () => {
    const stop = `'${process.execPath}' '${program}' stop > stop.out 2>&1; echo lived > after; sleep 120`;
    await using project = await temporaryProject({
      services: {
        inner: { command: `echo ready; read line; ${stop}`, ready: { log: '^ready$' } },
        other: service('fan', ['3']),
      },
    });
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    await signalSupervisor(project, 'SIGKILL');
    project.write('.pids/stdin/inner', 'go\n');
    await until(
      () => project.oracle.everything().length === 0,
      () => JSON.stringify(project.oracle.everything().map(({ argv }) => argv)),
    );
    const report = JSON.parse(readFileSync(project.file('.pids/last-stop.json'), 'utf8'));
    expect(report).toMatchObject({ survivors: [], project: project.root });
    expect(existsSync(project.file('after'))).toBe(false);
  },
);

eachModeIf(hasSubreaper)([
  ['whose service is known', true, 'env', 'env -u DEVCTL_PROJECT -u TURBO_DEVCTL_PROJECT'],
  ['of which only the ledger knows', false, 'env -i "PATH=$PATH"', 'env'],
])(
  'a stop from below a daemon %s leaves the daemon alone, and all that contains it',
  async (_name, isKnown, daemon, without) => {
    await using project = await temporaryProject();
    const wait = (file: string) => `until [ -e ${file} ]; do sleep 0.05; done`;
    // The command has no mark and is not below a leader, so devctl does not know that it is inside.
    const stop = `${without} '${process.execPath}' '${program}' stop --json >stop.json; echo $? >code`;
    project.write('daemon.sh', `echo >up; ${wait('go')}; ${stop}; sleep 120`);
    const command = `(setsid ${daemon} sh daemon.sh >/dev/null 2>&1 &); ${wait('up')}; echo ready; sleep 120`;
    const services = { web: { command, ready: { log: '^ready$' } } };
    project.write('.devctl.json', JSON.stringify({ services }));
    const options = { env: { DEVCTL_CGROUP: 'off' } };
    expect(await devctlWith(project, options, 'start')).toMatchObject({ exitCode: 0 });
    const above = () => [...supervisorsOf(project), ...guardsOf(project)].map(({ pid }) => pid);
    const before = above();
    expect(before.length).toBe(2);

    project.write('go', '');
    const read = (name: string) => readFileSync(project.file(name), 'utf8');
    expect(await until(() => read('code'))).toBe('4\n');
    const first: StopReport = JSON.parse(read('stop.json'));
    // A child of the shell has its arguments until it becomes the last sleep.
    const left = await until(() => {
      const found = project.oracle.processes().filter(({ argv }) => argv[1] === 'daemon.sh');
      return found.length === 1 ? found[0] : null;
    });
    expect(first.survivors.map(({ pid }) => pid)).toContain(left.pid);
    const folder = projectFolder(project.root, project.file('.pids'));
    const witnessed = readLedgers(folder).entries.filter(
      ({ identity }) => identity.pid === left.pid,
    );
    expect(witnessed).not.toEqual([]);
    // On a busy machine the supervisor may have seen it while it was below its leader: then its service is known.
    const hasService = isKnown || witnessed.some(({ service }) => service === 'web');
    expect(first.services[0]?.outcome).toBe(hasService ? 'survived' : 'stopped');
    expect(first.problems).toEqual([]);
    expect(above()).toEqual(before);
    expect(existsSync(project.file('.pids/services/web.json')) || !isKnown).toBe(true);

    const second = parseReport<StopReport>(await devctlWith(project, options, 'stop', '--json'));
    expect(second.exitCode, second.stderr).toBe(0);
    expect(second.report.proof).toMatchObject({ strength: 'complete', why: null });
    expect(project.oracle.everything()).toEqual([]);
  },
);
