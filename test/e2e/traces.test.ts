import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { expect } from 'vitest';
import type { StopReport } from '../../src/stopping/report.ts';
import { cleanEnvironment } from '../support/clean-environment.ts';
import { devctl, devctlWith } from '../support/devctl.ts';
import { freePorts } from '../support/free-ports.ts';
import { BYSTANDER_MARK } from '../support/oracle.ts';
import { fixture } from '../support/paths.ts';
import { parseReport } from '../support/reports.ts';
import { removeAll, service, signalSupervisor } from '../support/services.ts';
import { eachMode, fullTest, test } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

/** No subreaper and no cgroup: a process that left the tree is found by its open files and ports, or not at all. */
const UNHELD = { env: { DEVCTL_NATIVE: 'off', DEVCTL_CGROUP: 'off' } };

/** Starts a daemon that has the log open, and one that only holds a port. No ledger knows them. */
async function escapedDaemons(): Promise<{ project: TemporaryProject; port: number }> {
  const [port = 0, other = 0] = await freePorts(2);
  const project = await temporaryProject({
    services: {
      web: service('double-fork', ['--empty-env']),
      api: service('bare-server', [String(port)], { ports: [port] }),
      idle: service('tcp-server', [String(other)], { ports: [other], autostart: false }),
    },
  });
  expect(await devctlWith(project, UNHELD, 'start')).toMatchObject({ exitCode: 0 });
  await signalSupervisor(project, 'SIGKILL');
  // The processes that the supervisor saw in time would be known without any of this.
  rmSync(project.file('.pids/ledger'), { recursive: true });
  expect(project.oracle.processes().length).toBe(4);
  return { project, port };
}

async function stopped(project: TemporaryProject, ...args: readonly string[]) {
  return parseReport<StopReport>(await devctlWith(project, UNHELD, 'stop', '--json', ...args));
}

function evidenceOf({ processes }: StopReport, service: string): readonly string[] {
  return processes
    .filter((one) => one.service === service)
    .flatMap(({ evidence }) => evidence)
    .filter(({ kind }) => kind === 'output' || kind === 'port')
    .map(({ kind, detail }) => `${kind}: ${detail}`);
}

test('stop finds daemons without environment, session or parent by their log and their port', async () => {
  const { project, port } = await escapedDaemons();
  await using _project = project;
  const dry = await stopped(project, '--dry-run');
  expect(dry.report.processes.length).toBe(2);

  const { exitCode, report } = await stopped(project);
  expect(project.oracle.everything()).toEqual([]);
  expect(exitCode).toBe(0);
  expect(evidenceOf(report, 'web')).toEqual(['output: writes to .pids/logs/web.log']);
  expect(evidenceOf(report, 'api')).toEqual([`port: listens on ${port}`]);
  // They were asked first, as all processes are.
  expect(report.processes.map(({ endedBy }) => endedBy)).toEqual(Array(4).fill('SIGTERM'));
  expect(report.proof.strength).toBe('best-effort');
});

eachMode([[['start']], [['start', 'stop']], [['start', 'stop', '--force']]])(
  'what an ended run has left with its log open is ended by %j',
  async ([command = '', ...then]) => {
    const leaves = '(setsid env -i /bin/sleep 1000 &); exit 1';
    await using project = await temporaryProject({ services: { web: { command: leaves } } });
    await devctlWith(project, UNHELD, 'start');
    const record = project.file('.pids/services/web.json');
    await until(() => JSON.parse(readFileSync(record, 'utf8')).state === 'failed');
    // Before, the daemon is still setsid or env.
    await until(() =>
      project.oracle.processes().find(({ argv }) => argv.join(' ') === '/bin/sleep 1000'),
    );
    rmSync(project.file('.pids/ledger'), { recursive: true, force: true });
    // Without the record, as after an earlier devctl has overwritten it, the start knows nothing of that run.
    if (then.length > 0) rmSync(record);
    const next = { services: { web: { command: 'exec sleep 500' } } };
    project.write('.devctl.json', JSON.stringify(next));
    expect(await devctlWith(project, UNHELD, command)).toMatchObject({ exitCode: 0 });
    if (then.length > 0) expect((await stopped(project, ...then.slice(1))).exitCode).toBe(0);
    expect(project.oracle.processes().map(({ argv }) => argv.at(-1))).toEqual(
      then.length > 0 ? [] : ['500'],
    );
    await devctlWith(project, UNHELD, 'stop');
  },
);

