import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect } from 'vitest';
import { bystander } from '../../support/bystander.ts';
import { cleanEnvironment } from '../../support/clean-environment.ts';
import { hasControlGroups } from '../../support/control-groups.ts';
import { expectToEnd } from '../../support/expect-places.ts';
import { repositoryRoot } from '../../support/paths.ts';
import { type Ground, isAlive, openGround } from '../../support/places.ts';
import { hasSubreaper, removeAll } from '../../support/services.ts';
import { eachMode, eachModeIf, fullTest } from '../../support/sets.ts';
import { until } from '../../support/until.ts';

const BOTH_STOPS: readonly [string, readonly string[]][] = [
  ['stop', []],
  ['stop --force', ['--force']],
];

fullTest.each(BOTH_STOPS)(
  'a nested project that loses its manifest is still the nearest: %s',
  async (_title, flags) => {
    await using ground = await openGround();
    const outer = await ground.start('root');
    const inner = await ground.start('root/apps/x');
    rmSync(ground.path('root/apps/x/.devctl.json'));
    const started = await ground.devctl('root/apps/x', 'start');
    expect(started).toMatchObject({ exitCode: 2 });
    for (const path of ['root/apps/x', 'root/.devctl.json']) {
      expect(started.stderr).toContain(ground.path(path));
    }
    expect(await ground.devctl('root/apps/x', 'status')).toMatchObject({ exitCode: 0 });
    await expectToEnd(ground, 'root/apps/x', [inner], ...flags);
    expect(outer.living().length).toBe(3);
    await expectToEnd(ground, 'root', [outer], ...flags);
  },
);

fullTest.each(BOTH_STOPS)(
  'the project around a nested one loses its manifest: %s',
  async (_title, flags) => {
    await using ground = await openGround();
    const outer = await ground.start('root');
    const inner = await ground.start('root/apps/x');
    rmSync(ground.path('root/.devctl.json'));
    await expectToEnd(ground, 'root/apps', [outer], ...flags);
    expect(inner.living().length).toBe(3);
    await expectToEnd(ground, 'root/apps/x', [inner], ...flags);
  },
);

fullTest.each(BOTH_STOPS)(
  'a nested project that lost manifest and records, with its supervisor killed: %s',
  async (_title, flags) => {
    await using ground = await openGround();
    const outer = await ground.start('root');
    const inner = await ground.start('root/apps/x');
    process.kill(inner.supervisor.pid, 'SIGKILL');
    await until(() => !isAlive(inner.supervisor));
    rmSync(ground.path('root/apps/x/.devctl.json'));
    await removeAll(ground.path('root/apps/x/.pids'));
    await expectToEnd(ground, 'root/apps/x', [inner], ...flags);
    expect(outer.living().length).toBe(3);
    await expectToEnd(ground, 'root', [outer], ...flags);
  },
);

/** Gives the second project the id of the first one, as a hand or a tool may copy it. */
function giveId(ground: Ground, from: string, to: string, how: 'file' | 'id'): void {
  const path = (name: string) => join(ground.path(name), '.pids', 'project.json');
  const source = JSON.parse(readFileSync(path(from), 'utf8'));
  const target = JSON.parse(readFileSync(path(to), 'utf8'));
  const written = how === 'file' ? source : { ...target, id: source.id };
  writeFileSync(path(to), JSON.stringify(written));
}

eachMode<[string, 'file' | 'id', readonly string[]]>([
  ['the file of the other, stop', 'file', []],
  ['the file of the other, stop --force', 'file', ['--force']],
  ['its id alone, stop', 'id', []],
  ['its id alone, stop --force', 'id', ['--force']],
])('of two projects with one id each stop ends its own: %s', async (_title, how, flags) => {
  await using ground = await openGround();
  const first = await ground.start('P');
  const second = await ground.start('Q');
  giveId(ground, 'P', 'Q', how);
  await expectToEnd(ground, 'Q', [second], ...flags);
  expect(first.living().length).toBe(3);
  const again = await ground.start('Q');
  await expectToEnd(ground, 'P', [first], ...flags);
  expect(again.living().length).toBe(3);
  await expectToEnd(ground, 'Q', [again], ...flags);
});

fullTest.each(BOTH_STOPS)(
  'of two projects with one mark each stop ends its own: %s',
  async (_title, flags) => {
    await using ground = await openGround();
    const first = await ground.start('P');
    await ground.run('mv', 'P', 'Q');
    const second = await ground.start('P');
    const [mark] = [first, second].map(({ processes }) =>
      processes.flatMap(({ environment }) =>
        environment.filter((one) => /^DEVCTL_PROJECT=/.test(one)),
      ),
    );
    expect(new Set(mark).size).toBe(1);
    await expectToEnd(ground, 'Q', [first], ...flags);
    expect(second.living().length).toBe(3);
    const third = await ground.start('Q');
    await expectToEnd(ground, 'P', [second], ...flags);
    expect(third.living().length).toBe(3);
    await expectToEnd(ground, 'Q', [third], ...flags);
  },
);

