import { existsSync, readFileSync, rmSync } from 'node:fs';
import { execa } from 'execa';
import { describe, expect } from 'vitest';
import type { StopReport } from '../../src/stopping/report.ts';
import { cleanEnvironment } from '../support/clean-environment.ts';
import { devctl, devctlWith } from '../support/devctl.ts';
import { freePorts } from '../support/free-ports.ts';
import { fixture } from '../support/paths.ts';
import { killAtOnce, service, signalSupervisor } from '../support/services.ts';
import { eachMode, fullTest, test } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { openTerminal } from '../support/terminal.ts';
import { until } from '../support/until.ts';

/** A service that starts one more program in a session of its own, whose command line says `kept-agent`. */
function withAgent(start = 'setsid'): object {
  const agent = `${start} perl -e 'exec {"sleep"} "kept-agent --serve", 600' &`;
  return {
    command: ['/bin/sh', '-c', `${agent} exec "$0" "$@"`, ...fixture('sleeper')],
    ready: { log: '^ready$' },
  };
}

function agentsOf(project: TemporaryProject) {
  return project.oracle.processes().filter(({ argv }) => argv.join(' ').includes('kept-agent'));
}

async function started(manifest: object): Promise<TemporaryProject> {
  const project = await temporaryProject(manifest);
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  await until(() => agentsOf(project).some(({ argv }) => argv[0]?.startsWith('kept-agent')));
  return project;
}

describe('protect', () => {
  eachMode<
    [string, readonly string[], (project: TemporaryProject) => Promise<unknown> | undefined]
  >([
    ['stop', ['stop'], async () => {}],
    ['stop --force', ['stop', '--force'], async () => {}],
    ['stop NAME', ['stop', 'web'], async () => {}],
    ['stop without the manifest', ['stop'], async (one) => rmSync(one.file('.devctl.json'))],
    ['stop after the supervisor was killed', ['stop'], (one) => signalSupervisor(one, 'SIGKILL')],
  ])(
    'a stop leaves alone what the manifest protects, and says so: %s',
    async (_name, args, first) => {
      await using project = await started({
        services: { web: withAgent() },
        protect: ['^kept-agent'],
      });
      await first(project);
      const { exitCode, stdout, stderr } = await devctl(project, ...args);
      expect(exitCode, stdout + stderr).toBe(0);
      expect(stderr).toMatch(
        /left alone: protected: pid \d+: kept-agent --serve 600 \(matches protect/,
      );
      expect(stdout).toContain('best effort');
      expect(project.oracle.processes()).toEqual(agentsOf(project));
      expect(agentsOf(project)).toHaveLength(1);
    },
  );

  fullTest(
    'a start and a status after that leave it alone too, and stop --force --unprotected ends it',
    async () => {
      const protect = ['^kept-agent'];
      await using project = await started({ services: { web: withAgent() }, protect });
      expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
      const [first] = agentsOf(project);
      const twice = await devctl(project, 'stop');
      expect(twice).toMatchObject({
        exitCode: 0,
        stderr: expect.stringContaining('left alone: protected'),
      });
      expect(await devctl(project, 'status')).toMatchObject({ exitCode: 3 });
      const again = await devctl(project, 'start');
      expect(again.exitCode, again.stderr).toBe(0);
      expect(again.stderr).not.toContain('left over');
      expect(agentsOf(project).map(({ pid }) => pid)).toContain(first?.pid);
      expect(await devctl(project, 'stop', '--unprotected')).toMatchObject({ exitCode: 2 });
      const all = await devctl(project, 'stop', '--force', '--unprotected');
      expect(all.exitCode, all.stderr).toBe(0);
      expect(project.oracle.everything()).toEqual([]);
    },
  );

  fullTest(
    'a leader, and a process that listens on a declared port, is never protected',
    async () => {
      const [port = 0] = await freePorts(1);
      await using project = await temporaryProject({
        services: {
          web: {
            command: [
              '/bin/sh',
              '-c',
              'setsid "$0" "$@" & exec sleep 600',
              ...fixture('http-server', String(port)),
            ],
            ports: [port],
            ready: { tcp: port },
          },
          plain: service('sleeper'),
        },
        protect: ['http-server', 'sleeper'],
      });
      expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
      const { exitCode, stdout, stderr } = await devctl(project, 'stop');
      expect(exitCode, stdout + stderr).toBe(0);
      expect(project.oracle.everything()).toEqual([]);
      const check = await devctl(project, 'check');
      expect(check.stderr).toMatch(/! protect sleeper matches the command of plain/);
    },
  );

  test('DEVCTL_PROTECT=1 protects where the manifest says so', async () => {
    const web = withAgent('DEVCTL_PROTECT=1 setsid');
    await using project = await started({ services: { web }, protectByEnvironment: true });
    const { exitCode, stderr } = await devctl(project, 'stop');
    expect(exitCode, stderr).toBe(0);
    expect(stderr).toContain('left alone: protected');
    expect(agentsOf(project)).toHaveLength(1);
  });

  fullTest('DEVCTL_PROTECT=1 makes a survivor where the manifest does not say so', async () => {
    await using project = await started({
      services: { web: withAgent('DEVCTL_PROTECT=1 setsid') },
    });
    const { exitCode, stdout } = await devctl(project, 'stop');
    expect(exitCode).toBe(4);
    expect(stdout).toContain('"protectByEnvironment": true');
    expect(agentsOf(project)).toHaveLength(1);
    // Its record is kept.
    expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 4 });
    const all = await devctl(project, 'stop', '--force', '--unprotected');
    expect(all.exitCode, all.stdout + all.stderr).toBe(0);
    expect(project.oracle.everything()).toEqual([]);
  });

  fullTest(
    'a command line that is too long for a pattern of protect makes a survivor, with the reason',
    async () => {
      const long = `perl -e 'exec {"sleep"} "kept-agent " . "x" x 1200, 600'`;
      const web = {
        command: ['/bin/sh', '-c', `setsid ${long} & exec "$0" "$@"`, ...fixture('sleeper')],
        ready: { log: '^ready$' },
      };
      await using project = await started({ services: { web }, protect: ['(\\d)-\\1'] });
      const { exitCode, stdout } = await devctl(project, 'stop');
      expect(exitCode, stdout).toBe(4);
      expect(stdout).toContain('its command line is too long for that pattern');
      expect(agentsOf(project)).toHaveLength(1);
      expect(existsSync(project.file('.pids/services/web.json'))).toBe(true);
    },
  );

  fullTest(
    'a program that a person has started with DEVCTL_PROTECT=1 is spared by the sweep, and is no survivor',
    async () => {
      await using project = await temporaryProject({ services: { web: service('sleeper') } });
      project.write('x.js', 'setInterval(() => {}, 1_000);\n');
      const options = {
        cwd: project.root,
        env: { ...cleanEnvironment(), ...project.env, DEVCTL_PROTECT: '1' },
        extendEnv: false,
        stdio: 'ignore',
      } as const;
      // In a session of its own, because what runs the command devctl is spared in any case.
      await execa('setsid', ['-f', process.execPath, '--watch', 'x.js'], options);
      const byHand = () =>
        project.oracle
          .processes()
          .filter(({ argv }) => argv.includes('--watch') || argv[1] === 'x.js');
      const first = await until(() => byHand()[0]);
      for (const words of [['start'], ['stop'], ['stop', '--force']]) {
        const { exitCode, stdout, stderr } = await devctl(project, ...words);
        expect(exitCode, stdout + stderr).toBe(0);
      }
      expect(byHand().map(({ pid }) => pid)).toContain(first?.pid);
    },
  );

  fullTest('services do not inherit DEVCTL_PROTECT from the shell that starts them', async () => {
    await using project = await temporaryProject({ services: { web: service('fan', ['2']) } });
    const env = { DEVCTL_PROTECT: '1' };
    expect(await devctlWith(project, { env }, 'start')).toMatchObject({ exitCode: 0 });
    const { exitCode, stdout } = await devctlWith(project, { env }, 'stop');
    expect(exitCode, stdout).toBe(0);
    expect(project.oracle.everything()).toEqual([]);
  });
});

