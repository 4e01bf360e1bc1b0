import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect } from 'vitest';
import { cleanEnvironment } from '../support/clean-environment.ts';
import { hasControlGroups, ownControlGroup } from '../support/control-groups.ts';
import { devctl, devctlWith, startDevctl } from '../support/devctl.ts';
import { fixture, repositoryRoot } from '../support/paths.ts';
import { hasSubreaper, killAtOnce, service } from '../support/services.ts';
import { eachMode, fullTest, test } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

const program = join(repositoryRoot, 'bin', 'devctl.js');

/** The processes of the project that are not devctl. */
function others(project: TemporaryProject): readonly string[] {
  // Not `processes()`, because on a terminal the command is in the group of devctl, as its tools are.
  return project.oracle
    .everything()
    .map(({ argv }) => argv.join(' '))
    .filter(
      (line) => !/devctl\.js|dist\/supervisor\/|^(devctl-guard|sleep) 2147483647$/.test(line),
    );
}

function recorded(project: TemporaryProject, name: string): boolean {
  return existsSync(project.file(`.pids/services/${name}.json`));
}

test('run passes on the output and the end of its command, and adds nothing', async () => {
  const files = { 'all.env': 'FROM_FILE="of $HOME_OF_TEST"\nBOTH=file\n' };
  const own = { web: service('sleeper', [], { env: { OF_WEB: 'web' } }) };
  const manifest = { envFile: 'all.env', env: { BOTH: 'env' }, services: own };
  await using project = await temporaryProject(manifest, files);
  const script = 'cat; echo to-stderr >&2; echo "$0 $1"; echo "$FROM_FILE $BOTH $OF_WEB."; exit 7';
  const all = await execa(
    process.execPath,
    [program, 'run', '--', 'sh', '-c', script, 'a b', 'c'],
    {
      cwd: project.root,
      env: { ...cleanEnvironment(), ...project.env, HOME_OF_TEST: 'a test', BOTH: 'caller' },
      extendEnv: false,
      reject: false,
      input: 'from stdin\n',
    },
  );
  const stdout = 'from stdin\na b c\nof a test env .';
  expect(all).toMatchObject({ exitCode: 7, stdout, stderr: 'to-stderr' });
  const codes = await Promise.all(
    [
      ['sh', '-c', 'kill -9 $$'],
      ['no-such-command'],
      [project.file('.devctl.json')],
      [
        '--timeout',
        '200ms',
        '--grace',
        '100ms',
        '--',
        'sh',
        '-c',
        'trap "" TERM; sleep 60 & wait; wait',
      ],
      ['--name', 'web', '--', 'true'],
      ['--name', '../x', '--', 'true'],
    ].map(async (words) => (await devctl(project, 'run', ...words)).exitCode),
  );
  expect(codes).toEqual([137, 127, 126, 124, 5, 2]);
  expect(others(project)).toEqual([]);
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
});

test('run ends and names orphans of its command; with --fail-on-orphans it fails then', async () => {
  await using project = await temporaryProject({ services: { web: service('sleeper') } });
  const [node, file] = fixture('double-fork');
  // It is killed and leaves its daemon, which has no environment where a subreaper contains it.
  const daemon = `'${node}' '${file}' ${hasSubreaper ? '--empty-env' : ''} >out & made=$!`;
  const script = `${daemon}; until grep -q ready out; do sleep 0.05; done; kill -9 $made; exit 0`;
  const words = ['--name', 'once', '--fail-on-orphans', '--', 'sh', '-c', script];
  const run = await devctl(project, 'run', ...words);
  expect(run.exitCode, run.stderr).toBe(4);
  expect(run.stderr).toMatch(/once left \d+ process(es)? behind:\n +pid \d+: .*sleeper/);
  expect(run.stderr).toMatch(/of once is left/);
  expect(others(project)).toEqual([]);
  expect(recorded(project, 'once')).toBe(false);

  const quiet = await devctl(
    project,
    'run',
    '--fail-on-orphans',
    '--',
    'sh',
    '-c',
    'sleep 0.05 & exit 0',
  );
  expect(quiet).toMatchObject({ exitCode: 0, stdout: '', stderr: '' });
  const json = await devctl(project, 'run', '--json', '--', 'sh', '-c', 'sleep 60 & exit 0');
  const result = JSON.parse(json.stderr);
  expect(result).toMatchObject({ version: 1, name: 'run-sh', cause: 'ended', exit: { code: 0 } });
  expect(result.orphans).toMatchObject([{ command: 'sleep 60' }]);
  expect(result).toMatchObject({ survivors: [], stop: { kind: 'stop', scope: ['run-sh'] } });
  if (hasSubreaper) expect(result.proof.strength).toBe('complete');
  // stdout belongs to the command, also where there is no command.
  const none = await devctl(project, 'run', '--json', '--', 'no-such-command');
  expect(none).toMatchObject({ exitCode: 127, stdout: '' });
  const [last = ''] = none.stderr.split('\n').slice(-1);
  expect(JSON.parse(last)).toMatchObject({ version: 1, error: { code: 'command-not-found' } });

  // A one-off needs only its `devctl run`, and `devctl adopt` would do nothing for it.
  const alone = startDevctl(project, {}, 'run', '--name', 'alone', '--', 'sleep', '60');
  const shown = await until(async () => {
    const status = await devctl(project, 'status');
    return /^alone +running/m.test(status.stdout) ? status : null;
  });
  expect(shown.stderr).not.toContain('devctl adopt');
  expect(await devctl(project, 'stop', 'alone')).toMatchObject({ exitCode: 0 });
  await alone;
});

