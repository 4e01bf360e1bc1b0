import {
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { expectToEnd, expectToEndNothing } from '../../support/expect-places.ts';
import { type Ground, isAlive, openGround, type Run } from '../../support/places.ts';
import { hasSubreaper, killAtOnce } from '../../support/services.ts';
import { eachModeIf, fullTest, test } from '../../support/sets.ts';
import { until } from '../../support/until.ts';

type Move = (ground: Ground) => Promise<string>;

const rename: Move = async ({ run }) => {
  await run('mv', 'P', 'Q');
  return 'Q';
};

const renameParent: Move = async ({ run, path }) => {
  mkdirSync(path('new'));
  await run('mv', 'P', 'new/deep');
  await run('mv', 'new', 'newer');
  return 'newer/deep';
};

const leaveLink: Move = async (ground) => {
  await rename(ground);
  symlinkSync('Q', ground.path('P'));
  return 'Q';
};

const leaveLinkAndUseIt: Move = async (ground) => {
  await leaveLink(ground);
  return 'P';
};

const leaveCheckout: Move = async (ground) => {
  await rename(ground);
  ground.write('P');
  return 'Q';
};

const cross: Move = async (ground) => {
  const to = join(ground.otherFileSystem(), 'P');
  await ground.run('mv', 'P', to);
  return to;
};

/** The path that the record of the supervisor says, which the supervisor writes anew after a move. */
function recordedRoot(ground: Ground, name: string): string {
  const record = readFileSync(join(ground.path(name), '.pids', 'supervisor.json'), 'utf8');
  return JSON.parse(record).project;
}

async function expectToGoOn(ground: Ground, to: string, { supervisor, processes }: Run) {
  const run = (...args: readonly string[]) => ground.devctl(to, ...args);
  const restarted = await run('restart', 'web');
  expect(restarted.exitCode, restarted.stderr).toBe(0);
  expect(ground.living().length).toBe(3);
  const untouched = processes.filter(isAlive);
  expect(untouched.length).toBe(2);
  const started = await run('start');
  expect(started, started.stderr).toMatchObject({ exitCode: 0 });
  expect(ground.living().length).toBe(3);
  // The supervisor before the move cares for the new run of `web` and for the old one of `away`.
  expect(isAlive(supervisor)).toBe(true);
  const status = await run('status', '--json');
  expect(status, status.stderr).toMatchObject({ exitCode: 0 });
  expect(JSON.parse(status.stdout).services).toMatchObject([
    { name: 'web', state: 'running' },
    { name: 'away', state: 'running' },
  ]);
  const logs = await run('logs');
  expect(logs).toMatchObject({ exitCode: 0 });
  expect(logs.stdout).toContain('web is up');
}

eachModeIf(hasSubreaper)([
  ['renamed', rename],
  ['renamed with the folder above it', renameParent],
  ['renamed, with a link left at the old path', leaveLink],
  ['renamed, and used by the link at the old path', leaveLinkAndUseIt],
  ['renamed, with a new checkout at the old path', leaveCheckout],
])('a project that is %s while it runs goes on', async (_how, move) => {
  await using ground = await openGround();
  const before = await ground.start('P');
  const to = await move(ground);
  expect(await ground.devctl(to, 'status')).toMatchObject({ exitCode: 0 });
  // Without a command: the supervisor looks by itself. A link leads to the same folder, so there is nothing to notice.
  const isLinked =
    existsSync(before.path) && realpathSync(before.path) === realpathSync(ground.path(to));
  if (!isLinked) await until(() => recordedRoot(ground, to) !== before.path);
  await expectToGoOn(ground, to, before);
  await expectToEnd(ground, to, [before]);
  expect(ground.living()).toEqual([]);
  expect(ground.residents()).toEqual([]);
  expect(await ground.devctl(to, 'status')).toMatchObject({ exitCode: 3 });
});

eachModeIf(hasSubreaper)([
  ['stop', ['stop']],
  ['stop --force', ['stop', '--force']],
  ['restart', ['restart', 'web']],
  ['start', ['start']],
])('%s works at once after a move to another file system', async (_title, words) => {
  await using ground = await openGround();
  const before = await ground.start('P');
  const to = await cross(ground);
  const result = await ground.devctl(to, ...words);
  expect(result, result.stderr).toMatchObject({ exitCode: 0 });
  if (!words.includes('stop')) {
    await expectToGoOn(ground, to, before);
    await expectToEnd(ground, to, [before], '--force');
  }
  expect(ground.living()).toEqual([]);
  expect(ground.residents()).toEqual([]);
});

fullTest.runIf(hasSubreaper)('a service is started again at the new place', async () => {
  await using ground = await openGround();
  const command = 'pwd; exec sleep 300';
  ground.write('P', { services: { web: { command, restart: { policy: 'always' } } } });
  expect(await ground.devctl('P', 'start')).toMatchObject({ exitCode: 0 });
  const to = await rename(ground);
  await until(() => recordedRoot(ground, to) === ground.path(to));
  const status = await ground.devctl(to, 'status', '--json');
  const [web] = JSON.parse(status.stdout).services;
  const { pid } = web.leader ?? web;
  expect(pid, status.stdout).toBeTypeOf('number');
  process.kill(pid, 'SIGKILL');
  await until(async () => (await ground.devctl(to, 'logs')).stdout.includes(ground.path(to)));
  expect(await ground.devctl(to, 'stop')).toMatchObject({ exitCode: 0 });
});

fullTest.each([
  ['before the supervisor has noticed', false],
  ['after the supervisor has noticed', true],
])(
  'a new checkout at the old path has nothing of the moved project, %s',
  async (_when, noticed) => {
    await using ground = await openGround();
    const moved = await ground.start('P');
    const to = await leaveCheckout(ground);
    if (noticed) await until(() => recordedRoot(ground, to) === ground.path(to));
    await expectToEndNothing(ground, 'P', moved);
    const fresh = await ground.start('P');
    expect(moved.living().length).toBe(3);
    await expectToEnd(ground, 'P', [fresh], '--force');
    expect(moved.living().length).toBe(3);
    const again = await ground.start('P');
    await expectToEnd(ground, to, [moved]);
    expect(again.living().length).toBe(3);
    await expectToEnd(ground, 'P', [again]);
  },
);

fullTest.runIf(hasSubreaper)('stop ends a moved project whose supervisor was killed', async () => {
  await using ground = await openGround();
  const before = await ground.start('P');
  await killAtOnce(before.supervisor);
  const to = await leaveCheckout(ground);
  await expectToEndNothing(ground, 'P', before);
  await expectToEnd(ground, to, [before]);
  expect(ground.residents()).toEqual([]);
});

fullTest.runIf(hasSubreaper)(
  'a daemon that is all that is left of a moved project is not that of the checkout at the old path',
  async () => {
    await using ground = await openGround();
    const before = await ground.start('P');
    const to = await leaveCheckout(ground);
    await until(() => recordedRoot(ground, to) === ground.path(to));
    await killAtOnce(before.supervisor);
    for (const one of before.processes) if (one.environment.length > 0) await killAtOnce(one);
    expect(before.living().length).toBe(1);
    await expectToEndNothing(ground, 'P', before);
    const fresh = await ground.start('P');
    expect(before.living().length).toBe(1);
    await expectToEnd(ground, to, [before]);
    expect(fresh.living().length).toBe(3);
    await expectToEnd(ground, 'P', [fresh]);
  },
);

test('a command under devctl run follows its project, and leaves the one-off of a new project at the old path alone', async () => {
  await using ground = await openGround();
  ground.write('P');
  const run = (go: string, first = ':') => {
    const wait = `sh -c 'until [ -e ${ground.path(go)} ]; do sleep 0.1; done' & touch on; wait`;
    return ground.devctl('P', 'run', '--name', 'job', '--', 'sh', '-c', `${first}; ${wait}`);
  };
  const untilOn = (name: string) => until(() => existsSync(ground.path(`${name}/on`)));
  const ledger = (name: string) => ground.path(`${name}/.pids/ledger/job`);
  const record = (name: string) => ground.path(`${name}/.pids/services/job.json`);
  // The first thing that the command does is to move its project.
  const first = run('go-first', `mv ${ground.path('P')} ${ground.path('R')}`);
  await untilOn('R');
  ground.write('P');
  const second = run('go-second');
  await untilOn('P');
  await until(() => existsSync(ledger('P')) && existsSync(ledger('R')));
  const before = readFileSync(ledger('P'), 'utf8');

  writeFileSync(ground.path('go-first'), '');
  expect(await first).toMatchObject({ exitCode: 0 });
  expect([existsSync(record('R')), existsSync(ledger('R'))]).toEqual([false, false]);
  expect(existsSync(record('P'))).toBe(true);
  expect(readFileSync(ledger('P'), 'utf8')).toContain(before);

  writeFileSync(ground.path('go-second'), '');
  expect(await second).toMatchObject({ exitCode: 0 });
  expect([existsSync(record('P')), existsSync(ledger('P'))]).toEqual([false, false]);
});

fullTest.runIf(hasSubreaper)(
  'a moved project and a new one at its old path keep their supervisors, whichever is started or stopped',
  async () => {
    await using ground = await openGround();
    const moved = await ground.start('P');
    await ground.run('mv', 'P', 'R');
    const fresh = await ground.start('P');
    // The command line of a moved supervisor still names the old path.
    const supervisors = ['R', 'P'].map((name) => supervisorOf(ground, name));
    const living = () => supervisors.map((one) => one !== undefined && isAlive(one));
    for (const name of ['R', 'P']) {
      expect(await ground.devctl(name, 'start')).toMatchObject({ exitCode: 0 });
      expect(living()).toEqual([true, true]);
    }
    await expectToEnd(ground, 'R', [moved]);
    expect(await ground.devctl('P', 'start')).toMatchObject({ exitCode: 0 });
    expect(living()).toEqual([false, true]);
    expect(fresh.living().length).toBe(3);
    await expectToEnd(ground, 'P', [fresh]);
    expect(ground.residents()).toEqual([]);
  },
);

/** The supervisor that the records of a project name. */
function supervisorOf(ground: Ground, name: string) {
  const path = ground.path(`${name}/.pids/supervisor.json`);
  const { pid } = JSON.parse(readFileSync(path, 'utf8')).identity;
  return ground.residents().find((one) => one.pid === pid);
}
