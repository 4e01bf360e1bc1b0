import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect } from 'vitest';
import { bystander } from '../support/bystander.ts';
import { cleanEnvironment } from '../support/clean-environment.ts';
import { fixture, repositoryRoot } from '../support/paths.ts';
import { supervisorsOf } from '../support/services.ts';
import { eachModeIf, fullTest, test } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

/** Only root can become two users. */
const canBeTwo = process.geteuid?.() === 0 && process.platform === 'linux';
const OWNER = 65_534;
const EVE = 65_533;

/** devctl and its programs in a place that every user can read. */
let installed: TemporaryProject;
beforeAll(async () => {
  installed = await temporaryProject();
  chmodSync(installed.root, 0o755);
  for (const part of ['bin', 'dist', 'package.json', 'fixtures']) {
    const filter = (path: string) => !path.includes('fixtures/incident');
    cpSync(join(repositoryRoot, part), installed.file(part), { recursive: true, filter });
  }
});
afterAll(() => installed[Symbol.asyncDispose]());

const program = (name: string, ...args: string[]) =>
  fixture(name, ...args).map((word) => word.replace(repositoryRoot, `${installed.root}/`));

/** Makes a project that belongs to OWNER, with a service that has two processes. */
async function projectOf(more: object = {}): Promise<TemporaryProject> {
  const web = { command: program('own-session'), stop: { command: 'touch stop-command-ran' } };
  const project = await temporaryProject({ services: { web }, stopGrace: 500, ...more });
  chmodSync(project.root, 0o755);
  mkdirSync(project.file('run'), { mode: 0o700 });
  execFileSync('chown', ['-R', `${OWNER}:${OWNER}`, project.root]);
  return project;
}

const asUser = (uid: number) =>
  uid === 0 ? ['env'] : ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];

async function devctlAs(uid: number, project: TemporaryProject, ...args: readonly string[]) {
  const [file = '', ...before] = asUser(uid);
  const command = [...before, process.execPath, installed.file('bin/devctl.js'), ...args];
  const runtime = { XDG_RUNTIME_DIR: project.file('run') };
  return execa(file, command, {
    cwd: project.root,
    env: { ...cleanEnvironment(), ...project.env, ...runtime },
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
  });
}

async function started(more: object = {}): Promise<TemporaryProject> {
  const project = await projectOf(more);
  const start = await devctlAs(OWNER, project, 'start');
  expect(start, start.stderr).toMatchObject({ exitCode: 0 });
  await until(() => servicesOf(project).length === 2);
  return project;
}

/** The oracle does not know that this copy of devctl is devctl. */
const servicesOf = (project: TemporaryProject) =>
  project.oracle
    .processes()
    .filter(
      ({ argv }) => !argv.slice(1, 3).some((word) => word.startsWith(installed.file('dist'))),
    );

const give = (uid: number, path: string) => execFileSync('chown', ['-R', `${uid}:${uid}`, path]);

eachModeIf(canBeTwo)(['000', '022', '077'])(
  'under umask %s no file of devctl is open to others',
  async (mask) => {
    await using project = await projectOf();
    const command = `umask ${mask}; exec "$@"`;
    const script = [process.execPath, installed.file('bin/devctl.js'), 'start'];
    const [file = '', ...before] = asUser(OWNER);
    await execa(file, [...before, 'sh', '-c', command, 'sh', ...script], {
      cwd: project.root,
      env: { ...cleanEnvironment(), ...project.env, XDG_RUNTIME_DIR: project.file('run') },
      extendEnv: false,
      stdin: 'ignore',
    });
    const socket: string = JSON.parse(
      readFileSync(project.file('.pids/supervisor.json'), 'utf8'),
    ).socket;
    expect(socket.startsWith(project.file('run/devctl/'))).toBe(true);
    const inside = readdirSync(project.file('.pids'), { recursive: true, encoding: 'utf8' });
    const paths = [
      project.file('.pids'),
      dirname(socket),
      socket,
      ...inside.map((name) => project.file(`.pids/${name}`)),
    ];
    const open = paths.filter((path) => {
      const { mode } = lstatSync(path);
      return (mode & 0o777) !== (lstatSync(path).isDirectory() ? 0o700 : 0o600);
    });
    expect(open).toEqual([]);
    expect(inside).toEqual(
      expect.arrayContaining(['logs/web.log', 'stdin/web', 'services/web.json', 'ledger/web']),
    );
    expect(await devctlAs(OWNER, project, 'stop')).toMatchObject({ exitCode: 0 });
  },
);

