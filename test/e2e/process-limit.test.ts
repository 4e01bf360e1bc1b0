import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { execa } from 'execa';
import { afterAll, beforeAll, expect } from 'vitest';
import type { StopReport } from '../../src/stopping/report.ts';
import { cleanEnvironment } from '../support/clean-environment.ts';
import type { DevctlResult } from '../support/devctl.ts';
import { type PackedDevctl, packDevctl } from '../support/packed.ts';
import { parseReport } from '../support/reports.ts';
import {
  asUser,
  canLimit,
  pidsGroup,
  pidsHierarchy,
  SOMEBODY,
  tasksOf,
} from '../support/scarce.ts';
import { fullTest, test } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

/** Shells and their sleeps: programs that every user may run, wherever this repository is. */
const shell = (script: string, more: object = {}) => ({
  command: ['sh', '-c', `${script}\necho ready\nsleep 300 & wait`],
  ready: { log: '^ready$' },
  ...more,
});
const services = {
  fan: shell('for i in 1 2 3 4 5 6 7 8 9; do sleep 300 & done'),
  session: shell('setsid sleep 300 &', { dependsOn: ['fan'] }),
  stubborn: shell("trap '' TERM; sleep 300 &"),
  daemon: shell('(setsid sh -c "sleep 300 & sleep 300" &)'),
};
const commanded = shell('sleep 300 &', { stop: { command: 'true' } });

/**
 * The processes and threads that Node itself takes of those that are free: a process, a thread for V8's
 * delayed tasks, and its pool, of four threads or of one. With less it does not start at all: it aborts,
 * or waits for ever.
 */
const NODE_NEEDS = 6;
const SMALL_NODE_NEEDS = 3;
const SMALL = '--v8-pool-size=1';

/** True where each look runs `ps`, which takes one more process. docs/limits.md says so. */
const LOOKS_BY_PS = process.env.DEVCTL_PROCESS_TABLE === 'portable';

/** Prints the error of a fork, which is EAGAIN at the limit. */
const FORKS = "console.log(require('node:child_process').spawnSync('true').error?.code)";

let packed: PackedDevctl;
beforeAll(async () => {
  packed = await packDevctl();
});
afterAll(() => rmSync(packed.folder, { recursive: true, force: true }));

async function run(
  project: TemporaryProject,
  file: string,
  args: readonly string[],
): Promise<DevctlResult> {
  const { exitCode, stdout, stderr } = await execa(file, args, {
    cwd: project.root,
    env: {
      ...cleanEnvironment(),
      ...project.env,
      HOME: project.root,
      TMPDIR: project.file('tmp'),
      XDG_RUNTIME_DIR: '',
    },
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
    timeout: 50_000,
  });
  return { exitCode: exitCode ?? -1, stdout, stderr };
}

function expectNothingLeft(project: TemporaryProject, result: DevctlResult): StopReport {
  expect(project.oracle.processes().map(({ argv }) => argv.join(' '))).toEqual([]);
  expect(result.exitCode, result.stderr).toBe(0);
  const { report } = parseReport<StopReport>(result);
  expect(report.survivors).toEqual([]);
  return report;
}

fullTest.runIf(canLimit && !LOOKS_BY_PS)(
  'stop works at the process limit of the user: RLIMIT_NPROC',
  async () => {
    await using project = await temporaryProject({ services: { ...services, commanded } });
    mkdirSync(project.file('tmp'));
    execFileSync('chown', ['-R', `${SOMEBODY}:${SOMEBODY}`, project.root]);
    const atLimit = (...command: readonly string[]) => {
      const limit = tasksOf(SOMEBODY) + SMALL_NODE_NEEDS;
      return run(
        project,
        'setpriv',
        asUser(SOMEBODY, limit, [process.execPath, SMALL, ...command]),
      );
    };
    const start = [process.execPath, packed.program, 'start'];
    const started = await run(project, 'setpriv', asUser(SOMEBODY, 10_000, start));
    expect(started.exitCode, started.stderr).toBe(0);
    // The probes of the supervisor come and go; the processes of the services stay.
    await until(() => project.oracle.processes().length >= 24);
    expect(await atLimit('-e', FORKS)).toMatchObject({ stdout: 'EAGAIN' });

    const status = await atLimit(packed.program, 'status');
    expect(status.exitCode, status.stderr).toBe(0);

    const named = await atLimit(packed.program, 'stop', 'commanded', '--json');
    expect(named.exitCode, named.stderr).toBe(0);
    const { report } = parseReport<StopReport>(named);
    expect(report.survivors).toEqual([]);
    // Each process has its own limit: the supervisor, which runs the stop command, has a higher one.
    expect(report.problems).toEqual([]);

    expectNothingLeft(project, await atLimit(packed.program, 'stop', '--force', '--json'));
  },
);

test.runIf(pidsHierarchy !== null && !LOOKS_BY_PS)(
  'stop works at the process limit of a container: pids.max',
  async () => {
    using group = pidsGroup(pidsHierarchy ?? '');
    await using project = await temporaryProject({ services: { ...services, commanded } });
    mkdirSync(project.file('tmp'));
    const inside = (...command: readonly string[]) =>
      run(project, 'sh', group.inside([process.execPath, ...command]));
    const started = await inside(packed.program, 'start');
    expect(started.exitCode, started.stderr).toBe(0);
    await until(() => project.oracle.processes().length >= 24);

    group.limit(group.current() + NODE_NEEDS);
    expect(await inside('-e', FORKS)).toMatchObject({ stdout: 'EAGAIN' });
    const named = await inside(packed.program, 'stop', 'commanded', '--json');
    expect(named.exitCode, named.stderr).toBe(0);
    expect(parseReport<StopReport>(named).report.problems.join('\n')).toMatch(
      /commanded: its stop command could not be run: .*EAGAIN/,
    );
    group.limit(group.current() + NODE_NEEDS);
    expectNothingLeft(project, await inside(packed.program, 'stop', '--force', '--json'));
    await until(() => group.current() === 0);
  },
);

fullTest.runIf(canTrace())(
  'a forced stop forks nothing, and makes no thread beside those of Node',
  async () => {
    await using project = await temporaryProject({ services });
    mkdirSync(project.file('tmp'));
    const trace = async (...command: readonly string[]) => {
      const log = project.file('trace');
      const flags = ['-f', '-qq', '-o', log, '-e', 'trace=process', '-e', 'signal=none'];
      const result = await run(project, 'strace', [...flags, process.execPath, ...command]);
      const calls = readFileSync(log, 'utf8').split('\n');
      const made = calls.filter((line) => /^\d+ +(fork|vfork|clone3?|execve(at)?)\(/.test(line));
      const threads = made.filter((line) => line.includes('CLONE_THREAD'));
      return {
        result,
        threads: threads.length,
        others: made.filter((line) => !threads.includes(line)),
      };
    };
    const started = await run(project, process.execPath, [packed.program, 'start']);
    expect(started.exitCode, started.stderr).toBe(0);
    const bare = await trace('-e', '0');
    const { result, threads, others } = await trace(packed.program, 'stop', '--force', '--json');
    expectNothingLeft(project, result);
    // The first is the execve of strace, by which it starts Node.
    expect(others.slice(1)).toEqual([]);
    expect(threads).toBe(bare.threads);
  },
);

/** True where strace(1) is installed and may trace. */
function canTrace(): boolean {
  if (process.platform !== 'linux' || LOOKS_BY_PS) return false;
  try {
    execFileSync('strace', ['-f', '-o', '/dev/null', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
