import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, test as everyTest, expect } from 'vitest';
import type { ContainersRecord } from '../../src/containers/record.ts';
import { killWithEngine } from '../support/containers-killed-engine.ts';
import { devctlWith, startDevctl } from '../support/devctl.ts';
import { type DockerEngine, IMAGE, startEngine, whyNoEngine } from '../support/docker-engine.ts';
import { service } from '../support/services.ts';
import { bothTest, fullTest, isFull } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

const why = whyNoEngine();
if (why !== null) {
  process.stderr.write(`\nSKIPPED: containers with a real Docker engine: ${why}\n\n`);
  everyTest.runIf(process.env.DEVCTL_CI === 'full')('a Docker engine can be run here', () => {
    expect(why).toBeNull();
  });
}

/** A database that is healthy after a second, and a task beside it that needs it. */
const COMPOSE = `
version: "3.8"
services:
  db:
    image: ${IMAGE}
    init: true
    command: [httpd, -f, -p, "8080", -h, /www]
    ports: ["127.0.0.1:18432:8080"]
    volumes: [dbdata:/data]
    healthcheck: {test: [CMD, wget, -q, -O-, "http://127.0.0.1:8080/"], interval: 1s}
  cache: {image: ${IMAGE}, init: true, command: [sleep, "100000"], stop_grace_period: 1s, depends_on: [db]}
volumes: {dbdata: {}}
`;
/** The same without a port that two cannot have. */
const PORTLESS = COMPOSE.replace(/ {4}ports.*\n/, '');
const MANIFEST = {
  services: { web: service('sleeper', [], { dependsOn: ['db'] }) },
  // To look for it takes two boots of Python.
  containers: isFull ? {} : { command: 'docker-compose' },
};

