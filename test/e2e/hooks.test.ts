import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect } from 'vitest';
import { cleanEnvironment } from '../support/clean-environment.ts';
import { devctl, devctlWith } from '../support/devctl.ts';
import { repositoryRoot } from '../support/paths.ts';
import { startReport, statusReport, stopReport } from '../support/reports.ts';
import { service } from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

/** A hook that adds a line to the file `events`. */
const NOTE =
  'echo "$DEVCTL_EVENT_NAME $DEVCTL_EVENT_SERVICE $DEVCTL_EVENT_COUNT: $DEVCTL_EVENT_REASON" >> events';
const DEVCTL = `'${process.execPath}' '${join(repositoryRoot, 'bin', 'devctl.js')}'`;
/** Leaves a process in a session of its own, which nothing but its environment ties to us. */
const LEAVE = 'setsid sleep 1000 </dev/null >/dev/null 2>&1 &';
/** Ends with code 3 when the file `go` comes. */
const ENDS = 'until test -f go; do sleep 0.05; done; exit 3';

function eventsOf(project: TemporaryProject): readonly string[] {
  const file = project.file('events');
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
}

function logOf(project: TemporaryProject): string {
  return readFileSync(project.file('.pids/supervisor.log'), 'utf8');
}

async function endsInNothing(project: TemporaryProject): Promise<void> {
  const { exitCode, report, stderr } = await stopReport(project);
  expect(exitCode, stderr).toBe(0);
  expect(report.survivors).toEqual([]);
  // The runs of hooks have records, so the proof is as good as without them.
  expect(report.proof.strength).toBe('complete');
  expect(project.oracle.everything()).toEqual([]);
}

