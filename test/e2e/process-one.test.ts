import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect } from 'vitest';
import { projectFolder } from '../../src/project/folder.ts';
import { readRecords } from '../../src/project/records.ts';
import type { StopReport } from '../../src/stopping/report.ts';
import { cleanEnvironment } from '../support/clean-environment.ts';
import { signalExactly } from '../support/end-processes.ts';
import { fixture, repositoryRoot } from '../support/paths.ts';
import type { SeenProcess } from '../support/seen-process.ts';
import { hasSubreaper, service, supervisorsOf } from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

/** A PID namespace, as a container has one. All processes in it die with its process 1. */
const CONTAINER = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'] as const;
const hasContainers = process.platform === 'linux' && mayUnshare() && hasSubreaper;
const devctl = `${process.execPath} ${join(repositoryRoot, 'bin', 'devctl.js')}`;

const services = { web: service('own-session'), daemon: service('double-fork', ['--empty-env']) };

/** Runs a command as process 1. */
function contain(project: TemporaryProject, ...command: readonly string[]) {
  const [file, ...args] = CONTAINER;
  return execa(file, [...args, ...command], {
    cwd: project.root,
    env: { ...cleanEnvironment(), ...project.env, DEVCTL_CGROUP: 'off' },
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
  });
}

fullTest.runIf(hasContainers)(
  'start and stop work where process 1 is a shell that reaps nothing',
  async () => {
    await using project = await temporaryProject({ services }, { ignored: '' });
    const killSupervisor = `kill -9 $(grep -o '"pid": [0-9]*' .pids/supervisor.json | grep -o '[0-9]*')`;
    const lines = [
      `${devctl} start >&2 && ${devctl} stop --json >first.json || exit 10`,
      `${devctl} start >&2 && ${killSupervisor} && ${devctl} start >&2 || exit 11`,
      `${devctl} status >/dev/null || exit 12`,
      `${devctl} stop --json`,
    ];
    const outcome = await contain(project, 'sh', '-c', lines.join('\n'));
    expect(outcome, outcome.stderr).toMatchObject({ exitCode: 0 });
    const first: StopReport = JSON.parse(execFileSync('cat', [project.file('first.json')], utf8));
    expect(first).toMatchObject({ survivors: [], proof: { strength: 'complete' } });
    const adopted: StopReport = JSON.parse(outcome.stdout);
    expect(adopted).toMatchObject({ survivors: [], proof: { strength: 'complete' } });
    expect(project.oracle.everything()).toEqual([]);
  },
);

test.runIf(hasContainers)(
  'start refuses to be process 1, and the library works as process 1',
  async () => {
    await using project = await temporaryProject({ services });
    const [node = '', script = ''] = devctl.split(' ');
    const start = await contain(project, node, script, 'start');
    expect(start).toMatchObject({ exitCode: 1 });
    expect(start.stderr).toContain('devctl start is process 1 here');
    expect(await contain(project, node, script, 'status')).toMatchObject({ exitCode: 3 });
    expect(await contain(project, node, script, 'stop')).toMatchObject({ exitCode: 0 });

    // A program that uses the library stays, and adopts the processes of a killed supervisor.
    const library = JSON.stringify(join(repositoryRoot, 'dist', 'index.js'));
    const program = project.write(
      'one.mjs',
      `import { readFileSync } from 'node:fs';
    import { start, stop } from ${library};
    await start();
    const { identity } = JSON.parse(readFileSync('.pids/supervisor.json', 'utf8'));
    process.kill(identity.pid, 'SIGKILL');
    const report = await stop();
    console.log(JSON.stringify({ self: process.pid, ...report }));`,
    );
    const outcome = await contain(project, node, program);
    expect(outcome, outcome.stderr).toMatchObject({ exitCode: 0 });
    const report = JSON.parse(outcome.stdout);
    expect(report).toMatchObject({ self: 1, survivors: [], proof: { strength: 'complete' } });
    const ended = report.processes.filter(({ service }: { service: string }) => service === 'web');
    expect(ended.length).toBe(2);
  },
);

test.runIf(hasContainers)(
  'devctl up works as process 1: `docker stop` ends the services and then up',
  async () => {
    await using project = await temporaryProject({ services });
    const [node = '', script = ''] = devctl.split(' ');
    const container = contain(project, node, script, 'up', '--json');
    const folder = projectFolder(project.root, project.file('.pids'));
    await until(() => {
      const { records } = readRecords(folder);
      return records.length === 2 && records.every(({ state }) => state !== 'starting');
    });
    const isInit = ({ argv }: SeenProcess) => argv[1] === script && argv[2] === 'up';
    const init = project.oracle.everything().find(isInit);
    if (!init) throw new Error('there is no devctl up');
    signalExactly(init, 'SIGTERM');
    const outcome = await container;
    expect(outcome, outcome.stderr).toMatchObject({ exitCode: 143 });
    const { report }: { report: StopReport } = JSON.parse(outcome.stdout.split('\n').at(-1) ?? '');
    expect(report).toMatchObject({ survivors: [], proof: { strength: 'complete' } });
    expect(report.processes.some(({ service }) => service === 'daemon')).toBe(true);
    expect(project.oracle.everything()).toEqual([]);
  },
);

fullTest.runIf(hasContainers)('the supervisor works as process 1', async () => {
  await using project = await temporaryProject({ services });
  const script = join(repositoryRoot, 'dist', 'supervisor', 'main.js');
  const container = contain(project, process.execPath, script, project.root, project.file('.pids'));
  const init = await until(() => supervisorsOf(project).find(({ argv }) => argv[1] === script));
  // Nobody holds the lock for it, so a start at the same moment would bring up another one at the same socket.
  await until(() => existsSync(project.file('.pids/supervisor.json')));
  // From outside, as `docker exec` does it: the processes that it leaves become children of process 1.
  const into = ['nsenter', '--target', String(init.pid), '--pid', '--mount', 'sh', '-c'];
  const [file = '', ...args] = into;
  const stray = fixture('bystander', 'node', 'stray.js').join(' ');
  const lines = [
    `cd ${project.root}`,
    `(setsid ${stray} >stray.pid 2>&1 &)`,
    'until [ -s stray.pid ]; do sleep 0.05; done',
    `${devctl} start >&2 && ${devctl} status >&2 && ${devctl} stop --json || exit 10`,
    'kill -0 $(cat stray.pid) || exit 11',
  ];
  const inside = await execa(file, [...args, lines.join('\n')], {
    env: { ...cleanEnvironment(), ...project.env, DEVCTL_CGROUP: 'off' },
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
  });
  expect(inside, inside.stderr).toMatchObject({ exitCode: 0 });
  const report: StopReport = JSON.parse(inside.stdout);
  expect(report).toMatchObject({ survivors: [], proof: { strength: 'complete' } });
  // A supervisor without services ends by itself.
  expect(await container).toMatchObject({ exitCode: 0 });
  expect(project.oracle.everything()).toEqual([]);
});

const utf8 = { encoding: 'utf8' } as const;

function mayUnshare(): boolean {
  try {
    const [file, ...args] = CONTAINER;
    execFileSync(file, [...args, 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