test.runIf(canBeTwo)(
  'a records folder of another user is refused; --force ends what is ours',
  async () => {
    await using project = await started();
    renameSync(project.file('.pids'), project.file('.was'));
    cpSync(project.file('.was/services'), project.file('.pids/services'), { recursive: true });
    give(EVE, project.file('.pids'));
    chmodSync(project.file('.pids'), 0o777);
    for (const command of ['start', 'stop']) {
      const refused = await devctlAs(OWNER, project, command);
      expect(refused).toMatchObject({ exitCode: 1 });
      expect(refused.stderr).toMatch(/\.pids is not safe to use: owned by user 65533/);
    }
    expect(servicesOf(project).length).toBe(2);
    expect(await devctlAs(OWNER, project, 'stop', '--force')).toMatchObject({ exitCode: 0 });
    expect([...project.oracle.processes(), ...supervisorsOf(project)]).toEqual([]);
  },
);

test.runIf(canBeTwo)(
  'stop --force as another user, who sees neither records nor marks, does not say that nothing runs',
  async () => {
    await using project = await started();
    const forced = await devctlAs(EVE, project, 'stop', '--force');
    expect(forced.stderr).toMatch(
      /the records in .*\.pids were not read \(owned by user 65534, .*although some may run\n.*run devctl as that user/,
    );
    expect(forced.exitCode, forced.stderr).toBe(1);
    expect(servicesOf(project).length).toBe(2);
    expect(await devctlAs(OWNER, project, 'stop')).toMatchObject({ exitCode: 0 });
    expect(servicesOf(project)).toEqual([]);
  },
);

fullTest.runIf(canBeTwo)(
  'a user without HOME and without an entry in the user database has all commands',
  async () => {
    const nobody = 54_321;
    await using project = await projectOf();
    give(nobody, project.root);
    const run = (...args: readonly string[]) => {
      const { HOME, XDG_STATE_HOME, ...env } = { ...cleanEnvironment(), ...project.env };
      const [file = '', ...before] = asUser(nobody);
      const script = [process.execPath, installed.file('bin/devctl.js'), ...args];
      return execa(file, [...before, ...script], {
        cwd: project.root,
        env: { ...env, XDG_RUNTIME_DIR: project.file('run') },
        extendEnv: false,
        reject: false,
        stdin: 'ignore',
      });
    };
    expect(await run('status')).toMatchObject({ exitCode: 3 });
    for (const words of [['start'], ['status'], ['stop'], ['stop', '--force']]) {
      const { exitCode, stdout, stderr } = await run(...words);
      expect(exitCode, stdout + stderr).toBe(0);
    }
    rmSync(project.file('.devctl.json'));
    const sweep = await run('sweep');
    expect(sweep.exitCode, sweep.stdout + sweep.stderr).toBe(2);
    expect(sweep.stderr).toContain('nobody knows whether');
    expect([...project.oracle.processes(), ...supervisorsOf(project)]).toEqual([]);
  },
);

test.runIf(canBeTwo)('devctl does not obey records that another user has planted', async () => {
  await using project = await started();
  await using victim = await bystander('node server.js', project.root);
  const record = JSON.parse(readFileSync(project.file('.pids/services/web.json'), 'utf8'));
  const stat = readFileSync(`/proc/${victim.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  const identity = { ...record.leader, pid: victim.pid, startTicks: Number(stat[19]) };
  const { bootId, pidNamespace, startTicks } = identity;
  const header = ['devctl-ledger', 1, bootId, pidNamespace];
  const line = [record.runId, victim.pid, startTicks, 1, victim.pid, victim.pid];
  const holder = { identity, command: 'start', at: '', token: 'a'.repeat(32), schema: 1 };
  const planted = {
    'services/evil.json': JSON.stringify({ ...record, service: 'evil', leader: identity }),
    'ledger/evil': `\n${JSON.stringify(header)}\n${JSON.stringify(line)}\n`,
    'services.pids': `${victim.pid}\n`,
    lock: JSON.stringify(holder),
  };
  for (const [name, text] of Object.entries(planted))
    give(EVE, project.write(`.pids/${name}`, text));
  const stop = await devctlAs(OWNER, project, 'stop', '--json');
  expect(stop, stop.stderr).toMatchObject({ exitCode: 0 });
  const report = JSON.parse(stop.stdout);
  const told: string = report.problems.join('\n');
  for (const name of ['evil.json', 'ledger/evil', 'services.pids']) expect(told).toContain(name);
  expect(told).toContain('owned by user 65533');
  expect(victim.alive()).toBe(true);
  expect(project.oracle.processes()).toEqual([]);
});

test.runIf(canBeTwo)(
  'a process that plays the supervisor is told nothing and is not believed',
  async () => {
    await using project = await started();
    const record = JSON.parse(readFileSync(project.file('.pids/supervisor.json'), 'utf8'));
    const { socket } = record;
    const place = dirname(socket);
    // As if the folder had been removed and eve had made it again first.
    renameSync(place, `${place}-was`);
    mkdirSync(place, { mode: 0o777 });
    chmodSync(project.file('run'), 0o755);
    chownSync(place, EVE, EVE);
    const hello = {
      version: record.version,
      pid: record.identity.pid,
      subreaper: true,
      children: false,
    };
    const code = `require('node:http').createServer((request, response) => {
    require('node:fs').appendFileSync(${JSON.stringify(join(place, 'heard'))}, request.url);
    response.end(${JSON.stringify(JSON.stringify(hello))});
  }).listen(${JSON.stringify(socket)}, () => require('node:fs').chmodSync(${JSON.stringify(socket)}, 0o777))`;
    const [file = '', ...before] = asUser(EVE);
    const eve = spawn(file, [...before, process.execPath, '-e', code], { stdio: 'ignore' });
    try {
      await until(() => existsSync(socket));
      const start = await devctlAs(OWNER, project, 'start');
      expect(start).toMatchObject({ exitCode: 1 });
      const stop = await devctlAs(OWNER, project, 'stop', '--json');
      expect(stop, stop.stderr).toMatchObject({ exitCode: 0 });
      expect(JSON.parse(stop.stdout).proof).toMatchObject({ strength: 'best-effort' });
      expect(existsSync(join(place, 'heard'))).toBe(false);
      expect(project.oracle.processes()).toEqual([]);
      const refused = await devctlAs(OWNER, project, 'start');
      expect(refused.stderr).toMatch(/run\/devctl is not safe to use: owned by user 65533/);
      expect(refused.stderr).toContain('set XDG_RUNTIME_DIR to a folder of your own');
    } finally {
      eve.kill('SIGKILL');
    }
  },
);

fullTest.runIf(canBeTwo)(
  'root in the project of another user believes neither its records nor its sweep',
  async () => {
    await using project = await started({ sweep: { scope: 'user', patterns: ['node server'] } });
    await using elsewhere = await temporaryProject();
    await using victim = await bystander('node server.js', elsewhere.root);
    const status = await devctlAs(0, project, 'status');
    expect(status.stderr).toContain('owned by user 65534');
    const stop = await devctlAs(0, project, 'stop');
    expect(stop).toMatchObject({ exitCode: 1 });
    expect(stop.stderr).toMatch(/\.pids is not safe to use: owned by user 65534/);
    expect(servicesOf(project).length).toBe(2);

    const forced = await devctlAs(0, project, 'stop', '--force');
    expect(forced, forced.stderr).toMatchObject({ exitCode: 0 });
    expect(victim.alive()).toBe(true);
    expect(existsSync(project.file('stop-command-ran'))).toBe(false);
    expect(project.oracle.processes()).toEqual([]);
  },
);

test.runIf(canBeTwo)(
  'records of another user above the folder do not make it a project',
  async () => {
    await using above = await temporaryProject();
    give(EVE, dirname(above.write('.pids/services/web.json', '{}')));
    chownSync(above.file('.pids'), EVE, EVE);
    const cwd = dirname(above.write('mine/file', ''));
    await using dev = await bystander('npm test', above.root);
    const script = join(repositoryRoot, 'bin', 'devctl.js');
    const forced = await execa(process.execPath, [script, 'stop', '--force', '--json'], {
      cwd,
      env: { ...cleanEnvironment(), ...above.env },
      extendEnv: false,
      reject: false,
    });
    expect(JSON.parse(forced.stdout)).toMatchObject({ project: cwd, processes: [] });
    expect(dev.alive()).toBe(true);
  },
);

test.runIf(canBeTwo)(
  'a process that became root is told at once, with the command that ends it, and gets no grace period',
  async () => {
    const started = performance.now();
    const become = '$ENV{PATH} = "/bin"; POSIX::setuid(0); exec {"/bin/sleep"} "sleep", "600"';
    const command = ['/bin/sh', '-c', './become-root -MPOSIX -e "$0" & exec sleep 600', become];
    await using project = await projectOf({ services: { web: { command } }, stopGrace: 60_000 });
    const perl = execFileSync('perl', ['-e', 'print $^X'], { encoding: 'utf8' });
    copyFileSync(perl, project.file('become-root'));
    chmodSync(project.file('become-root'), 0o4755);
    expect(await devctlAs(OWNER, project, 'start')).toMatchObject({ exitCode: 0 });
    const isRoot = ({ pid }: { readonly pid: number }) =>
      /^Uid:\s+0\s+0/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
    await until(() => servicesOf(project).some((one) => one.argv[0] === 'sleep' && isRoot(one)));
    const [root] = servicesOf(project).filter(isRoot);
    const stop = await devctlAs(OWNER, project, 'stop');
    expect(stop.exitCode, stop.stdout).toBe(4);
    expect(stop.stdout).toContain(
      `pid ${root?.pid}: sleep 600: it may not be signalled by this user; needs: sudo kill ${root?.pid}`,
    );
    expect(stop.stdout).not.toContain('outlived SIGKILL');
    expect(performance.now() - started).toBeLessThan(60_000);
    expect(servicesOf(project).map(({ pid }) => pid)).toEqual([root?.pid]);
    const all = await devctlAs(0, project, 'stop', '--force');
    expect(servicesOf(project), all.stdout).toEqual([]);
  },
);