test('hooks tell of each event once, and nothing that they leave outlives the stop', async () => {
  const all = ['ready', 'unhealthy', 'exited', 'failed', 'stopped'];
  const on = Object.fromEntries(all.map((name) => [name, `${LEAVE} ${NOTE}`]));
  await using project = await temporaryProject({
    services: {
      ends: { command: ENDS, on },
      lives: service('sleeper', [], {
        ready: { exec: 'true' },
        live: { exec: 'test ! -f sick', interval: '50ms', failures: 1 },
        on,
      }),
    },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  await until(() => eventsOf(project).length === 2);
  expect(eventsOf(project).toSorted()).toEqual(['ready ends 1: ', 'ready lives 1: ']);
  const { report: status } = await statusReport(project);
  expect(status.orphans.map(({ service: of }) => of).toSorted()).toEqual([
    'ends:on:ready',
    'lives:on:ready',
  ]);

  // Neither a shell nor a terminal sees anything but the text.
  project.write('sick', '');
  await until(() => eventsOf(project).length === 3);
  expect(eventsOf(project)[2]).toMatch(/^unhealthy lives 1: its liveness probe failed/);
  project.write('go', '');
  await until(() => eventsOf(project).length === 5);
  expect(eventsOf(project).slice(3).toSorted()).toEqual([
    'exited ends 1: exited with code 3',
    'failed ends 1: exited with code 3',
  ]);

  await endsInNothing(project);
  // Nothing of `ends` was left to be stopped.
  expect(eventsOf(project).slice(5)).toEqual(['stopped lives 1: ']);
});

fullTest('of a crash loop one hook runs, and the restarts do not end it', async () => {
  const restart = { policy: 'always', backoff: '10ms', maxBackoff: '10ms', maxRestarts: 1_000 };
  const exited = `${NOTE}; until test -f enough; do sleep 0.05; done; echo done >> events`;
  await using project = await temporaryProject({
    services: { loop: { command: 'exit 3', restart, on: { exited } } },
  });
  await devctl(project, 'start');
  await until(async () => {
    const { report } = await statusReport(project);
    return (report.services[0]?.restarts ?? 0) > 5;
  });
  expect(eventsOf(project)).toHaveLength(1);
  project.write('enough', '');
  // The next one stands for all that came meanwhile.
  await until(() => eventsOf(project).length >= 4);
  expect(eventsOf(project)[1]).toBe('done');
  expect(Number(/exited loop (\d+):/.exec(eventsOf(project)[2] ?? '')?.[1])).toBeGreaterThan(4);
  await endsInNothing(project);
});

fullTest('a hook that hangs delays neither a stop nor its proof', async () => {
  const hang = `${NOTE}; trap '' TERM; sleep 1000`;
  await using project = await temporaryProject({
    services: {
      lives: service('sleeper', [], { on: { ready: hang, stopped: hang } }),
      other: service('sleeper'),
    },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  await until(() => eventsOf(project).length === 1);
  const status = await statusReport(project);
  expect([status.exitCode, status.report.orphans]).toEqual([0, []]);
  const { exitCode, report } = await stopReport(project);
  expect(exitCode).toBe(0);
  expect(report.problems).toContain(
    'lives: its hook for "stopped" took longer than 5 s, so it was ended',
  );
  // The hook began after the end of every service, so its 5 s are in the time of none that it has left nothing of.
  const other = report.services.find(({ name }) => name === 'other');
  expect(report.tookMs - (other?.tookMs ?? report.tookMs)).toBeGreaterThanOrEqual(4_900);
  expect(project.oracle.everything()).toEqual([]);
  expect(eventsOf(project)).toEqual(['ready lives 1: ', 'stopped lives 1: ']);
});

fullTest('stop --force and restarts by policy run no hook for stopped', async () => {
  await using project = await temporaryProject({
    services: {
      lives: service('sleeper', [], {
        live: { exec: 'test ! -f sick', interval: '50ms', failures: 1 },
        restart: { policy: 'on-failure', backoff: '10ms' },
        on: { ready: `rm -f sick; ${NOTE}`, stopped: NOTE },
      }),
    },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  await until(() => eventsOf(project).length === 1);
  project.write('sick', '');
  await until(async () => (await statusReport(project)).report.services[0]?.restarts === 1);
  expect(await devctl(project, 'stop', '--force')).toMatchObject({ exitCode: 0 });
  expect(eventsOf(project).filter((line) => line.startsWith('stopped'))).toEqual([]);
  expect(project.oracle.everything()).toEqual([]);
});

fullTest('events that wait are told although nothing runs any more', async () => {
  const restart = { policy: 'always', backoff: '10ms', maxRestarts: 3 };
  await using project = await temporaryProject({
    services: { ends: { command: 'exit 3', restart, on: { exited: NOTE } } },
  });
  await devctl(project, 'start');
  await until(() => eventsOf(project).length === 2);
  expect(eventsOf(project)).toEqual([
    expect.stringMatching(/^exited ends 1: exited with code 3; restart 1/),
    expect.stringMatching(/^exited ends 3: exited with code 3; given up/),
  ]);
  await until(() => project.oracle.everything().length === 0);
});

fullTest('a stop at a limit of the project is told before it', async () => {
  await using project = await temporaryProject({
    notify: `sleep 0.5; ${NOTE}`,
    limits: { processes: 1, action: 'stop' },
    services: { one: service('sleeper'), other: service('sleeper') },
  });
  await devctl(project, 'start');
  await until(() => project.oracle.everything().length === 0);
  expect(eventsOf(project)).toEqual([expect.stringMatching(/^limit {2}1: 2 processes/)]);
});

test('a hook may stop or restart, also its own service', async () => {
  await using project = await temporaryProject({
    services: {
      ends: {
        command: ENDS,
        on: { failed: `rm go; ${DEVCTL} restart ends >restarted 2>&1; ${NOTE}` },
      },
      lives: service('sleeper', [], {
        live: { exec: 'test ! -f sick', interval: '50ms', failures: 1 },
        on: { unhealthy: `${DEVCTL} stop` },
      }),
    },
  });
  const started = await startReport(project);
  expect(started.exitCode).toBe(0);
  const pidOf = async (name: string) => {
    const { report } = await statusReport(project);
    return report.services.find((one) => one.name === name)?.pid ?? null;
  };
  const before = await pidOf('ends');
  project.write('go', '');
  await until(() => eventsOf(project).length === 1);
  const after = await pidOf('ends');
  expect(after, readFileSync(project.file('restarted'), 'utf8')).not.toBeNull();
  expect(after).not.toBe(before);

  project.write('sick', '');
  await until(
    () => project.oracle.everything().length === 0,
    () => JSON.stringify(project.oracle.everything().map(({ argv }) => argv)),
  );
  expect(existsSync(project.file('.pids/services/lives.json'))).toBe(false);
});

test('notify runs a command, or notify-send where a session bus is', async () => {
  await using project = await temporaryProject({
    notify: `${NOTE}; exit 4`,
    services: { ends: { command: ENDS } },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  project.write('go', '');
  await until(() => logOf(project).includes('ends:notify:failed: its command exited with code 4'));
  expect(eventsOf(project)).toEqual(['failed ends 1: exited with code 3']);
  await endsInNothing(project);

  const notifySend = (text: string) =>
    chmodSync(project.write('bin/notify-send', `#!/bin/sh\n${text}`), 0o755);
  const desktop = { notify: 'desktop', name: 'shop', services: { ends: { command: 'exit 3' } } };
  project.write('.devctl.json', JSON.stringify(desktop));
  const env = {
    PATH: `${project.file('bin')}:${process.env.PATH}`,
    DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nowhere',
  };
  notifySend('echo "$# $2 $3" >> sent');
  await devctlWith(project, { env }, 'start');
  await until(() => existsSync(project.file('sent')));
  expect(readFileSync(project.file('sent'), 'utf8')).toBe(
    '3 devctl: shop ends has failed: exited with code 3\n',
  );
  expect((await devctlWith(project, { env }, 'doctor')).stdout).toContain(
    'are shown on the desktop',
  );
  await endsInNothing(project);

  notifySend('exec sleep 1000');
  await devctlWith(project, { env }, 'start');
  await until(() => logOf(project).includes('its command took longer than 2 s'));
  await endsInNothing(project);

  await devctl(project, 'start');
  await until(() => logOf(project).includes('nobody was told: there is no session bus'));
  expect((await devctl(project, 'doctor')).stdout).toMatch(/nobody is told of a failure/);
  await endsInNothing(project);
});

test('up has its terminal show a failure on the desktop, and writes nothing of it elsewhere', async () => {
  await using project = await temporaryProject({
    notify: 'desktop',
    name: 'shop',
    services: { ends: { command: 'exit 3' }, lives: service('sleeper') },
  });
  const up = `${DEVCTL} up --abort-on-exit`;
  const options = {
    cwd: project.root,
    env: { ...cleanEnvironment(), ...project.env },
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
  } as const;
  const seen = await execa('script', ['-qec', up, '/dev/null'], options);
  expect(seen.stdout).toContain('\x1b]9;devctl: shop: ends has failed: exited with code 3\x07');
  expect(seen.stdout).toContain(
    '\x1b]777;notify;devctl: shop;ends has failed: exited with code 3\x07',
  );
  const piped = await execa('/bin/sh', ['-c', up], { ...options, all: true });
  expect(piped.all).toContain('ends failed');
  expect(piped.all).not.toContain('\x1b]');
  await until(() => project.oracle.everything().length === 0);
});
