import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect } from 'vitest';
import type { ContainersRecord } from '../../src/containers/record.ts';
import type { StopReport } from '../../src/stopping/report.ts';
import { names, record, running, shop } from '../support/container-shop.ts';
import { devctlWith, startDevctl } from '../support/devctl.ts';
import { removeAll, service } from '../support/services.ts';
import { bothTest, fullTest, isFull, test } from '../support/sets.ts';
import { type StandInDocker, standInDocker } from '../support/stand-in-docker.ts';
import { until } from '../support/until.ts';

const ANONYMOUS = [{ Type: 'volume', Name: 'f'.repeat(64) }];

describe('containers, with a docker that is a stand-in', () => {
  test('are up before the services and down after them, with status, logs and tree in between', async () => {
    const { project, docker, run } = await shop();
    await using _project = project;
    const start = await run('start', '--json');
    expect(start, start.stderr).toMatchObject({ exitCode: 0 });
    expect(start.stderr.indexOf('container db up')).toBeLessThan(
      start.stderr.indexOf('starting web'),
    );
    const { containers } = JSON.parse(start.stdout) as { containers: object[] };
    expect(containers).toMatchObject([
      { service: 'db', ours: true },
      { service: 'cache', ours: true },
    ]);
    // Also where the stand-in, a program of Node, takes more than a second: then it is what the start has seen.
    const status = await run('status');
    expect(status.stdout).toMatch(/CONTAINER .*\n(db|cache) +running/);
    expect((await run('logs', 'db')).stdout).toBe('db | hello');
    expect((await run('tree')).stdout).toContain('container db: ');
    const dry = await run('stop', '--dry-run');
    expect(dry.stdout).toContain('containers that would be stopped and removed: db, cache');
    expect(running(docker.state())).toBe(2);

    const stop = await run('stop', '--json');
    const report = JSON.parse(stop.stdout) as StopReport;
    expect(stop).toMatchObject({ exitCode: 0 });
    expect(report.containers).toMatchObject({ left: false, unknown: null });
    expect(report.containers?.networks).toMatchObject([{ removed: true }]);
    // The container that depends on the database ends before it.
    const { asked, containers: after, networks } = docker.state();
    expect([after, networks]).toEqual([[], []]);
    const stops = asked.filter((line) => line.startsWith('stop'));
    expect(stops).toHaveLength(2);
    expect(stops[0]).toContain(Buffer.from('cache').toString('hex'));
    expect(asked.join('\n')).not.toMatch(/--remove-orphans|compose.* down/);
    expect(existsSync(record(project))).toBe(false);
    expect(project.oracle.everything()).toEqual([]);
  });

  test('a project without them asks nobody', async () => {
    const { project, docker, run } = await shop(null);
    await using _project = project;
    for (const words of [
      ['start', 'lone'],
      ['stop', '--force'],
    ])
      expect(await run(...words)).toMatchObject({ exitCode: 0 });
    expect(docker.state().asked).toEqual([]);
  });

  bothTest(
    'an engine that does not answer: start fails, status has the last answer, stop says what is not known',
    async () => {
      const { project, docker, run } = await shop();
      await using _project = project;
      expect(await run('start')).toMatchObject({ exitCode: 0 });
      docker.set({ mode: 'silent' });
      const status = await run('status');
      expect(status).toMatchObject({ exitCode: 3 });
      expect(status.stdout).toMatch(/does not answer, so this is what it said .* ago/);
      expect(status.stdout).toMatch(/\ndb +running/);
      const force = await run('stop', '--force');
      expect(force).toMatchObject({ exitCode: 4 });
      expect(force.stdout).toMatch(/2 containers: not known, the engine .* does not answer/);
      // Neither a process of the services nor one of docker is left.
      expect(project.oracle.everything()).toEqual([]);
      if (isFull) {
        const start = await run('start');
        expect(start).toMatchObject({ exitCode: 1 });
        expect(start.stderr).toContain('does not answer');
      }
      docker.set({ mode: undefined });
      expect(await run('stop')).toMatchObject({ exitCode: 0 });
      expect(names(docker.state())).toEqual([]);
    },
  );

  bothTest('what somebody else has started is refused, and never touched', async () => {
    const { project, docker, run } = await shop({ project: 'shop' });
    await using _project = project;
    const labels = { 'com.docker.compose.project': 'shop', 'com.docker.compose.service': 'db' };
    const theirs = {
      Id: 'b'.repeat(64),
      Name: '/shop_db_1',
      Created: '2026-01-01T00:00:00Z',
      State: { Status: 'running' },
      Config: { Image: 'x', Labels: labels },
    };
    docker.set({ containers: [theirs] });
    const start = await run('start');
    expect(start).toMatchObject({ exitCode: 5 });
    expect(start.stderr).toMatch(/shop_db_1 \(bbbbbbbbbbbb, x, \d+ days old\)/);
    expect(start.stderr).toContain('"adopt": "use"');
    const harshest = ['stop', '--force', '--volumes'];
    for (const words of isFull ? [['stop'], ['stop', '--containers'], harshest] : [harshest])
      expect(await run(...words)).toMatchObject({ exitCode: 0 });
    if (!isFull) return void expect(docker.state().containers).toEqual([theirs]);
    const manifest = JSON.parse(readFileSync(project.file('.devctl.json'), 'utf8')) as object;
    const containers = { project: 'shop', adopt: 'use', services: ['db'] };
    project.write('.devctl.json', JSON.stringify({ ...manifest, containers }));
    const used = await run('start');
    expect(used, used.stderr).toMatchObject({ exitCode: 0 });
    expect(used.stderr).toContain('db used, started by somebody else');
    expect((await run('stop', '--force')).exitCode).toBe(0);
    expect(docker.state().containers).toEqual([theirs]);
    expect(docker.state().asked.join('\n')).not.toMatch(/^(stop|rm|kill|compose.* up)/m);
  });

  fullTest.each<[how: string, change: Parameters<StandInDocker['set']>[0], message: string]>([
    ['compose was interrupted', { interrupt: true }, 'compose could not start the containers'],
    [
      'a container is unhealthy',
      { becomes: { db: { Health: { Status: 'unhealthy' } } } },
      'it is unhealthy',
    ],
    [
      'a container exits',
      { becomes: { db: { Status: 'exited', ExitCode: 7 } } },
      'it exited with code 7',
    ],
  ])(
    '%s: start fails before any service, and stop removes what came up',
    async (_how, change, message) => {
      const { project, docker, run } = await shop();
      await using _project = project;
      docker.set(change);
      const start = await run('start');
      expect(start).toMatchObject({ exitCode: 1 });
      expect(start.stderr).toContain(message);
      expect(start.stderr).not.toContain('starting web');
      expect(docker.state().containers).toHaveLength(2);
      expect(await run('stop')).toMatchObject({ exitCode: 0 });
      expect(docker.state().containers).toEqual([]);
    },
  );

  fullTest.each<
    [what: string, change: Parameters<StandInDocker['set']>[0] | null, says: string, hint: string]
  >([
    ['no permission', { mode: 'denied' }, 'permission denied', 'sudo usermod'],
    ['no engine', { mode: 'down' }, 'no Docker engine answers', 'start it: sudo'],
    ['no docker', null, 'docker is not installed', 'install Docker (http'],
    ['an old engine', { version: '1.13.1' }, 'do not fit: 1.13.1', 'update the older one'],
    ['a docker that is too new', { mode: 'old' }, 'do not fit: client version', 'update the older'],
  ])(
    '%s: exit code 1 with the way out; without "required" the services start',
    async (_what, change, says, hint) => {
      const { project, docker } = await shop();
      await using _project = project;
      docker.set(change ?? {});
      const env = { ...docker.env, ...(change === null && { PATH: project.file('nothing') }) };
      const run = (...args: readonly string[]) => devctlWith(project, { env }, ...args);
      const start = await run('start');
      expect(start).toMatchObject({ exitCode: 1 });
      expect(start.stderr).toContain(says);
      expect(start.stderr).toContain(`→ ${hint}`);
      const doctor = await run('doctor');
      expect(doctor).toMatchObject({ exitCode: 1 });
      expect(doctor.stdout).toMatch(new RegExp(`✗ containers.*${says}`));
      const manifest = JSON.parse(readFileSync(project.file('.devctl.json'), 'utf8')) as object;
      project.write(
        '.devctl.json',
        JSON.stringify({ ...manifest, containers: { required: false } }),
      );
      const without = await run('start');
      expect(without).toMatchObject({ exitCode: 0 });
      expect(without.stderr).toContain('the services start without them');
      expect(await run('status')).toMatchObject({
        exitCode: 0,
        // An old engine answers `status`: it is only too old for a start.
        stdout: expect.stringMatching(/containers: .*; services run without db,/),
      });
      expect(await run('stop')).toMatchObject({ exitCode: 0 });
    },
  );

  fullTest('a start of one service brings up what it needs; of a lone one, nothing', async () => {
    const { project, docker, run } = await shop();
    await using _project = project;
    expect(await run('start', 'lone')).toMatchObject({ exitCode: 0 });
    expect(docker.state().asked).toEqual([]);
    expect(await run('start', 'web')).toMatchObject({ exitCode: 0 });
    expect(names(docker.state())).toEqual(['db']);
    expect(await run('stop', 'web')).toMatchObject({ exitCode: 0 });
    expect(names(docker.state())).toEqual(['db']);
    expect(await run('stop')).toMatchObject({ exitCode: 0 });
    expect(names(docker.state())).toEqual([]);
  });

  fullTest(
    'a container with data in an unnamed volume is stopped and kept; --force removes it',
    async () => {
      const { project, docker, run } = await shop();
      await using _project = project;
      docker.set({ mounts: { db: ANONYMOUS } });
      await run('start');
      const stop = await run('stop');
      expect(stop).toMatchObject({ exitCode: 0 });
      expect(stop.stdout).toContain('container db (');
      expect(stop.stdout).toContain('stopped, and kept');
      expect([names(docker.state()), running(docker.state())]).toEqual([['db'], 0]);
      expect((await run('stop')).stdout).toContain('stopped, and kept');
      expect(await run('start')).toMatchObject({ exitCode: 0 });
      expect(await run('stop', '--force')).toMatchObject({ exitCode: 0 });
      expect(names(docker.state())).toEqual([]);
      expect(existsSync(record(project))).toBe(false);
    },
  );

  fullTest('without .pids, and without the compose file, the label still finds them', async () => {
    const { project, docker, run } = await shop();
    await using _project = project;
    await run('start');
    await run('stop', 'web', 'lone');
    await removeAll(project.file('.pids'));
    rmSync(project.file('compose.yaml'));
    expect(await run('stop')).toMatchObject({ exitCode: 0 });
    expect(docker.state().containers).toEqual([]);
  });

  fullTest(
    'also where the manifest has no containers any more: the state folder remembers them',
    async () => {
      const { project, docker, run } = await shop();
      await using _project = project;
      await run('start');
      docker.set({ mode: 'down' });
      project.write('.devctl.json', JSON.stringify({ services: { lone: service('sleeper') } }));
      await removeAll(project.file('.pids'));
      expect(await run('stop')).toMatchObject({ exitCode: 4 });
      await removeAll(project.file('.pids'));
      docker.set({ mode: undefined });
      const other = await standInDocker(project);
      const stop = await devctlWith(project, { env: other.env }, 'stop', '--json');
      expect(stop, stop.stdout).toMatchObject({ exitCode: 0 });
      expect([docker.state().containers, other.state().asked]).toEqual([[], []]);
      expect(project.oracle.everything()).toEqual([]);
      docker.set({ asked: [] });
      for (const words of [['status'], ['stop', '--force']]) await run(...words);
      expect(docker.state().asked).toEqual([]);
    },
  );

  fullTest('containers without services: start, status, restart, stop', async () => {
    const { project, docker, run } = await shop();
    await using _project = project;
    for (const manifest of [{ containers: {} }, { services: {}, containers: {} }]) {
      project.write('.devctl.json', JSON.stringify(manifest));
      expect((await run('check')).stdout).toContain('containers alone: no problems');
      const start = await run('start', '--json');
      expect(start, start.stderr).toMatchObject({ exitCode: 0 });
      expect(JSON.parse(start.stdout)).toMatchObject({ services: [], containers: [{}, {}] });
      expect(project.oracle.everything()).toEqual([]);
      const status = await run('status');
      expect(status).toMatchObject({ exitCode: 0 });
      expect(status.stdout).toMatch(/^CONTAINER .*\ndb +running/);
      expect(await run('restart')).toMatchObject({ exitCode: 0 });
      expect(await run('up')).toMatchObject({ exitCode: 2 });
      expect(await run('start', '--ttl', '1h')).toMatchObject({ exitCode: 2 });
      expect(names(docker.state())).toEqual(['db', 'cache']);
      expect(await run('stop')).toMatchObject({ exitCode: 0 });
      expect(await run('status')).toMatchObject({ exitCode: 3 });
      expect(names(docker.state())).toEqual([]);
    }
  });

  fullTest('stop --containers ends the compose that a killed start has left at work', async () => {
    const { project, docker, run } = await shop();
    await using _project = project;
    docker.set({ hangs: ' up ' });
    const starting = startDevctl(project, { env: docker.env }, 'start', '--containers');
    await until(() => docker.state().containers.length === 2);
    starting.kill('SIGKILL');
    await starting;
    expect(project.oracle.everything()).toHaveLength(1);
    expect(await run('stop', '--containers')).toMatchObject({ exitCode: 0 });
    expect([docker.state().containers, project.oracle.everything()]).toEqual([[], []]);
  });

  fullTest('the engine of the start is asked, whatever DOCKER_HOST says then', async () => {
    const { project, docker, run } = await shop();
    await using _project = project;
    await run('start');
    const other = await standInDocker(project);
    const stop = await devctlWith(project, { env: other.env }, 'stop');
    expect(stop, stop.stdout).toMatchObject({ exitCode: 0 });
    expect(docker.state().containers).toEqual([]);
    expect(other.state().asked).toEqual([]);
    await run('start');
    docker.set({ id: 'ANOTHER' });
    const lost = await run('stop', '--force');
    expect(lost).toMatchObject({ exitCode: 4 });
    expect(lost.stdout).toContain('another engine answers');
    expect(existsSync(record(project))).toBe(true);
  });

  fullTest(
    'a docker context is recorded, and the stop asks it whatever is used by then',
    async () => {
      const { project, docker } = await shop();
      await using _project = project;
      const other = await standInDocker(project);
      const write = (name: string, { env }: StandInDocker) =>
        project.write(`contexts/${name}`, env.DOCKER_HOST ?? '');
      write('office', docker);
      write('laptop', other);
      project.write('contexts/current', 'office');
      docker.set({
        context: { Name: 'office', Endpoints: { docker: { Host: 'tcp://127.0.0.1:2375' } } },
      });
      const env = { PATH: docker.env.PATH ?? '', DOCKER_CONFIG: project.file('contexts') };
      const run = (...args: readonly string[]) => devctlWith(project, { env }, ...args);
      expect(await run('start', '--containers')).toMatchObject({ exitCode: 0 });
      const { engine } = JSON.parse(readFileSync(record(project), 'utf8')) as ContainersRecord;
      expect(engine).toMatchObject({ endpoint: 'tcp://127.0.0.1:2375' });
      expect(engine.environment).toMatchObject({ DOCKER_CONTEXT: 'office' });
      project.write('contexts/current', 'laptop');
      const stop = await run('stop');
      expect(stop, stop.stdout).toMatchObject({ exitCode: 0 });
      expect([docker.state().containers, other.state().asked]).toEqual([[], []]);
    },
  );

  fullTest('a pull is shown, and ends with the timeout; so does the wait for health', async () => {
    const { project, docker, run } = await shop({ timeout: '12s' });
    await using _project = project;
    docker.set({ prints: [' up ', 'Pulling db (postgres:16)...\n'], hangs: ' up ' });
    const pull = await run('start');
    expect(pull).toMatchObject({ exitCode: 1 });
    expect(pull.stderr).toContain('compose: Pulling db (postgres:16)...');
    expect(pull.stderr).toMatch(/compose up took longer than 1\d s \("timeout" in "containers"\)/);
    expect(project.oracle.everything()).toEqual([]);
    docker.set({ hangs: undefined, becomes: { db: { Health: { Status: 'starting' } } } });
    expect(await run('stop')).toMatchObject({ exitCode: 0 });
    const health = await run('start');
    expect(health).toMatchObject({ exitCode: 1 });
    expect(health.stderr).toMatch(/the container db \(.*\) is not up: not ready after 12 s/);
    expect(await run('stop')).toMatchObject({ exitCode: 0 });
    expect(docker.state().containers).toEqual([]);
  });

  fullTest('the first answer may take up to 3 s, that to status 1 s', async () => {
    const { project, docker, run } = await shop();
    await using _project = project;
    docker.set({ slow: ['info', 20_000] });
    const late = await run('start', '--containers');
    expect(late).toMatchObject({ exitCode: 1 });
    expect(late.stderr).toContain('does not answer');
    docker.set({ slow: ['info', 1_500] });
    expect(await run('start', '--containers')).toMatchObject({ exitCode: 0 });
    docker.set({ slow: ['ps', 1_500] });
    const status = await run('status');
    expect(status).toMatchObject({ exitCode: 3 });
    expect(status.stdout).toMatch(/does not answer, so this is what it said .* ago/);
    docker.set({ slow: undefined });
    expect(await run('stop')).toMatchObject({ exitCode: 0 });
  });

  fullTest(
    'logs are merged by their own time stamps; --containers leaves services out',
    async () => {
      const { project, docker, run } = await shop();
      await using _project = project;
      const at = (year: number, text: string) => `${year}-01-01T00:00:00.000000000Z ${text}\n`;
      const db = [
        at(2001, 'one') + at(2004, 'four') + at(2999, 'last'),
        at(2003, 'three'),
      ] as const;
      docker.set({ logs: { db, cache: [at(2002, 'two'), ''] } });
      expect(await run('start', 'web', '--containers')).toMatchObject({ exitCode: 2 });
      expect(await run('start')).toMatchObject({ exitCode: 0 });
      const said = async (...words: readonly string[]) =>
        (await run('logs', ...words)).stdout.split('\n').map((line) => line.replace(/ +\| /, ' '));
      const all = ['db one', 'cache two', 'db three', 'db four', 'db last'];
      expect(await said('--containers')).toEqual(all);
      const both = await said();
      expect(both.filter((line) => all.includes(line))).toEqual(all);
      expect(both.at(-1)).toBe('db last');
      expect(both.indexOf('web ready')).toBeGreaterThan(both.indexOf('db four'));
      expect(await run('stop')).toMatchObject({ exitCode: 0 });
    },
  );

  fullTest('the report and its page name the containers of the last stop', async () => {
    const { project, run } = await shop();
    await using _project = project;
    await run('start');
    await run('stop');
    const { lastStop } = JSON.parse((await run('report', '--json')).stdout) as {
      lastStop: StopReport;
    };
    expect(lastStop.containers).toMatchObject({
      left: false,
      containers: [
        { service: 'db', outcome: 'removed' },
        { service: 'cache', outcome: 'removed' },
      ],
      networks: [{ removed: true }],
    });
    expect((await run('report')).stdout).toMatch(/container db \(.*\): stopped and removed/);
    const page = (await run('report', '--html', '-')).stdout;
    expect(page).toMatch(/<dt>Containers<\/dt><dd>db removed, cache removed, network \S+ removed/);
  });

  fullTest('containers that the engine has started again after a boot are named', async () => {
    const { project, docker, run } = await shop();
    await using _project = project;
    await run('start', '--containers');
    expect((await run('status')).stdout).not.toContain('after a boot');
    const before = JSON.parse(readFileSync(record(project), 'utf8')) as ContainersRecord;
    const bootId = '00000000-0000-4000-8000-000000000000';
    project.write('.pids/containers.json', JSON.stringify({ ...before, bootId }));
    const status = await run('status');
    expect(status.stdout).toContain('db, cache: started by the engine after a boot');
    expect(await run('stop')).toMatchObject({ exitCode: 0 });
    expect(docker.state().containers).toEqual([]);
  });

  fullTest(
    'an engine on another machine is said, and its ports are not looked for here',
    async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const compose = `services:\n  db: {image: x, ports: ["${port}:80"]}\n`;
      const { project, docker } = await shop({}, compose);
      await using _project = project;
      docker.set({ ports: { db: String(port) } });
      const host = docker.env.DOCKER_HOST?.replace('127.0.0.1', 'build.example') ?? '';
      const env = { ...docker.env, DOCKER_HOST: host };
      const run = (...args: readonly string[]) => devctlWith(project, { env }, ...args);
      const start = await run('start');
      expect(start, start.stderr).toMatchObject({ exitCode: 0 });
      expect(start.stderr).toContain(`the engine is on another machine (${host}): its ports`);
      expect((await run('status')).stdout).toContain(`containers: on another machine (${host})`);
      const stop = await run('stop', '--json');
      expect(stop).toMatchObject({ exitCode: 0 });
      expect(JSON.parse(stop.stdout)).toMatchObject({ ports: [], containers: { ports: [] } });
      expect(docker.state().containers).toEqual([]);
      server.close();
    },
  );

  fullTest('a forced stop whose time is up says which containers are gone', async () => {
    const { project, docker, run } = await shop();
    await using _project = project;
    const stop = async () => {
      const { exitCode, stdout } = await run('stop', '--force', '--json');
      expect(exitCode).toBe(4);
      return (JSON.parse(stdout) as StopReport).containers;
    };
    await run('start', '--containers');
    docker.set({ stuck: 'db' });
    // Of the 5 s of a forced stop a busy machine may leave none for the last question.
    const why = expect.stringMatching(/^the engine (has it as running|at .* does not answer)$/);
    expect(await stop()).toMatchObject({
      containers: [
        { service: 'db', outcome: 'left', why },
        { service: 'cache', outcome: 'removed', why: null },
      ],
    });
    docker.set({ stuck: undefined });
    await run('start', '--containers');
    docker.set({ stuck: 'db' });
    docker.onRemoved = () => docker.set({ mode: 'silent' });
    expect(await stop()).toMatchObject({
      unknown: expect.stringMatching(/^1 container: not known, the engine .* does not answer$/),
      containers: [
        { service: 'db', outcome: 'left', why: expect.stringContaining('does not answer') },
        { service: 'cache', outcome: 'removed', why: null },
      ],
    });
    docker.onRemoved = () => {};
    docker.set({ mode: undefined, stuck: undefined });
    expect(await run('stop')).toMatchObject({ exitCode: 0 });
    expect(docker.state().containers).toEqual([]);
  });

  fullTest('an engine that goes away during a stop without records is exit code 4', async () => {
    const { project, docker, run } = await shop();
    await using _project = project;
    await run('start', '--containers');
    rmSync(record(project));
    docker.onRemoved = () => docker.set({ mode: 'down' });
    const env = { ...docker.env, XDG_STATE_HOME: project.file('state') };
    const stop = await devctlWith(project, { env }, 'stop');
    expect(stop).toMatchObject({ exitCode: 4 });
    expect(stop.stdout).toContain('container db (');
    expect(stop.stdout).toContain('✗ networks: not known, no Docker engine answers');
    docker.set({ mode: undefined });
    expect(await run('stop')).toMatchObject({ exitCode: 0 });
    expect([docker.state().containers, docker.state().networks]).toEqual([[], []]);
  });

  fullTest(
    'a damaged record says that there were containers; that of another manifest is left alone',
    async () => {
      const { project, docker, run } = await shop();
      await using _project = project;
      await run('start');
      const good = readFileSync(record(project), 'utf8');
      project.write('.pids/containers.json', '{');
      docker.set({ mode: 'down' });
      expect(await run('stop')).toMatchObject({ exitCode: 4 });
      docker.set({ mode: undefined });
      project.write('.pids/containers.json', good);
      const other = { services: { x: service('sleeper') }, containers: {} };
      project.write('other.devctl.json', JSON.stringify(other));
      expect(await run('stop', '--config', 'other.devctl.json')).toMatchObject({ exitCode: 0 });
      expect(readFileSync(record(project), 'utf8')).toBe(good);
      expect(names(docker.state())).toEqual(['db', 'cache']);
      const refused = await run('start', '--containers', '--config', 'other.devctl.json');
      expect(refused).toMatchObject({ exitCode: 1 });
      expect(refused.stderr).toContain('another manifest');
      expect(await run('stop')).toMatchObject({ exitCode: 0 });
      expect(docker.state().containers).toEqual([]);
    },
  );

  fullTest('up gives up what compose is at work on, and takes it down', async () => {
    const { project, docker, run } = await shop();
    await using _project = project;
    docker.set({ becomes: { db: { Health: { Status: 'starting' } } } });
    const up = startDevctl(project, { env: docker.env }, 'up');
    await until(() => docker.state().containers.length === 2);
    up.kill('SIGINT');
    expect((await up).exitCode).toBe(130);
    expect(docker.state().containers).toEqual([]);
    expect(await run('stop')).toMatchObject({ exitCode: 0 });
    expect(project.oracle.everything()).toEqual([]);
  });

  fullTest('what the engine refuses is left, and told', async () => {
    const { project, docker, run } = await shop();
    await using _project = project;
    await run('start');
    docker.set({ fails: 'rm ' });
    const stop = await run('stop');
    expect(stop).toMatchObject({ exitCode: 4 });
    expect(stop.stdout).toMatch(/container db \(.*\) is left: docker: Error response from daemon/);
    docker.set({ fails: undefined });
    expect(await run('stop')).toMatchObject({ exitCode: 0 });
  });

  fullTest.each(['stop', 'rm'])('a refused docker %s is tried twice, no more', async (command) => {
    const { project, docker, run } = await shop({ services: ['db'] });
    await using _project = project;
    const asked = () => docker.state().asked.filter((line) => line.startsWith(`${command} `));
    for (const [failures, exitCode] of [
      [undefined, 4],
      [1, 0],
    ] as const) {
      expect(await run('start')).toMatchObject({ exitCode: 0 });
      docker.set({ fails: `${command} `, failures, asked: [] });
      const stop = await run('stop');
      expect(stop, stop.stdout).toMatchObject({ exitCode });
      expect(asked()).toHaveLength(2);
      expect(names(docker.state())).toEqual(exitCode === 0 ? [] : ['db']);
      docker.set({ fails: undefined });
    }
    expect(project.oracle.everything()).toEqual([]);
  });

  fullTest('a container that comes up during a stop is named, and is exit code 4', async () => {
    const { project, docker, run } = await shop();
    await using _project = project;
    await run('start');
    docker.set({ returns: 'db' });
    const stop = await run('stop', '--json');
    expect(stop).toMatchObject({ exitCode: 4 });
    const { containers } = JSON.parse(stop.stdout) as StopReport;
    const [there] = docker.state().containers;
    const left = containers?.containers.filter(({ outcome }) => outcome === 'left');
    expect(left).toMatchObject([
      { service: 'db', id: there?.Id, why: 'the engine has it as running' },
    ]);
    expect(existsSync(record(project))).toBe(true);
    docker.set({ returns: undefined });
    expect(await run('stop')).toMatchObject({ exitCode: 0 });
    expect(docker.state().containers).toEqual([]);
  });

  fullTest('the containers alone: start, status, restart, stop', async () => {
    const { project, docker, run } = await shop();
    await using _project = project;
    const doctor = await run('doctor');
    expect(doctor.stdout).toMatch(
      /✓ containers +an engine answers at .*\n✓ containers +compose is/,
    );
    expect((await run('__complete', '--', 'start', '--containers', '')).stdout).toContain('cache');
    expect(await run('start', '--containers', 'db')).toMatchObject({ exitCode: 0 });
    expect(names(docker.state())).toEqual(['db']);
    expect((await run('status', '--containers')).stdout).toMatch(/\ndb +running/);
    expect(await run('restart', '--containers')).toMatchObject({ exitCode: 0 });
    expect(names(docker.state())).toEqual(['db', 'cache']);
    expect(await run('stop', '--containers', 'cache')).toMatchObject({ exitCode: 0 });
    expect(names(docker.state())).toEqual(['db']);
    const mistyped = await run('stop', '--containers', 'dbb');
    expect(mistyped).toMatchObject({ exitCode: 2 });
    expect(mistyped.stderr).toContain('it has db, cache');
    expect(names(docker.state())).toEqual(['db']);
    // With the last container its network goes.
    const stop = await run('stop', '--containers', 'db', '--json');
    expect(JSON.parse(stop.stdout)).toMatchObject({ containers: { left: false } });
    expect(docker.state().networks).toEqual([]);
    expect(docker.state().containers).toEqual([]);
    expect(await run('start', '--containers', 'nothing')).toMatchObject({ exitCode: 2 });
    expect(project.oracle.everything()).toEqual([]);
  });
});
