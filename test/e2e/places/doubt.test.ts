import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect } from 'vitest';
import { NOBODY } from '../../processes/support/nobody.ts';
import { cleanEnvironment } from '../../support/clean-environment.ts';
import { hasControlGroups } from '../../support/control-groups.ts';
import { devctlWith } from '../../support/devctl.ts';
import { repositoryRoot } from '../../support/paths.ts';
import { type Ground, isAlive, openGround, startAbandoned } from '../../support/places.ts';
import { readProcesses } from '../../support/read-processes.ts';
import type { SeenProcess } from '../../support/seen-process.ts';
import { hasSubreaper, killAtOnce, removeAll, service } from '../../support/services.ts';
import { eachMode, fullTest, test } from '../../support/sets.ts';
import { canMount } from '../../support/small-disk.ts';
import { temporaryProject } from '../../support/temporary-project.ts';
import { until } from '../../support/until.ts';

const BOTH_STOPS: readonly [string, readonly string[]][] = [
  ['stop', []],
  ['stop --force', ['--force']],
];

/**
 * Stops in a folder. Nothing of these processes may end; in doubt (exit code 4) each is named, or its parent: a
 * supervisor that was killed at once may not have seen the child.
 */
async function expectToSpare(
  ground: Ground,
  name: string,
  processes: readonly SeenProcess[],
  { flags = [], exitCode = 0 }: { flags?: readonly string[]; exitCode?: 0 | 4 } = {},
): Promise<void> {
  const stopped = await ground.devctl(name, 'stop', ...flags);
  const said = stopped.stdout + stopped.stderr;
  expect(processes.filter(isAlive).length, said).toBe(processes.length);
  expect(stopped.exitCode, said).toBe(exitCode);
  if (exitCode !== 4) return;
  for (const { pid, ppid } of processes) expect(said).toMatch(new RegExp(`\\b(${pid}|${ppid})\\b`));
}

async function expectToEndAll(
  ground: Ground,
  name: string,
  processes: readonly SeenProcess[],
  flags: readonly string[] = [],
): Promise<void> {
  const { exitCode, stdout, stderr } = await ground.devctl(name, 'stop', ...flags);
  expect(processes.filter(isAlive), stdout + stderr).toEqual([]);
  expect(exitCode, stdout + stderr).toBe(0);
}

/** A service that works outside of its project, so that no working directory tells where the project is. */
const atRoot = ({ sleep }: Ground) => ({ services: { web: { command: sleep, cwd: '/' } } });

fullTest.each(BOTH_STOPS)(
  'a copy on the same device is not the original that was renamed: %s',
  async (_title, flags) => {
    await using ground = await openGround();
    const web = await startAbandoned(ground, 'P', { manifest: atRoot(ground), processes: 1 });
    await ground.run('cp', '-a', 'P', 'Q');
    await ground.run('mv', 'P', 'R');
    // As far as Q can tell, it may be what was P: mv(1) copies between two mounts of one device.
    await expectToSpare(ground, 'Q', web, { flags, exitCode: 4 });
    await expectToEndAll(ground, 'R', web, flags);
    await expectToSpare(ground, 'Q', [], { flags });
  },
);

test('a copy on the same device whose original was removed is the project, as its processes show', async () => {
  await using ground = await openGround();
  const manifest = { services: { web: { command: ground.sleep } } };
  const web = await startAbandoned(ground, 'P', { manifest, processes: 1 });
  // As mv does between two mounts of one device.
  await ground.run('cp', '-a', 'P', 'Q');
  await ground.remove('P');
  await expectToEndAll(ground, 'Q', web);
});

fullTest.each(BOTH_STOPS)(
  'a copy knows where the original is by its own records folder: %s',
  async (_title, flags) => {
    await using ground = await openGround();
    const manifest = { pidsDir: 'state', services: { web: { command: ground.sleep } } };
    const web = await startAbandoned(ground, 'P', { manifest, processes: 1 });
    const copy = join(ground.otherFileSystem(), 'Q');
    await ground.run('cp', '-a', 'P', copy);
    await ground.run('mv', 'P', 'R');
    await expectToSpare(ground, copy, web, { flags });
    await expectToEndAll(ground, 'R', web, flags);
  },
);