fullTest(
  'a service that has read the marks of another project from a file is ended, or named',
  async () => {
    await using ground = await openGround();
    const other = await ground.start('other');
    const { stdout } = await ground.devctl('other', 'run', '--', 'printenv');
    const marks = stdout.split('\n').filter((line) => /^(TURBO_)?DEVCTL_/.test(line));
    const command = 'set -a; . ./env.sh; sleep 300 & exec sleep 300';
    ground.write('P', { services: { web: { command } } });
    writeFileSync(ground.path('P/env.sh'), marks.join('\n'));
    await using vim = await bystander('vim notes.txt', ground.path('P'));
    expect(await ground.devctl('P', 'start')).toMatchObject({ exitCode: 0 });
    const stopped = await ground.devctl('P', 'stop', '--json');
    const report = JSON.parse(stopped.stdout);
    const left = report.survivors.map(({ pid }: { pid: number }) => pid);
    // The control group is evidence that no mark outweighs. Without it devctl does not guess.
    if (hasControlGroups) expect(left).toEqual([]);
    expect(stopped.exitCode, stopped.stdout).toBe(left.length === 0 ? 0 : 4);
    for (const pid of left) process.kill(pid, 'SIGKILL');
    expect(other.living().length).toBe(3);
    await expectToEnd(ground, 'other', [other]);
    expect(vim.alive()).toBe(true);
  },
);

/** A PID namespace, as a container has one. All processes in it die with its process 1. */
const CONTAINER = ['--pid', '--fork', '--mount-proc', '--kill-child'] as const;

function mayUnshare(): boolean {
  try {
    execFileSync('unshare', [...CONTAINER, 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Runs a script in a folder as process 1 of a container, with `devctl` in it. */
function contain(ground: Ground, name: string, script: string) {
  const devctl = `devctl() { '${process.execPath}' '${join(repositoryRoot, 'bin', 'devctl.js')}' "$@"; }`;
  return execa('unshare', [...CONTAINER, 'bash', '-c', `${devctl}\n${script}`], {
    cwd: ground.path(name),
    env: { ...cleanEnvironment(), XDG_STATE_HOME: join(ground.state, '..') },
    extendEnv: false,
    reject: false,
    stdin: 'pipe',
  });
}

const hasContainers = process.platform === 'linux' && hasSubreaper && mayUnshare();

eachModeIf(hasContainers)(BOTH_STOPS)(
  'of two PID namespaces with one folder each stop ends its own: %s',
  async (_title, flags) => {
    await using ground = await openGround();
    const outside = await ground.start('P');
    const stop = `devctl stop ${flags.join(' ')}`;
    const looked = await contain(ground, 'P', `devctl status; devctl stop && devctl stop --force`);
    expect(looked.exitCode, looked.stderr).toBe(0);
    expect(looked.stdout + looked.stderr).toContain('another container');
    expect(outside.living().length).toBe(3);

    // Both run at once, and each stop comes while the other one runs.
    const inner = contain(ground, 'P', `devctl start && read -r line && ${stop} && devctl status`);
    await until(() => ground.living().length === 6);
    await until(async () => (await ground.devctl('P', 'status')).exitCode === 0);
    await expectToEnd(ground, 'P', [outside], ...flags);
    expect(ground.living().length).toBe(3);
    const again = await ground.start('P');
    inner.stdin?.end('go\n');
    const { exitCode, stdout, stderr } = await inner;
    expect(exitCode, stdout + stderr).toBe(3);
    expect(again.living().length).toBe(3);
    expect(ground.living().length).toBe(3);
    await expectToEnd(ground, 'P', [again], ...flags);
    expect(await ground.devctl('P', 'status')).toMatchObject({ exitCode: 3 });
  },
);

fullTest.runIf(hasContainers)(
  'a stranger with the number of a process of another PID namespace is left alone',
  async () => {
    await using ground = await openGround();
    // In both namespaces numbers begin at 1, so a list of numbers is sure to name strangers.
    await contain(ground, 'P-none', 'true').catch(() => {});
    ground.write('P');
    const script = 'devctl start >&2; cat .pids/services.pids; exec sleep 300';
    const first = contain(ground, 'P', script);
    await until(() => ground.living().length === 3);
    const second = await contain(
      ground,
      'P',
      'for i in $(seq 80); do sleep 300 & done; devctl stop; devctl stop --force; jobs -r | wc -l; kill $(jobs -p)',
    );
    expect(second.stdout.trim().split('\n').at(-1), second.stdout + second.stderr).toBe('80');
    expect(ground.living().length).toBe(3);
    first.kill('SIGKILL');
    await until(() => ground.living().length === 0);
    expect(await ground.devctl('P', 'stop', '--force')).toMatchObject({ exitCode: 0 });
  },
);
