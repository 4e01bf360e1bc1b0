import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect } from 'vitest';
import { cleanEnvironment } from '../support/clean-environment.ts';
import { devctl, devctlWith } from '../support/devctl.ts';
import { freePorts } from '../support/free-ports.ts';
import { repositoryRoot } from '../support/paths.ts';
import { killAtOnce, service } from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

test('restart: the old run is proved gone, dependents stay up, and a mistake in the manifest ends nothing', async () => {
  await using project = await temporaryProject({
    services: {
      db: service('fan', ['2']),
      web: service('sleeper', [], { dependsOn: ['db'] }),
    },
  });
  const pids = async () => {
    const { services } = JSON.parse((await devctl(project, 'status', '--json')).stdout);
    return services.map(({ pid }: { pid: number | null }) => pid);
  };
  expect(await devctl(project, 'restart')).toMatchObject({ exitCode: 0 });
  const [db, web] = await pids();
  const before = project.oracle.processes().map(({ pid }) => pid);
  const restarted = await devctl(project, 'restart', 'db', '--json');
  expect(restarted.exitCode, restarted.stderr).toBe(0);
  const { ok, stop, start } = JSON.parse(restarted.stdout);
  expect(ok).toBe(true);
  expect(stop).toMatchObject({ scope: ['db'], survivors: [], processes: expect.any(Array) });
  expect(stop.processes.map(({ pid }: { pid: number }) => pid)).toEqual(
    expect.arrayContaining(before.filter((pid) => pid !== web)),
  );
  expect(start.services).toMatchObject([{ name: 'db', alreadyRunning: false }]);
  const [newDb, sameWeb] = await pids();
  expect(newDb).not.toBe(db);
  expect(sameWeb).toBe(web);

  const both = await devctl(project, 'restart', 'db', '--dependents');
  expect(both.stdout).toMatch(/nothing of db, web is left/);
  expect((await pids())[1]).not.toBe(web);

  const [unharmed] = await pids();
  project.write('.devctl.json', '{ "services": { "db": { "comand": "x" } } }');
  expect(await devctl(project, 'restart', 'db')).toMatchObject({ exitCode: 2 });
  expect((await pids())[0]).toBe(unharmed);
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
});

test('send: a line or piped input reaches the service; a service that does not run gets nothing', async () => {
  await using project = await temporaryProject({
    services: { echo: { command: 'exec cat' }, deaf: { command: 'exec sleep 100 </dev/null' } },
  });
  expect(await devctl(project, 'send', 'echo', 'x')).toMatchObject({ exitCode: 1 });
  await devctl(project, 'start');
  expect(await devctl(project, 'send', 'echo', 'hello', 'there')).toMatchObject({ exitCode: 0 });
  const program = join(repositoryRoot, 'bin', 'devctl.js');
  const piped = await execa(process.execPath, [program, 'send', 'echo', '--json'], {
    cwd: project.root,
    env: { ...cleanEnvironment(), ...project.env },
    extendEnv: false,
    input: 'one\ntwo\n',
  });
  expect(JSON.parse(piped.stdout)).toMatchObject({ version: 1, service: 'echo', bytes: 8 });
  const log = project.file('.pids/logs/echo.log');
  await until(() => readFileSync(log, 'utf8') === 'hello there\none\ntwo\n');
  await until(async () => /nobody/.test((await devctl(project, 'send', 'deaf', 'x')).stderr));
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
});

test('tree: every process is below its parent, with its evidence; orphans are marked', async () => {
  await using project = await temporaryProject({
    services: { fan: service('fan', ['2']), main: service('double-fork') },
  });
  expect(await devctl(project, 'tree')).toMatchObject({ exitCode: 0 });
  await devctl(project, 'start');
  const report = JSON.parse((await devctl(project, 'tree', 'fan', '--json')).stdout);
  expect(report).toMatchObject({ version: 1, project: project.root });
  const [{ service: name, processes, roots }] = report.services;
  expect({ name, processes, roots: roots.length }).toEqual({ name: 'fan', processes: 3, roots: 1 });
  const [{ pid, evidence, orphan, children }] = roots;
  expect(children).toMatchObject([{ ppid: pid }, { ppid: pid }]);
  expect(evidence[0]).toEqual({ kind: 'leader', detail: expect.stringContaining('fan') });
  expect(orphan).toBe(false);
  const leader = project.oracle
    .processes()
    .find(({ argv }) => argv[1]?.endsWith('double-fork.mjs'));
  if (leader) await killAtOnce(leader);
  await until(async () => /\(orphan\)/.test((await devctl(project, 'tree', 'main')).stdout));
  expect((await devctl(project, 'tree')).stdout).toMatch(/^fan +\d+ .*\n +\d+ .*[├└]─/m);
  const why = (await devctl(project, 'tree', '--why')).stdout;
  expect(why).toMatch(/^fan +\d+ .*leader.*\n +\d+ .*[├└]─/m);
  expect(why).toMatch(/^ {2}leader +it is the command of the service$/m);
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
});

