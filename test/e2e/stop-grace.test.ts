import { existsSync, readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { hasControlGroups } from '../support/control-groups.ts';
import { devctl, devctlWith } from '../support/devctl.ts';
import { stopReport } from '../support/reports.ts';
import { hasSubreaper, service, signalSupervisor } from '../support/services.ts';
import { fullTest, modeTest, test } from '../support/sets.ts';
import { temporaryProject } from '../support/temporary-project.ts';

test('the whole tree of a service has the grace period, not just the leader', async () => {
  await using project = await temporaryProject({
    stopGrace: '10s',
    services: { web: service('needs-grace', ['cleaned', '1500']) },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const { exitCode, report } = await stopReport(project);
  expect(exitCode).toBe(0);
  expect(readFileSync(project.file('cleaned'), 'utf8')).toBe('cleaned');
  expect(report.processes.map(({ endedBy }) => endedBy)).toEqual(['SIGTERM', 'SIGTERM']);
  expect(project.oracle.everything()).toEqual([]);
});

fullTest('--grace shortens the grace period', async () => {
  await using project = await temporaryProject({
    stopGrace: '10m',
    services: {
      web: service('stubborn', ['2']),
      late: service('needs-grace', ['cleaned', '60000']),
    },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const { exitCode, report } = await stopReport(project, '--grace', '300ms');
  expect(exitCode).toBe(0);
  expect(report.forced).toBe(false);
  expect(existsSync(project.file('cleaned'))).toBe(false);
  expect(report.processes.some(({ endedBy }) => endedBy === 'SIGKILL')).toBe(true);
  expect(project.oracle.everything()).toEqual([]);
});

fullTest('--force with --grace gives that grace period', async () => {
  await using project = await temporaryProject({
    services: { web: service('needs-grace', ['cleaned', '1000'], { stop: { grace: '10m' } }) },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const { exitCode, report } = await stopReport(project, '--force', '--grace', '30s');
  expect({ exitCode, forced: report.forced }).toEqual({ exitCode: 0, forced: true });
  expect(readFileSync(project.file('cleaned'), 'utf8')).toBe('cleaned');
  expect(report.processes.map(({ endedBy }) => endedBy)).not.toContain('SIGKILL');
});

test('a stubborn tree is killed after its own grace period, within ten seconds', async () => {
  await using project = await temporaryProject({
    services: { web: service('stubborn', ['3']), db: service('stubborn', ['1']) },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const { exitCode, report } = await stopReport(project);
  expect(exitCode).toBe(0);
  expect(report.processes.length).toBe(6);
  for (const { signals, endedBy } of report.processes) {
    expect(signals[0]).toBe('SIGTERM');
    expect(endedBy).toBe('SIGKILL');
  }
  expect(report.tookMs).toBeLessThan(10_000);
  expect(project.oracle.everything()).toEqual([]);
});

test('--force waits for no service and runs no stop command', async () => {
  await using project = await temporaryProject({
    services: {
      web: service('stubborn', ['2'], { stop: { grace: '10m', command: 'touch commanded' } }),
    },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const { exitCode, report } = await stopReport(project, '--force');
  expect(exitCode).toBe(0);
  expect(report.forced).toBe(true);
  expect(existsSync(project.file('commanded'))).toBe(false);
  expect(project.oracle.everything()).toEqual([]);
});

test('the stop command runs first, in the folder of the service', async () => {
  await using project = await temporaryProject(
    {
      services: {
        web: {
          command: `trap 'echo signal >> ../order; exit' TERM; echo ready; while :; do sleep 0.05; done`,
          cwd: 'sub',
          ready: { log: '^ready$' },
          stop: { command: 'echo command >> ../order' },
        },
      },
    },
    { 'sub/.keep': '' },
  );
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
  expect(readFileSync(project.file('order'), 'utf8')).toBe('command\nsignal\n');
});

test('a stop command that fails, hangs or cannot be run is reported and delays nothing', async () => {
  await using project = await temporaryProject({
    services: {
      fails: service('sleeper', [], { stop: { command: 'exit 3', grace: '60s' } }),
      hangs: service('sleeper', [], { stop: { command: 'exec sleep 100', grace: '300ms' } }),
      // Longer than one argument may be (execve(2)).
      huge: service('sleeper', [], { stop: { command: `true ${'x'.repeat(200_000)}` } }),
    },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const { exitCode, report } = await stopReport(project);
  expect(exitCode).toBe(0);
  const problems = report.problems.join('\n');
  expect(problems).toMatch(/fails: its stop command exited with code 3/);
  // SIGTERM as a rule; on a busy machine it may be found only when it is too late to ask.
  expect(problems).toMatch(
    /hangs: its stop command took longer than the grace period: SIG(TERM|KILL)/,
  );
  expect(problems).toMatch(/huge: its stop command could not be run: .*E2BIG/);
  expect(project.oracle.everything()).toEqual([]);
});

test('stop sends the stop signal of the service', async () => {
  const command = `trap 'echo int > got; exit' INT; trap 'echo term > got; exit' TERM;
    echo ready; while :; do sleep 0.05; done`;
  await using project = await temporaryProject({
    services: { web: { command, ready: { log: '^ready$' }, stop: { signal: 'SIGINT' } } },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const { report } = await stopReport(project);
  expect(readFileSync(project.file('got'), 'utf8')).toBe('int\n');
  expect(report.processes[0]?.signals[0]).toBe('SIGINT');
});

/** Leaves a daemon without any mark: forked twice, in a session of its own, without environment and folder. */
const LEAVES_A_DAEMON = `exec 9<marker; setsid sh -c 'cd /; env -i sleep 100 >/dev/null 2>&1 &'; touch left`;

const CONTAINERS = [
  ['a control group and a subreaper', hasControlGroups && hasSubreaper, {}],
  ['a subreaper alone', hasSubreaper, { DEVCTL_CGROUP: 'off' }],
  ['a control group alone', hasControlGroups, { DEVCTL_NATIVE: 'off' }],
] as const;

for (const [index, [how, has, env]] of CONTAINERS.entries()) {
  modeTest(index).runIf(has)(
    `a process that a stop command leaves is contained by ${how}`,
    async () => {
      await using project = await temporaryProject({
        services: { web: service('sleeper', [], { stop: { command: LEAVES_A_DAEMON } }) },
      });
      project.write('marker', '');
      expect(await devctlWith(project, { env }, 'start')).toMatchObject({ exitCode: 0 });
      const { exitCode, stdout } = await devctlWith(project, { env }, 'stop', '--json');
      expect(exitCode).toBe(0);
      expect(existsSync(project.file('left'))).toBe(true);
      expect(project.oracle.everything()).toEqual([]);
      expect(JSON.parse(stdout).proof).toMatchObject({ strength: 'complete', why: null });
    },
  );
}

fullTest('a stop command runs also without a supervisor, and the proof says so', async () => {
  await using project = await temporaryProject({
    services: { web: service('sleeper', [], { stop: { command: 'touch commanded' } }) },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  await signalSupervisor(project, 'SIGKILL');
  const { exitCode, report } = await stopReport(project);
  expect(exitCode).toBe(0);
  expect(existsSync(project.file('commanded'))).toBe(true);
  const why = expect.stringContaining(
    'no supervisor could run the stop command or the hook of web',
  );
  expect(report.proof).toMatchObject({ strength: 'best-effort', why });
});