test('status shows a one-off, stop or a signal ends it, and other services stay', async () => {
  await using project = await temporaryProject({ services: { web: service('sleeper') } });
  await devctl(project, 'start');
  const begin = async (name: string, ...words: readonly string[]) => {
    const running = startDevctl(project, {}, 'run', '--name', name, ...words);
    await until(async () => (await devctl(project, 'status', name)).stdout.includes('running'));
    return { done: running };
  };
  const first = await begin('one', '--', ...fixture('fan', '3'));
  const twice = await devctl(project, 'run', '--name', 'one', '--', 'true');
  expect(twice).toMatchObject({ exitCode: 5, stderr: expect.stringContaining('is taken') });
  const stopped = await devctl(project, 'stop', 'one');
  expect(stopped, stopped.stderr).toMatchObject({ exitCode: 0 });
  expect(stopped.stdout).toMatch(/nothing (more )?of one/);
  const ended = await first.done;
  expect(ended).toMatchObject({
    exitCode: 143,
    stderr: '! devctl: one was ended by a devctl stop',
  });

  const deaf = 'trap "" TERM; : >deaf; while :; do sleep 60; done';
  const second = startDevctl(project, {}, 'run', '--grace', '10m', '--', 'sh', '-c', deaf);
  await until(() => existsSync(project.file('deaf')));
  second.kill('SIGTERM');
  // The second signal means impatience. For the kernel two at once are one (signal(7)).
  await until(() => {
    const isLeft = others(project).some((line) => line.startsWith('sh '));
    // When nothing is left it does not listen any more, and one more signal would end it.
    if (isLeft && second.exitCode === null) second.kill('SIGTERM');
    return !isLeft;
  });
  expect((await second).exitCode).toBe(137);
  const third = startDevctl(
    project,
    {},
    'run',
    '--',
    'sh',
    '-c',
    'trap "exit 9" INT; sleep 60 & wait',
  );
  await until(() => others(project).some((line) => line.startsWith('sleep 60')));
  third.kill('SIGINT');
  expect((await third).exitCode).toBe(9);
  expect(others(project)).toHaveLength(1);
  expect(await devctl(project, 'status')).toMatchObject({ exitCode: 0 });

  // When it is killed it leaves its record, and the next stop ends everything.
  const fourth = await begin('four', '--', ...fixture('fan', '3'));
  const [holder] = project.oracle.everything().filter(({ argv }) => argv.includes('four'));
  if (!holder) throw new Error('There is no devctl run');
  await until(() => others(project).length > 3);
  await killAtOnce(holder);
  expect(others(project).length).toBeGreaterThan(3);
  expect((await devctl(project, 'stop')).exitCode).toBe(0);
  expect(others(project)).toEqual([]);
  await fourth.done;
});

fullTest(
  'a script in a one-off that starts, tests and stops ends its own services only',
  async () => {
    await using project = await temporaryProject({ services: { web: service('sleeper') } });
    const own = `'${process.execPath}' '${program}'`;
    const script = `${own} start && ${own} status; ${own} stop; echo "stopped=$?"`;
    const run = await devctl(project, 'run', '--', 'sh', '-c', script);
    expect(run.stdout, run.stderr).toMatch(/1 of 1 services are up/);
    expect(run.stdout).toMatch(/nothing (more )?is left|nothing more can be found/);
    expect(run.stdout).toContain('stopped=0');
    expect(run.exitCode).toBe(0);
    expect(others(project)).toEqual([]);
    const named = await devctl(project, 'run', '--name', 'me', '--', 'sh', '-c', `${own} stop me`);
    expect(named).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('inside the one-off me'),
    });
  },
);

