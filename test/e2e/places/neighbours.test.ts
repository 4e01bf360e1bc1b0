import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect } from 'vitest';
import { cleanEnvironment } from '../../support/clean-environment.ts';
import { expectToEnd, expectToEndNothing } from '../../support/expect-places.ts';
import { repositoryRoot } from '../../support/paths.ts';
import {
  type Ground,
  isAlive,
  keyOf,
  killResidents,
  openGround,
  type Run,
} from '../../support/places.ts';
import { hasSubreaper } from '../../support/services.ts';
import { eachModeIf, fullTest } from '../../support/sets.ts';
import { until } from '../../support/until.ts';

/** Starts the usual services of a folder by a manifest of another name. */
async function startByOther(ground: Ground, name: string, extra: object): Promise<Run> {
  const run = await ground.start(name);
  await expectToEnd(ground, name, [run]);
  renameSync(join(run.path, '.devctl.json'), join(run.path, 'dev.json'));
  const manifest = JSON.parse(readFileSync(join(run.path, 'dev.json'), 'utf8'));
  writeFileSync(join(run.path, 'dev.json'), JSON.stringify({ ...manifest, ...extra }));
  ground.write(name, { services: { web: { command: 'sleep 1' } } });
  const { exitCode, stderr } = await ground.devctl(name, 'start', '--config', 'dev.json');
  expect(exitCode, stderr).toBe(0);
  const processes = await until(() => (ground.living().length === 3 ? ground.living() : null));
  return { ...run, processes, living: () => processes.filter(isAlive).map(({ pid }) => `${pid}`) };
}

describe.runIf(hasSubreaper)(
  'a stop by one manifest ends nothing of another one in its folder',
  () => {
    eachModeIf(hasSubreaper)<[string, object, boolean]>([
      ['whose supervisor was killed', {}, true],
      ['whose supervisor lives', {}, false],
      ['that keeps its records elsewhere', { pidsDir: 'other' }, true],
    ])('%s', async (_name, extra, killed) => {
      await using ground = await openGround();
      const run = await startByOther(ground, 'P', extra);
      if (killed) await killResidents(ground);
      await expectToEndNothing(ground, 'P', run);
      await expectToEnd(ground, 'P', [run], '--config', 'dev.json');
    });
  },
);

fullTest.runIf(hasSubreaper)(
  'a removed project is ended by its id, and nothing of the new one at its path',
  async () => {
    await using ground = await openGround();
    const old = await ground.start('P');
    await killResidents(ground);
    const id: string = JSON.parse(readFileSync(join(old.path, '.pids/project.json'), 'utf8')).id;
    await ground.remove('P');
    // A start at the path would end what was left there. So the new project is one that was moved to the path.
    const fresh = await ground.start('new');
    await ground.run('mv', 'new', 'P');
    // It notices the move, shows what the old one has left as orphans, and has them in its ledgers from then on.
    expect(await ground.devctl('P', 'status')).toMatchObject({ exitCode: 3 });
    await until(async () => {
      const seen = await ground.run('sh', '-c', 'cat P/.pids/ledger/*');
      return old.processes.every(({ pid }) => seen.includes(`,${pid},`));
    });
    const living = fresh.living();
    expect(old.living()).not.toEqual([]);
    mkdirSync(ground.path('elsewhere'));
    await expectToEnd(ground, 'elsewhere', [old], '--project', id);
    expect(fresh.living()).toEqual(living);
    expect(ground.residents().length).toBeGreaterThan(0);
    // Also where nothing of it lives any more: the registry still knows its path.
    const again = await ground.devctl('elsewhere', 'stop', '--project', id);
    expect(again.exitCode, again.stderr).not.toBe(1);
    expect(fresh.living()).toEqual(living);
    await expectToEnd(ground, 'P', [fresh]);
  },
);

fullTest('a stop in a copy leaves the start alone that is under way in the original', async () => {
  await using ground = await openGround();
  const never = { log: '^never$', timeout: '10m' };
  ground.write('P', { services: { slow: { command: 'sleep 1000', ready: never } } });
  const start = ground.devctl('P', 'start');
  await until(() => ground.residents().length > 0 && existsSync(ground.path('P/.pids/lock')));
  await until(() => existsSync(ground.path('P/.pids/services/slow.json')));
  // Files come and go meanwhile, and cp complains.
  await ground.run('sh', '-c', 'cp -a P Q || true');
  const stopped = await ground.devctl('Q', 'stop');
  expect(stopped.exitCode, stopped.stderr).toBe(0);
  expect(existsSync(ground.path('P/.pids/lock'))).toBe(true);
  await ground.devctl('P', 'stop', '--force');
  // The stop in its own folder has ended it.
  expect((await start).exitCode).toBe(6);
});

/** Runs a script with the folder of a name at `app`, in a mount namespace of its own (mount_namespaces(7)). */
function mounted(ground: Ground, name: string, script: string) {
  const devctl = `'${process.execPath}' '${join(repositoryRoot, 'bin', 'devctl.js')}'`;
  const bind = `mount --bind '${ground.path(name)}' '${ground.path('app')}' && cd '${ground.path('app')}'`;
  return execa(
    'unshare',
    ['--mount', 'sh', '-c', `${bind} && ${script.replaceAll('devctl', devctl)}`],
    {
      env: { ...cleanEnvironment(), XDG_STATE_HOME: join(ground.path(name), '.state') },
      extendEnv: false,
      reject: false,
      stdin: 'ignore',
    },
  );
}

function mayMount(): boolean {
  return spawnSync('unshare', ['--mount', 'true']).status === 0;
}

eachModeIf(hasSubreaper && mayMount())<[string, readonly string[], boolean]>([
  ['while its supervisor lives', ['--force'], false],
  ['when its supervisor was killed', ['--force'], true],
  ['stop, while its supervisor lives', [], false],
])(
  'another folder at the same path of another mount namespace is another project: %s',
  async (_name, flags, killed) => {
    await using ground = await openGround();
    for (const name of ['A', 'B', 'app']) mkdirSync(ground.path(name));
    for (const name of ['A', 'B']) ground.write(name);
    const started = await mounted(ground, 'A', 'devctl start');
    expect(started.exitCode, started.stderr).toBe(0);
    await until(() => ground.living().length === 3);
    const before = ground.living().map(keyOf);
    if (killed) await killResidents(ground);
    const residents = ground.residents().length;
    const stopped = await mounted(ground, 'B', `devctl stop ${flags.join(' ')}`);
    expect(ground.living().map(keyOf), stopped.stdout + stopped.stderr).toEqual(before);
    expect(ground.residents().length).toBe(residents);
    const own = await mounted(ground, 'A', 'devctl stop');
    expect(own.exitCode, own.stdout + own.stderr).toBe(0);
    expect(ground.living()).toEqual([]);
  },
);