describe.runIf(why === null)('containers of a real Docker engine', () => {
  let engine: DockerEngine;
  beforeAll(async () => {
    engine = await startEngine();
  });
  afterAll(async () => {
    await engine[Symbol.asyncDispose]();
  });

  const shop = (compose = COMPOSE, manifest: object = MANIFEST) =>
    temporaryProject(manifest, { 'compose.yaml': compose }, 'shop');
  const run = (project: TemporaryProject, ...args: readonly string[]) =>
    devctlWith(project, { env: engine.env }, ...args);
  const networks = () =>
    engine
      .docker('network', 'ls', '-q', '--filter', 'label=devctl.project')
      .split('\n')
      .filter(Boolean);
  const volumes = () => engine.docker('volume', 'ls', '-q').split('\n').filter(Boolean);
  /** Volumes of an earlier test would make "shop" the name of another project. */
  const removeVolumes = () => {
    if (volumes().length > 0) engine.docker('volume', 'rm', ...volumes());
  };
  const record = (project: TemporaryProject): ContainersRecord | null => {
    const path = project.file('.pids/containers.json');
    return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as ContainersRecord) : null;
  };

  // Twenty rounds take two minutes on a busy machine.
  bothTest(
    'rounds of start and stop leave no container, network and process',
    { timeout: 600_000 },
    async () => {
      await using project = await shop();
      for (let round = 0; round < (isFull ? 20 : 1); round += 1) {
        const start = await run(project, 'start');
        expect(start, start.stderr).toMatchObject({ exitCode: 0 });
        expect(engine.containers()).toHaveLength(2);
        if (isFull) await until(async () => (await run(project, 'status')).exitCode === 0);
        const stop = await run(project, 'stop');
        expect(stop, stop.stdout + stop.stderr).toMatchObject({ exitCode: 0 });
        expect([engine.containers(), networks()]).toEqual([[], []]);
        expect(project.oracle.everything()).toEqual([]);
      }
      expect(engine.docker('volume', 'ls', '-q')).not.toBe('');
      if (!isFull) return;
      await run(project, 'start', '--containers');
      expect(await run(project, 'stop', '--volumes')).toMatchObject({ exitCode: 0 });
      expect(engine.docker('volume', 'ls', '-q')).toBe('');
    },
  );

  fullTest('a stack that was started by hand goes on, whatever devctl is asked for', async () => {
    await using project = await shop();
    const compose = (...args: readonly string[]) =>
      spawnSync('docker-compose', args, {
        cwd: project.root,
        env: { ...process.env, ...engine.env },
      });
    expect(compose('up', '-d').status).toBe(0);
    const before = engine.docker('ps', '--no-trunc', '--format', '{{.ID}} {{.Names}}');
    const start = await run(project, 'start');
    expect(start, start.stderr).toMatchObject({ exitCode: 5 });
    for (const words of [['stop'], ['stop', '--force'], ['stop', '--force', '--volumes']])
      expect(await run(project, ...words)).toMatchObject({ exitCode: 0 });
    expect(engine.docker('ps', '--no-trunc', '--format', '{{.ID}} {{.Names}}')).toBe(before);
    project.write('.devctl.json', JSON.stringify({ ...MANIFEST, containers: { adopt: 'use' } }));
    expect(await run(project, 'start')).toMatchObject({ exitCode: 0 });
    expect(await run(project, 'stop', '--force')).toMatchObject({ exitCode: 0 });
    expect(engine.docker('ps', '--no-trunc', '--format', '{{.ID}} {{.Names}}')).toBe(before);
    expect(engine.docker('volume', 'ls', '-q')).not.toBe('');
    expect(compose('down', '-v').status).toBe(0);
  });

  fullTest('look-alikes in containers survive stop and stop --force', async () => {
    const sweep = { patterns: ['lookalike'] };
    await using project = await shop(PORTLESS, { ...MANIFEST, sweep });
    const { root } = project;
    const start = await run(project, 'start');
    expect(start, start.stderr).toMatchObject({ exitCode: 0 });
    const { projectId = '' } = record(project) ?? {};
    const mark = `DEVCTL_PROJECT_ID=${projectId}`;
    const loop = ': lookalike; while :; do sleep 1; done';
    const id = engine
      .docker(
        'run',
        '-d',
        '--init',
        '-v',
        `${root}:${root}`,
        '-w',
        root,
        '-e',
        mark,
        '-e',
        'DEVCTL_PROJECT=x',
        IMAGE,
        'sh',
        '-c',
        loop,
      )
      .trim();
    const pid = engine.docker('inspect', '-f', '{{.State.Pid}}', id);
    for (const words of [['sweep'], ['stop'], ['stop', '--force']]) {
      const { exitCode, stdout, stderr } = await run(project, ...words);
      expect(exitCode, stdout + stderr).toBe(0);
      expect(engine.docker('inspect', '-f', '{{.State.Pid}}', id)).toBe(pid);
    }
    expect(engine.containers()).toEqual([id]);
    engine.docker('rm', '-f', id);
  });

  fullTest('an engine that is suspended or killed: the documented lines and codes', async () => {
    await using project = await shop();
    expect(await run(project, 'start')).toMatchObject({ exitCode: 0 });
    engine.signal('SIGSTOP');
    const status = await run(project, 'status');
    expect(status).toMatchObject({ exitCode: 3 });
    expect(status.stdout).toContain('does not answer, so this is what it said');
    const force = await run(project, 'stop', '--force', '--json');
    const report = JSON.parse(force.stdout) as {
      tookMs: number;
      containers: { unknown: string; tookMs: number };
    };
    expect(force.exitCode).toBe(4);
    expect(report.containers.unknown).toMatch(
      /^2 containers: not known, the engine .* does not answer$/,
    );
    expect(report.containers.tookMs).toBeLessThan(6_000);
    expect(project.oracle.everything()).toEqual([]);
    engine.signal('SIGCONT');
    await engine.kill();
    const down = await run(project, 'stop');
    expect(down).toMatchObject({ exitCode: 4 });
    expect(down.stdout).toContain('2 containers: not known, no Docker engine answers');
    await engine.start();
    const stop = await run(project, 'stop');
    expect(stop, stop.stdout).toMatchObject({ exitCode: 0 });
    expect([engine.containers(), networks()]).toEqual([[], []]);
  });

  fullTest(
    'a start that is killed while compose is at work is undone by the next stop',
    async () => {
      await using project = await shop(PORTLESS);
      const moments: readonly (() => boolean)[] = [
        () => record(project)?.state === 'intent',
        () => engine.containers().length > 0,
        () => engine.containers().length > 1,
        () => record(project)?.state === 'up',
      ];
      for (const moment of moments) {
        const starting = startDevctl(project, { env: engine.env }, 'start');
        await until(moment);
        starting.kill('SIGKILL');
        await starting;
        const stop = await run(project, 'stop');
        expect(stop, stop.stdout + stop.stderr).toMatchObject({ exitCode: 0 });
        expect([engine.containers(), networks()]).toEqual([[], []]);
        expect(project.oracle.everything()).toEqual([]);
      }
    },
  );

  fullTest(
    'a copy of the project runs beside it; with a fixed name it names the holder',
    async () => {
      await using project = await shop(PORTLESS);
      const copy = join(dirname(project.root), 'copy', 'shop');
      expect(await run(project, 'start')).toMatchObject({ exitCode: 0 });
      cpSync(project.root, copy, { recursive: true, filter: (path) => !path.includes('/.pids/') });
      const there = { ...project, root: copy, file: (name: string) => join(copy, name) };
      const inCopy = (...args: readonly string[]) =>
        devctlWith(there, { env: engine.env, cwd: copy }, ...args);
      const second = await inCopy('start');
      expect(second, second.stderr).toMatchObject({ exitCode: 0 });
      // Compose would call both of them "shop".
      expect(second.stderr).toMatch(
        /the compose project is shop-[0-9a-f]{6}, .* its volumes are new/,
      );
      expect(engine.containers()).toHaveLength(4);
      expect(await inCopy('stop')).toMatchObject({ exitCode: 0 });
      expect(engine.containers()).toHaveLength(2);
      const fixed = PORTLESS.replace('  db:\n', '  db:\n    container_name: the-db\n');
      project.write('compose.yaml', fixed);
      expect(await run(project, 'start')).toMatchObject({ exitCode: 0 });
      cpSync(project.file('compose.yaml'), join(copy, 'compose.yaml'));
      const refused = await inCopy('start');
      expect(refused).toMatchObject({ exitCode: 5 });
      expect(refused.stderr).toContain('the name the-db is held by the container the-db (');
      expect(engine.containers()).toHaveLength(2);
      expect(await run(project, 'stop', '--volumes')).toMatchObject({ exitCode: 0 });
      expect(await inCopy('stop', '--volumes')).toMatchObject({ exitCode: 0 });
      expect(engine.containers()).toEqual([]);
    },
  );

  fullTest(
    'two worktrees run side by side; with a fixed name or host port the second is refused before anything is made',
    async () => {
      removeVolumes();
      await using project = await shop(PORTLESS);
      project.write('.gitignore', '.pids\n');
      const git = (...args: readonly string[]) =>
        execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args], {
          cwd: project.root,
          stdio: 'pipe',
        });
      git('init', '-q');
      git('add', '-A');
      git('commit', '-q', '-m', 'shop');
      const tree = join(dirname(project.root), 'tree', 'shop');
      git('worktree', 'add', '-q', tree);
      const second = { ...project, root: tree, file: (name: string) => join(tree, name) };
      const main = (...args: readonly string[]) => run(project, ...args);
      const linked = (...args: readonly string[]) => run(second, ...args);
      const onEngine = () =>
        [
          ['ps', '-a', '--format', '{{.ID}} {{.Status}}'],
          ['network', 'ls'],
          ['volume', 'ls'],
        ]
          .map((words) => engine.docker(...words).replaceAll(/Up .*/g, 'Up'))
          .join('');

      for (const [compose, held] of [
        [PORTLESS.replace('  db:\n', '  db:\n    container_name: the-db\n'), 'name the-db'],
        [COMPOSE, 'port 18432'],
      ] as const) {
        for (const folder of [project, second]) writeFileSync(folder.file('compose.yaml'), compose);
        expect(await main('start')).toMatchObject({ exitCode: 0 });
        const before = onEngine();
        const refused = await linked('start');
        expect(refused, refused.stderr).toMatchObject({ exitCode: 5 });
        // It says so once.
        expect(refused.stderr.includes('its volumes are new')).toBe(held === 'name the-db');
        const holder = held.startsWith('name') ? 'the-db' : 'shop_db_1';
        expect(refused.stderr).toContain(`db: the ${held}`.replace('the port', 'port'));
        expect(refused.stderr).toContain(`is held by the container ${holder} (`);
        expect(onEngine()).toBe(before);
        expect(existsSync(second.file('.pids/containers.json'))).toBe(false);
        expect(project.oracle.processes()).toHaveLength(1);
        expect(await linked('stop')).toMatchObject({ exitCode: 0 });
        expect(onEngine()).toBe(before);
        expect(await main('stop')).toMatchObject({ exitCode: 0 });
      }

      for (const folder of [project, second]) writeFileSync(folder.file('compose.yaml'), PORTLESS);
      for (const [first, other] of [
        [main, linked],
        [linked, main],
      ] as const) {
        const ids: (readonly string[])[] = [];
        for (const start of [first, other]) {
          const { exitCode, stderr } = await start('start');
          expect(exitCode, stderr).toBe(0);
          ids.push(engine.containers().filter((id) => !ids.flat().includes(id)));
        }
        expect(ids.map(({ length }) => length)).toEqual([2, 2]);
        expect(await first('stop')).toMatchObject({ exitCode: 0 });
        expect([...engine.containers()].sort()).toEqual([...(ids[1] ?? [])].sort());
        expect(networks()).toHaveLength(1);
        expect(await other('stop')).toMatchObject({ exitCode: 0 });
        expect([engine.containers(), networks()]).toEqual([[], []]);
      }
      expect(volumes()).toEqual(
        expect.arrayContaining(['shop_dbdata', expect.stringMatching(/^shop-[0-9a-f]{6}_dbdata$/)]),
      );
      for (const stop of [main, linked])
        expect(await stop('stop', '--volumes')).toMatchObject({ exitCode: 0 });
      expect(volumes()).toEqual([]);
      expect(project.oracle.everything()).toEqual([]);
    },
  );

  fullTest('the engine of the start is asked, wherever DOCKER_HOST leads by then', async () => {
    await using other = await startEngine();
    await using project = await shop(PORTLESS);
    expect(await run(project, 'start')).toMatchObject({ exitCode: 0 });
    const env = { ...engine.env, DOCKER_HOST: other.env.DOCKER_HOST ?? '' };
    const elsewhere = (...args: readonly string[]) => devctlWith(project, { env }, ...args);
    expect((await elsewhere('status')).stdout).toMatch(/\ndb +healthy/);
    // A start does not scatter them over two engines either.
    expect(await elsewhere('start')).toMatchObject({ exitCode: 0 });
    expect(other.containers()).toEqual([]);
    const stop = await elsewhere('stop');
    expect(stop, stop.stdout).toMatchObject({ exitCode: 0 });
    expect([engine.containers(), networks()]).toEqual([[], []]);
    expect(await run(project, 'stop', '--volumes')).toMatchObject({ exitCode: 0 });
  });

  fullTest(
    'a volume and a network keep their own names and options; what is external is never removed',
    async () => {
      removeVolumes();
      const base = `${PORTLESS.replace('volumes: {dbdata: {}}', '')}
networks:
  default: {name: own-net, internal: yes}
  outside: {external: true, name: theirs}
volumes: {dbdata: {name: own-data, labels: [mine=1]}, old: {external: true}}
`;
      const over = `
version: "3.8"
services: {cache: {networks: [outside], volumes: [old:/old]}}
networks: {outside: {}}
`;
      await using project = await shop(base, {
        ...MANIFEST,
        containers: { ...MANIFEST.containers, file: ['compose.yaml', 'over.yaml'] },
      });
      project.write('over.yaml', over);
      engine.docker('network', 'create', 'theirs');
      engine.docker('volume', 'create', 'old');
      const start = await run(project, 'start');
      expect(start, start.stderr).toMatchObject({ exitCode: 0 });
      const names = (kind: string) =>
        engine.docker(kind, 'ls', '--format', '{{.Name}}').split('\n').filter(Boolean).sort();
      expect(names('network')).toEqual(['bridge', 'host', 'none', 'own-net', 'theirs']);
      expect(engine.docker('network', 'inspect', '-f', '{{.Internal}}', 'own-net')).toBe('true\n');
      expect(names('volume')).toEqual(['old', 'own-data']);
      expect(engine.docker('volume', 'inspect', '-f', '{{.Labels.mine}}', 'own-data')).toBe('1\n');
      const stop = await run(project, 'stop', '--force', '--volumes');
      expect(stop, stop.stdout).toMatchObject({ exitCode: 0 });
      expect(names('network')).toEqual(['bridge', 'host', 'none', 'theirs']);
      expect(names('volume')).toEqual(['old']);
      engine.docker('network', 'rm', 'theirs');
      engine.docker('volume', 'rm', 'old');
    },
  );

  fullTest(
    'devctl is killed wherever it speaks with the engine: one stop leaves nothing of ours, and all that is not',
    { timeout: 1_800_000 },
    async () => {
      const { failures, missed, kills } = await killWithEngine(engine);
      expect(failures.join('\n\n')).toBe('');
      expect(missed.length, missed.join('\n')).toBeLessThanOrEqual(Math.ceil(kills.length / 10));
      expect([engine.containers(), networks()]).toEqual([[], []]);
    },
  );
});
