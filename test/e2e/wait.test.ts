import { expect } from 'vitest';
import { devctl, startDevctl } from '../support/devctl.ts';
import { freePort } from '../support/free-ports.ts';
import { fixture } from '../support/paths.ts';
import { service } from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { temporaryProject } from '../support/temporary-project.ts';

test('wait: for ready, a log line, a port and an end, also before anybody has started the service', async () => {
  const port = await freePort();
  await using project = await temporaryProject({
    services: {
      web: service('tcp-server', [String(port)], { ports: [port] }),
      plain: { command: 'echo "listening on 4711"; exec sleep 100' },
      task: { command: 'echo one; printf two', oneShot: true },
      bad: { command: 'echo no database; exit 3', autostart: false },
    },
  });
  // Nothing runs yet.
  expect(await devctl(project, 'wait', 'web', '--timeout', '0')).toMatchObject({
    exitCode: 124,
    stderr: expect.stringContaining('web: after'),
  });
  const waiting = startDevctl(project, {}, 'wait', '--for', 'port', 'web');
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  expect(await waiting).toMatchObject({ exitCode: 0, stderr: 'devctl: web listens' });
  expect(await devctl(project, 'wait')).toMatchObject({
    exitCode: 0,
    stderr: expect.stringMatching(/web ready[\s\S]*plain running|plain running[\s\S]*web ready/),
  });
  // Written before the wait began, by this life.
  expect(await devctl(project, 'wait', 'plain', '--for', 'log=listening on \\d+')).toMatchObject({
    exitCode: 0,
  });
  for (const line of ['one', 'two']) {
    expect(await devctl(project, 'wait', 'task', '--for', `log=${line}`)).toMatchObject({
      exitCode: 0,
    });
  }
  const missing = ['wait', 'plain', '--for', 'log=never', '--timeout', '100ms'];
  expect(await devctl(project, ...missing)).toMatchObject({
    exitCode: 124,
    stderr: expect.stringContaining('  | listening on 4711'),
  });
  const [failing] = await Promise.all([
    devctl(project, 'wait', 'bad', '--json'),
    devctl(project, 'start', 'bad'),
  ]);
  expect(failing.exitCode).toBe(1);
  expect(JSON.parse(failing.stdout)).toMatchObject({
    ok: false,
    for: 'ready',
    timedOut: false,
    services: [
      { name: 'bad', verdict: 'failed', what: 'exited with code 3', lastLines: ['no database'] },
    ],
  });
  // It can no longer come, so it is no timeout.
  expect(await devctl(project, 'wait', 'bad', '--timeout', '0')).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('no database'),
  });
  expect(await devctl(project, 'wait', 'bad', '--for', 'exited')).toMatchObject({ exitCode: 0 });
  expect(await devctl(project, 'wait', 'bad', '--for', 'completed')).toMatchObject({ exitCode: 1 });
});

test('wait refuses what can never come', async () => {
  await using project = await temporaryProject({ services: { web: service('sleeper') } });
  for (const [args, text] of [
    [['--for', 'port'], 'web declares no port'],
    [['--for', 'started'], 'not an event'],
    [['--for', 'log=('], 'is not a regular expression'],
    [['--timeout', '60'], '60 what?'],
    [['nobody'], 'no service or group'],
  ] as const) {
    const { exitCode, stderr } = await devctl(project, 'wait', ...args);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining(text)]);
  }
});

fullTest('a line of an earlier life does not count, and a stop is an end', async () => {
  await using project = await temporaryProject({
    services: {
      web: { command: 'test -f again || echo first; exec sleep 100', live: { exec: 'true' } },
      other: { command: fixture('sleeper') },
    },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const first = ['wait', 'web', '--for', 'log=first', '--timeout', '200ms'];
  expect(await devctl(project, ...first)).toMatchObject({ exitCode: 0 });
  expect(await devctl(project, 'wait', 'web', '--for', 'healthy')).toMatchObject({ exitCode: 0 });
  expect(await devctl(project, 'wait', '--for', 'healthy')).toMatchObject({ exitCode: 2 });
  project.write('again', '');
  expect(await devctl(project, 'restart', 'web')).toMatchObject({ exitCode: 0 });
  expect(await devctl(project, ...first)).toMatchObject({ exitCode: 124 });
  const ended = startDevctl(project, {}, 'wait', 'web', '--for', 'exited');
  // It may see the service first only when it is gone, and would then wait for the next one.
  await devctl(project, 'wait', 'web');
  expect(await devctl(project, 'stop', 'web')).toMatchObject({ exitCode: 0 });
  expect(await ended).toMatchObject({ exitCode: 0, stderr: 'devctl: web was stopped' });
});
