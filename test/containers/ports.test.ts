import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { describe, expect } from 'vitest';
import { patienceFor, waitForPorts } from '../../src/containers/ports.ts';
import { monotonicMs } from '../../src/processes/clock.ts';
import { openHost } from '../../src/processes/real-host.ts';
import type { ProcessInfo } from '../../src/processes/snapshot.ts';
import type { StopReport } from '../../src/stopping/report.ts';
import { shop } from '../support/container-shop.ts';
import { freePort } from '../support/free-ports.ts';
import { fullTest, test } from '../support/sets.ts';

async function listen(port: number): Promise<Server> {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

/** Starts a program that has the name of Docker's proxy, and the port, for so many seconds. */
async function startProxy(port: number, seconds: number): Promise<void> {
  const script = `use IO::Socket::INET; $0 = 'docker-proxy';
    my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => ${port}, Listen => 1) or die;
    $| = 1; print 'ready'; sleep ${seconds}`;
  const proxy = spawn('perl', ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(proxy.stdout, 'data');
}

describe('ports that containers have published', () => {
  const named = (name: string, state = 'S') => ({
    process: { name, state } as ProcessInfo,
  });

  test.each<[string, Parameters<typeof patienceFor>, ms: number]>([
    ['another program', [named('node'), false, 9], 2_000],
    ['another program, by force', [named('node'), true, 9], 500],
    ["the engine's proxy", [named('docker-proxy'), false, 0.5], 5_000],
    ["the engine's proxy, on a busy machine", [named('docker-proxy'), true, 3], 15_000],
    [
      'a suspended proxy, which does not end by itself',
      [named('docker-proxy', 'T'), false, 3],
      5_000,
    ],
    ['a process that cannot be seen', [{ process: null }, false, 3], 15_000],
  ])('%s is waited for', (_who, args, ms) => {
    expect(patienceFor(...args)).toBe(ms);
  });

  fullTest(
    'one that is held after the wait is told with its holder; one that becomes free is free',
    async () => {
      const [held, freed] = [await listen(0), await listen(0)].map((server) => ({
        server,
        port: (server.address() as { port: number }).port,
      }));
      if (!held || !freed) throw new Error('two ports');
      const ports = new Map([
        [held.port, 'db'],
        [freed.port, 'cache'],
      ]);
      const wait = { force: false, forced: () => false, untilMs: Number.POSITIVE_INFINITY };
      setTimeout(() => freed.server.close(), 200);
      const holder = expect.stringContaining(`(pid ${process.pid})`);
      expect(await waitForPorts(openHost(), ports, wait)).toEqual([
        { port: held.port, protocol: 'tcp', service: 'db', free: false, holder },
        { port: freed.port, protocol: 'tcp', service: 'cache', free: true, holder: null },
      ]);
      // A forced stop has no time left: it looks once.
      const host = openHost();
      let looks = 0;
      const counting = { snapshot: () => host.snapshot().finally(() => (looks += 1)) };
      const over = { force: true, forced: () => false, untilMs: monotonicMs() };
      expect(await waitForPorts(counting, ports, over)).toMatchObject([{ free: false }, {}]);
      expect(looks).toBe(1);
      held.server.close();
    },
  );

  fullTest(
    'a stranger that takes one the moment its container is gone is told: exit code 5',
    async () => {
      const { project, docker, run } = await shop();
      await using _project = project;
      const port = await freePort();
      docker.set({ ports: { db: String(port) } });
      for (const words of [['stop'], ['stop', '--containers'], ['stop', '--force']]) {
        expect(await run('start')).toMatchObject({ exitCode: 0 });
        const strangers: Server[] = [];
        docker.onRemoved = async () => void strangers.push(await listen(port));
        const stop = await run(...words);
        expect(stop, stop.stdout + stop.stderr).toMatchObject({ exitCode: 5 });
        const told = `! db: port ${port} is held by a process that is not ours: `;
        expect(stop.stderr).toContain(told);
        expect(stop.stderr).toContain(`(pid ${process.pid})`);
        // Nothing of ours is left, so the next stop has nothing to say.
        const again = await run('stop', '--json');
        expect(again).toMatchObject({ exitCode: 0 });
        for (const stranger of strangers) stranger.close();
      }
      docker.onRemoved = () => {};
      expect(await run('start')).toMatchObject({ exitCode: 0 });
      const free = await run('stop', '--json');
      const { ports, containers } = JSON.parse(free.stdout) as StopReport;
      const one = { port, protocol: 'tcp', service: 'db', free: true, holder: null };
      expect([ports, containers?.ports]).toEqual([[one], [one]]);
      expect(project.oracle.everything()).toEqual([]);
    },
  );

  fullTest("the engine's proxy that ends late is waited for", async () => {
    const { project, docker, run } = await shop();
    await using _project = project;
    const port = await freePort();
    docker.set({ ports: { db: String(port) } });
    expect(await run('start', '--containers')).toMatchObject({ exitCode: 0 });
    docker.onRemoved = () => startProxy(port, 3);
    const stop = await run('stop');
    expect(stop, stop.stdout + stop.stderr).toMatchObject({ exitCode: 0 });
    expect(stop.stdout).toContain(`, port ${port} free`);
  });

  fullTest(
    'a port of a container that has never run, or that is up again, is not asked for',
    async () => {
      const { project, docker, run } = await shop();
      await using _project = project;
      const port = await freePort();
      docker.set({ ports: { db: String(port) } });
      expect(await run('start', '--containers', 'db')).toMatchObject({ exitCode: 0 });
      const holder = await listen(port);
      docker.set({ returns: 'db' });
      const left = await run('stop', '--containers', '--json');
      expect(left).toMatchObject({ exitCode: 4 });
      expect(JSON.parse(left.stdout)).toMatchObject({ containers: { left: true, ports: [] } });
      const created = docker.state().containers.map((one) => ({
        ...one,
        State: { Status: 'created' },
      }));
      docker.set({ returns: undefined, containers: created });
      expect(await run('stop', '--containers')).toMatchObject({ exitCode: 0 });
      expect(docker.state().containers).toEqual([]);
      holder.close();
    },
  );
});