fullTest.runIf(hasSubreaper).each([...BOTH_STOPS].reverse())(
  'a project with a records folder of its own was moved away, and a checkout is at its path: %s',
  async (_title, flags) => {
    await using ground = await openGround();
    const manifest = { pidsDir: 'state', ...atRoot(ground) };
    const moved = async () => {
      await ground.run('mv', 'P', 'R');
      const record = ground.path('R/state/project.json');
      await until(() => JSON.parse(readFileSync(record, 'utf8')).path === ground.path('R'));
      // The registry is written just after it.
      await until(() => {
        const folder = join(ground.state, 'projects');
        const entries = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
        return entries.some((entry) => JSON.parse(entry).path === ground.path('R'));
      });
    };
    const web = await startAbandoned(ground, 'P', { manifest, processes: 1 }, moved);
    ground.write('P', manifest);
    await expectToSpare(ground, 'P', web, { flags });
    await expectToEndAll(ground, 'R', web, flags);
  },
);

fullTest.each(BOTH_STOPS)(
  'without a state folder a control group is not enough, because the project may have been moved: %s',
  async (_title, flags) => {
    await using ground = await openGround({ XDG_STATE_HOME: '', HOME: '/' });
    const manifest = { services: { web: { command: `exec env -i ${ground.sleep}` } } };
    const web = await startAbandoned(ground, 'P', { manifest, processes: 1 });
    await ground.run('mv', 'P', 'R');
    ground.write('P');
    const stopped = await ground.devctl('P', 'stop', ...flags);
    expect(web.filter(isAlive).length, stopped.stdout + stopped.stderr).toBe(1);
    // Without control groups nothing points to the process.
    expect([0, 4]).toContain(stopped.exitCode);
    await expectToEndAll(ground, 'R', web, flags);
  },
);

eachMode<[string, (sleep: string) => string, readonly string[]]>([
  ['its mark, stop', (sleep) => sleep, []],
  ['its mark, stop --force', (sleep) => sleep, ['--force']],
  ['its control group, stop', (sleep) => `exec env -i ${sleep}`, []],
  ['its control group, stop --force', (sleep) => `exec env -i ${sleep}`, ['--force']],
])(
  'a project that was moved after its supervisor was killed is not that of a checkout at its path: %s',
  async (_title, command, flags) => {
    await using ground = await openGround();
    const manifest = { services: { web: { command: command(ground.sleep), cwd: '/' } } };
    const web = await startAbandoned(ground, 'P', { manifest, processes: 1 });
    await ground.run('mv', 'P', 'R');
    ground.write('P');
    const { exitCode, stdout, stderr } = await ground.devctl('P', 'stop', ...flags);
    expect(web.filter(isAlive).length, stdout + stderr).toBe(1);
    // Without control groups nothing points to a process that has no environment.
    if (hasControlGroups || command('') === '') expect(exitCode, stdout + stderr).toBe(4);
    const fresh = await ground.devctl('P', 'start');
    expect(web.filter(isAlive).length, fresh.stdout + fresh.stderr).toBe(1);
    await ground.devctl('P', 'stop', ...flags);
    expect(web.filter(isAlive).length).toBe(1);
    await expectToEndAll(ground, 'R', web, flags);
  },
);

eachMode([...BOTH_STOPS].reverse())(
  'a process with a mark of an early devctl, which works in a folder that was moved: %s',
  async (_title, flags) => {
    await using ground = await openGround();
    ground.write('P');
    const printed = await ground.devctl('P', 'run', '--', 'printenv', 'DEVCTL_PROJECT');
    const mark = printed.stdout.trim();
    await removeAll(ground.path('P/.pids'));
    const marks = { DEVCTL_PROJECT: mark, DEVCTL_SERVICE: 'web', DEVCTL_RUN: '0'.repeat(32) };
    await execa('setsid', ['-f', ...ground.sleep.split(' ')], {
      cwd: ground.path('P'),
      env: { ...cleanEnvironment(), ...marks },
      extendEnv: false,
      stdio: 'ignore',
    });
    const early = await until(() => ground.living().find(({ pid }) => pid > 1));
    await ground.run('mv', 'P', 'R');
    ground.write('P');
    await expectToSpare(ground, 'P', [early], { flags, exitCode: 4 });
    await ground.remove('P');
    await ground.run('mv', 'R', 'P');
    await expectToEndAll(ground, 'P', [early], flags);
  },
);