fullTest(
  'stop --force finds them without records: the manifest names the ports, the folder the logs',
  async () => {
    const { project, port } = await escapedDaemons();
    await using _project = project;
    await removeAll(project.file('.pids'));
    const dry = await stopped(project, '--force', '--dry-run');
    expect([...evidenceOf(dry.report, 'web')].sort()).toEqual([
      'output: holds .pids/stdin/web open',
      'output: writes to .pids/logs/web.log',
      'output: writes to .pids/logs/web.log',
    ]);
    expect(evidenceOf(dry.report, 'api')).toContain(`port: listens on ${port}`);
    expect(project.oracle.processes().length).toBe(4);

    const { exitCode, report } = await stopped(project, '--force');
    expect(project.oracle.everything()).toEqual([]);
    expect(exitCode).toBe(0);
    expect(report.processes.length).toBe(4);
    expect(evidenceOf(report, 'api')).toContain(`port: listens on ${port}`);
  },
);

eachMode([[['stop']], [['stop', '--force']]])(
  'a program that only uses the log, the FIFO or the port survives: %j',
  async (args) => {
    const [port = 0] = await freePorts(1);
    await using project = await temporaryProject({
      services: {
        web: service('logger', ['hello']),
        spare: { command: 'true', ports: [port], autostart: false },
      },
    });
    await using elsewhere = await temporaryProject();
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    const log = project.file('.pids/logs/web.log');
    const fifo = project.file('.pids/stdin/web');
    const [mark = '', value = ''] = BYSTANDER_MARK.split('=');
    const env = { ...cleanEnvironment(), [mark]: value };
    const innocent = (command: string, words: readonly string[], cwd = project.root) => {
      return spawn(command, words, { cwd, env, detached: true, stdio: ['pipe', 'pipe', 'ignore'] });
    };
    const holds = (path: string, flags: string) => [
      '-e',
      `require('node:fs').openSync(${JSON.stringify(path)}, '${flags}'); console.log('ready');
       setTimeout(() => {}, 300_000)`,
    ];
    const shell = innocent('/bin/sh', []);
    // The shell has a job, which inherits its open files.
    shell.stdin.write(`exec 7>>'${log}' 8<>'${fifo}'; sleep 119 & echo ready\n`);
    const strangers = [
      shell,
      innocent('tail', ['-f', log]),
      innocent(process.execPath, holds(log, 'r')),
      innocent(process.execPath, holds(log, 'r+')),
      innocent(process.execPath, holds(log, 'r+'), elsewhere.root),
      innocent(process.execPath, holds(fifo, 'w')),
      innocent(
        '/bin/sh',
        ['-c', '"$@"', 'sh', ...fixture('tcp-server', String(port))],
        elsewhere.root,
      ),
    ];
    try {
      await Promise.all(strangers.map((one) => once(one.stdout, 'data')));
      const { exitCode, stdout } = await devctl(project, ...args, '--json');
      expect(exitCode, stdout).toBe(0);
      expect(strangers.map((one) => [one.exitCode, one.signalCode])).toEqual(
        strangers.map(() => [null, null]),
      );
      expect(project.oracle.processes()).toEqual([]);
      const { spared }: StopReport = JSON.parse(stdout);
      const reasons = spared.map(({ command, why }) => `${command}: ${why}`);
      expect(reasons).toContain('/bin/sh: sh is on the protected list');
      expect(reasons).toContainEqual(expect.stringMatching(/^sleep 119: a job of sh \(pid \d+\)/));
      shell.stdin.write('kill -0 $! && echo the job lives\n');
      const [answer] = await once(shell.stdout, 'data');
      expect(String(answer)).toBe('the job lives\n');
    } finally {
      shell.stdin.write('kill -9 $!; kill -9 $$\n');
      await until(() => shell.signalCode !== null || shell.exitCode !== null);
      for (const one of strangers) one.kill('SIGKILL');
    }
  },
);