test('a stop names what it ends outside of the session of its service', async () => {
  await using project = await started({ services: { web: withAgent() } });
  const { exitCode, stdout } = await devctl(project, 'stop');
  expect(exitCode, stdout).toBe(0);
  expect(stdout).toMatch(/ended outside of its session: web: kept-agent --serve 600 \(pid \d+\)/);
  const report: StopReport = JSON.parse(readFileSync(project.file('.pids/last-stop.json'), 'utf8'));
  expect(report.processes.filter(({ outside }) => outside)).toHaveLength(1);
  expect(project.oracle.everything()).toEqual([]);
});

eachMode<[string, readonly string[], number]>([
  ['stop', ['stop'], 5],
  ['stop --force', ['stop', '--force'], 0],
  ['stop NAME', ['stop', 'web'], 5],
])(
  'a server that a person has started on a declared port is named, and only stop --force ends it: %s',
  async (_name, args, exitCode) => {
    const [port = 0] = await freePorts(1);
    await using project = await temporaryProject({
      services: { web: service('http-server', [String(port)], { ports: [port] }) },
    });
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    const servers = () =>
      project.oracle.processes().filter(({ argv }) => argv.join(' ').includes('http-server'));
    // The service loses the port, and a person's server takes it.
    for (const one of servers()) await killAtOnce(one);
    await using terminal = await openTerminal(project);
    await terminal.type(
      fixture('http-server', String(port))
        .map((word) => `'${word}'`)
        .join(' '),
    );
    await until(async () => /^ready$/m.test(await terminal.screen()));
    const [byHand] = servers();
    const stop = await devctl(project, ...args);
    expect(stop.exitCode, stop.stdout + stop.stderr).toBe(exitCode);
    if (exitCode === 5)
      expect(stop.stderr).toMatch(
        /left alone: pid \d+: .*http-server.*devctl stop --force ends it/,
      );
    expect(servers().map(({ pid }) => pid)).toEqual(exitCode === 5 ? [byHand?.pid] : []);
  },
);