fullTest.runIf(mayUnshare()).each(BOTH_STOPS)(
  'one process in a PID namespace of its own does not hide the others: %s',
  async (_title, flags) => {
    await using ground = await openGround();
    const box = { command: `unshare --pid --fork ${ground.sleep}` };
    const manifest = { services: { web: { command: ground.sleep }, box } };
    const all = await startAbandoned(ground, 'P', { manifest, processes: 2 });
    await removeAll(ground.path('P/.pids'));
    await expectToEndAll(ground, 'P', all, flags);
  },
);

eachMode([...BOTH_STOPS].reverse())(
  'one service that works in the folder of another project does not hide the others: %s',
  async (_title, flags) => {
    await using ground = await openGround();
    ground.write('lib');
    const lib = { command: ground.sleep, cwd: '../lib' };
    const manifest = { services: { web: { command: ground.sleep }, lib } };
    const all = await startAbandoned(ground, 'P', { manifest, processes: 2 });
    await removeAll(ground.path('P/.pids'));
    await expectToEndAll(ground, 'P', all, flags);
  },
);

fullTest.each([...BOTH_STOPS].reverse())(
  'a run of which every process works in the folder of another project is in doubt: %s',
  async (_title, flags) => {
    await using ground = await openGround();
    ground.write('lib');
    // With its log or its stdin open, the process would show whose it is.
    const command = `exec ${ground.sleep} </dev/null >/dev/null 2>&1`;
    const manifest = { services: { lib: { command, cwd: '../lib' } } };
    const all = await startAbandoned(ground, 'P', { manifest, processes: 1 });
    await removeAll(ground.path('P/.pids'));
    await expectToSpare(ground, 'P', all, { flags, exitCode: 4 });
  },
);

eachMode(BOTH_STOPS)(
  'an empty manifest does not hide a records folder of its own: %s',
  async (_title, flags) => {
    await using ground = await openGround({ DEVCTL_CGROUP: 'off' });
    const web = { command: `exec env -i ${ground.sleep}` };
    const manifest = { pidsDir: 'state', services: { web } };
    const all = await startAbandoned(ground, 'P', { manifest, processes: 1 });
    writeFileSync(ground.path('P/.devctl.json'), '');
    await expectToEndAll(ground, 'P', all, flags);
  },
);

// Only root can become another user.
fullTest.runIf(process.getuid?.() === 0).each(BOTH_STOPS)(
  'records of another user show the nearest project, and a stop does not go on to the one above: %s',
  async (_title, flags) => {
    await using project = await temporaryProject({ services: { web: service('fan', ['1']) } });
    execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, project.root]);
    const outer = await devctlWith(project, { uid: NOBODY }, 'start');
    expect(outer, outer.stderr).toMatchObject({ exitCode: 0 });
    project.write(
      'apps/x/.devctl.json',
      JSON.stringify({ services: { x: service('fan', ['1']) } }),
    );
    const nested = { cwd: project.file('apps/x') };
    expect(await devctlWith(project, nested, 'start')).toMatchObject({ exitCode: 0 });
    rmSync(project.file('apps/x/.devctl.json'));
    const before = project.oracle.processes().length;
    for (const command of ['status', 'stop']) {
      const words = command === 'stop' ? [command, ...flags] : [command];
      const result = await devctlWith(project, { ...nested, uid: NOBODY }, ...words);
      expect(result.exitCode, result.stdout + result.stderr).toBe(1);
      expect(result.stderr).toContain(project.file('apps/x/.pids'));
    }
    expect(project.oracle.processes().length).toBe(before);
    expect(await devctlWith(project, nested, 'stop')).toMatchObject({ exitCode: 0 });
    const ended = await devctlWith(project, { uid: NOBODY }, 'stop');
    expect(ended, ended.stderr).toMatchObject({ exitCode: 0 });
  },
);