test('completion: the questions of the bash script are answered, without a word on stderr', async () => {
  await using project = await temporaryProject({ services: { web: service('sleeper') } });
  expect((await devctl(project, '__complete', '--', 'restart', 'w')).stdout).toBe('web\tservice');
  project.write('.devctl.json', '{ broken');
  expect(await devctl(project, '__complete', '--', 'stop', '')).toMatchObject({
    exitCode: 0,
    stderr: '',
  });
  for (const shell of ['bash', 'zsh', 'fish']) {
    const script = await devctl(project, 'completion', shell);
    expect(script).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('__complete') });
    if (shell === 'bash') await execa('bash', ['-n', '-c', script.stdout]);
  }
});

test('doctor: each problem is named with the command that mends it', async () => {
  const [port = 0] = await freePorts(1);
  await using project = await temporaryProject({
    services: {
      once: service('leaves-daemon'),
      web: { command: 'exec sleep 100', ports: [port], ready: 'spawned' },
    },
  });
  type Finding = { check: string; level: string; message: string; fix: string | null };
  const look = async () => {
    const { exitCode, stdout } = await devctl(project, 'doctor', '--json');
    const { ok, findings } = JSON.parse(stdout);
    const wrong = (findings as Finding[]).filter(({ level }) => level === 'problem');
    return { exitCode, ok, findings, fixes: wrong.map(({ check, fix }) => `${check}: ${fix}`) };
  };
  expect(await look()).toMatchObject({ exitCode: 0, ok: true, fixes: [] });
  await devctl(project, 'start', 'once');
  await using _stranger = await holdPort(port);
  const ill = await look();
  expect(ill).toMatchObject({ exitCode: 1, ok: false });
  expect(ill.fixes).toEqual([
    'processes: npx --no-install devctl stop',
    `ports: kill ${process.pid}`,
  ]);
  expect(ill.findings).toContainEqual(
    expect.objectContaining({
      check: 'records',
      level: 'warning',
      fix: 'npx --no-install devctl stop once',
    }),
  );
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
  project.write('.devctl.json', '{ "services": { "web": { "comand": "x" } } }');
  expect((await look()).fixes).toEqual(['manifest: npx --no-install devctl check']);
  expect((await devctl(project, 'doctor')).stdout).toMatch(
    /✗ manifest .*services\.web.*\n +→ npx --no-install devctl check/,
  );
});

fullTest(
  'start says that logs cannot be rotated here, and doctor names those that have grown',
  async () => {
    await using project = await temporaryProject({
      logs: { maxSize: '1MB' },
      services: { web: { command: 'head -c 12000000 /dev/zero; echo ready; exec sleep 100' } },
    });
    const env = { DEVCTL_PROCESS_TABLE: 'portable' };
    const ask = async (command: string, asked: object) =>
      JSON.parse((await devctlWith(project, asked, command, '--json')).stdout);
    const logs = async (asked: object) => {
      const { findings } = await ask('doctor', asked);
      return (findings as { check: string }[]).filter(({ check }) => check === 'logs');
    };
    const why = 'logs are not rotated, and grow: turned off by';
    const told = { level: 'warning', message: expect.stringContaining(why) };
    expect(await logs({ env })).toMatchObject([told]);
    expect((await ask('status', {})).problems).toEqual([]);
    await devctlWith(project, { env }, 'start');
    const problems = await until(async () => {
      const found: readonly string[] = (await ask('status', {})).problems;
      return found.length > 0 ? found : null;
    });
    expect(problems).toEqual([
      expect.stringMatching(
        /^the log of web has 1\d.*rotated at 1 ?MB; why: npx --no-install devctl doctor$/,
      ),
    ]);
    const grown = { level: 'problem', message: expect.stringContaining('the log of web has') };
    expect(await logs({ env })).toMatchObject([grown]);
    expect(await devctlWith(project, { env }, 'stop')).toMatchObject({ exitCode: 0 });
  },
);

async function holdPort(port: number): Promise<AsyncDisposable> {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    [Symbol.asyncDispose]: async () => void (await new Promise((done) => server.close(done))),
  };
}