test.runIf(hasControlGroups)(
  'an empty control group proves nothing of a command that has left it unseen',
  async () => {
    await using project = await temporaryProject({ services: { web: service('sleeper') } });
    const script = `echo $$ >'${ownControlGroup()}/cgroup.procs'; setsid sleep 60 & exit 0`;
    const off = { env: { DEVCTL_NATIVE: 'off' } };
    const words = ['run', '--name', 'once', '--', 'sh', '-c', script];
    const run = await devctlWith(project, off, ...words);
    expect(run).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('sleep 60') });
    expect(others(project)).toEqual([]);
    const json = await devctlWith(project, off, 'run', '--json', '--', 'true');
    const proof = { strength: 'complete', scans: 1 };
    expect(JSON.parse(json.stderr)).toMatchObject({ orphans: [], stop: null, proof });
  },
);

eachMode([['outside'], ['inside']])(
  'stop ends the one-off of a devctl run that was killed, %s of it',
  async (where) => {
    await using project = await temporaryProject({ services: { web: service('sleeper') } });
    const stop = `'${process.execPath}' '${program}' stop; echo "stopped=$?"; exit 0`;
    const script = `sleep 600 & until [ -e go ]; do sleep 0.05; done; ${stop}`;
    const output = where === 'inside' ? script : 'env >marks; exec sleep 600';
    const running = startDevctl(project, {}, 'run', '--name', 'job', '--', 'sh', '-c', output);
    const recordFile = project.file('.pids/services/job.json');
    const leader = () => JSON.parse(readFileSync(recordFile, 'utf8')).leader;
    await until(() => existsSync(recordFile) && leader() !== null);
    if (where === 'outside') await until(() => /^DEVCTL_RUN=/m.test(marks(project)));
    running.kill('SIGKILL');
    if (where === 'inside') {
      project.write('go', '');
      // The shell that runs the stop outlives it, and is left alone.
      expect((await running).stdout).toContain('stopped=4');
    } else {
      // Not its streams, which the command holds open.
      await until(() => running.signalCode !== null);
      const env = Object.fromEntries(
        marks(project)
          .split('\n')
          .filter((line) => /^(TURBO_)?DEVCTL_/.test(line))
          .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
      );
      expect(await devctlWith(project, { env }, 'stop')).toMatchObject({ exitCode: 0 });
      expect(others(project)).toEqual([]);
    }
    await until(() => others(project).length === 0);
    expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
  },
);

function marks(project: TemporaryProject): string {
  return existsSync(project.file('marks')) ? readFileSync(project.file('marks'), 'utf8') : '';
}

fullTest('a one-off that removes the records leaves nothing behind', async () => {
  await using project = await temporaryProject({ services: { web: service('sleeper') } });
  const bare = hasSubreaper ? 'env -i ' : '';
  const script = `rm -rf .pids; ${bare}setsid sleep 60 & exit 0`;
  // At once, while the record is being written, and later.
  for (const first of ['', 'until [ -s .pids/ledger/once ]; do sleep 0.05; done; ']) {
    const words = ['--name', 'once', '--', 'sh', '-c', `${first}${script}`];
    const run = await devctl(project, 'run', ...words);
    expect(run, run.stderr).toMatchObject({ exitCode: 0 });
    expect(run.stderr).toMatch(/once left 1 process behind/);
    expect(others(project)).toEqual([]);
    expect(recorded(project, 'once')).toBe(false);
  }
});

fullTest(
  'a one-off that ends and leaves a process does not make a start give up that is under way',
  async () => {
    const waits = 'touch spawned; until [ -e go ]; do sleep 0.05; done; echo ready; exec sleep 600';
    await using project = await temporaryProject({
      services: {
        web: { command: waits, ready: { log: '^ready$', timeout: '10m' } },
        api: service('sleeper', [], { dependsOn: ['web'] }),
      },
    });
    const left = `touch up; until [ -e spawned ]; do sleep 0.05; done; setsid sleep 60 & exit 0`;
    const running = startDevctl(project, {}, 'run', '--', 'sh', '-c', left);
    await until(() => existsSync(project.file('up')));
    const starting = startDevctl(project, {}, 'start');
    await until(() => existsSync(project.file('spawned')));
    const run = await running;
    expect(run.exitCode, run.stderr).toBe(0);
    expect(run.stderr).toMatch(/left 1 process behind/);
    project.write('go', '');
    const { exitCode, stderr } = await starting;
    expect(exitCode, stderr).toBe(0);
    expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
    expect(project.oracle.everything()).toEqual([]);
  },
);