/** The files by which the records of a place name something. */
const NAMED = ['project.json', 'supervisor.json', 'services/web.json'] as const;

/** Writes the records of a clone of this machine: of another boot, with a `project.json` of three days ago. */
async function pretendClone(ground: Ground, folder: string): Promise<void> {
  const web = await startAbandoned(ground, 'P', { manifest: atRoot(ground), processes: 1 });
  for (const one of web) await killAtOnce(one);
  const texts = NAMED.map((name) => readFileSync(ground.path(`P/.pids/${name}`), 'utf8'));
  await removeAll(ground.path('P/.pids'));
  mkdirSync(ground.path(`P/${folder}/services`), { recursive: true, mode: 0o700 });
  for (const [index, name] of NAMED.entries()) {
    const text = texts[index]?.replaceAll(/"bootId": ?"[^"]+"/g, '"bootId": "b0"') ?? '';
    writeFileSync(ground.path(`P/${folder}/${name}`), text, { mode: 0o600 });
  }
  const past = Date.now() / 1_000 - 3 * 86_400;
  utimesSync(ground.path(`P/${folder}/project.json`), past, past);
}

fullTest.each<[string, string]>([
  ['in the usual folder', '.pids'],
  ['in the folder of a place', '.pids/places/0123456789ab'],
])(
  'records that are younger than this boot are not of an earlier boot: %s',
  async (_where, folder) => {
    await using ground = await openGround();
    await pretendClone(ground, folder);
    for (const words of [['stop'], ['start'], ['stop'], ['stop', '--force']]) {
      const { exitCode, stderr } = await ground.devctl('P', ...words);
      expect(exitCode, stderr).toBe(0);
      for (const name of NAMED)
        expect(existsSync(ground.path(`P/${folder}/${name}`)), name).toBe(true);
    }
  },
);

fullTest.runIf(canMount && hasSubreaper)('an unmount is no removal', async () => {
  await using ground = await openGround();
  mkdirSync(ground.path('mounted'));
  ground.write('before', { services: { web: { command: ground.sleep } } });
  const devctl = [process.execPath, join(repositoryRoot, 'bin', 'devctl.js')];
  const script = [
    'mount -t tmpfs none mounted && mkdir mounted/P && cp before/.devctl.json mounted/P',
    `cd mounted/P && ${devctl.join(' ')} start >&2 && cd / && umount -l "$0/mounted" && read -r line`,
  ].join(' && ');
  const inside = execa('unshare', ['--mount', 'sh', '-c', script, ground.root], {
    cwd: ground.root,
    env: {
      ...cleanEnvironment(),
      XDG_STATE_HOME: join(ground.state, '..'),
      DEVCTL_CGROUP: 'off',
      // The oracle does not see the files of another mount namespace.
      TURBO_DEVCTL_ORACLE: ground.root,
    },
    extendEnv: false,
    reject: false,
    stdin: 'pipe',
  });
  const log = () =>
    readProcesses()
      .filter(({ argv }) => argv.includes(ground.path('mounted/P')))
      .flatMap(({ pid }) => {
        const path = `/proc/${pid}/cwd/.pids/supervisor.log`;
        return existsSync(path) ? [readFileSync(path, 'utf8')] : [];
      })
      .join('');
  await until(() => ground.living().length === 1);
  const [web] = ground.living();
  await until(() => log().includes('cannot be looked at') || (web && !isAlive(web)));
  expect(web && isAlive(web)).toBe(true);
  expect(log()).not.toContain('removed');
  inside.stdin?.end('go\n');
  await inside;
});

function mayUnshare(): boolean {
  try {
    execFileSync('unshare', ['--pid', '--fork', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
