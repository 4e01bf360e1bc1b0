import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
} from 'node:fs';
import { expect } from 'vitest';
import { parseText } from '../../src/manifest/parse.ts';
import { bystander } from '../support/bystander.ts';
import { devctl, devctlWith, startDevctl } from '../support/devctl.ts';
import { freePort } from '../support/free-ports.ts';
import { fixture } from '../support/paths.ts';
import { killAtOnce, service, signalSupervisor, supervisorsOf } from '../support/services.ts';
import { eachMode, fullTest, test } from '../support/sets.ts';
import { temporaryProject } from '../support/temporary-project.ts';

const sleeper = fixture('sleeper');

test('two services in a row without a manifest: status, logs, restart, a second start, save, and a stop of both with proof', async () => {
  await using project = await temporaryProject();
  const start = (name: string, ...command: readonly string[]) =>
    devctl(project, 'start', name, '--', ...command);
  expect(await start('web', ...sleeper)).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining('devctl save'),
  });
  expect(await start('job', ...fixture('fan', '2'))).toMatchObject({ exitCode: 0 });
  // The same once more is a success; another command under the name is none.
  expect(await start('web', ...sleeper)).toMatchObject({ exitCode: 0 });
  expect(await start('web', 'sleep', '300')).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('runs already, with another command'),
  });

  const status = await devctl(project, 'status', '--json');
  expect(status.exitCode).toBe(0);
  expect(JSON.parse(status.stdout).services).toMatchObject([
    { name: 'job', adHoc: true, undeclared: false, processes: 3 },
    { name: 'web', adHoc: true, undeclared: false, processes: 1 },
  ]);
  expect((await devctl(project, 'status')).stdout).toContain('(ad hoc)');
  expect((await devctl(project, 'logs', 'web')).stdout).toContain('ready');
  expect(await devctl(project, 'run', '--', 'true')).toMatchObject({ exitCode: 0 });
  expect(await devctl(project, 'check')).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('devctl save'),
  });

  const [before] = JSON.parse(status.stdout).services;
  expect(await devctl(project, 'restart', 'job')).toMatchObject({ exitCode: 0 });
  const [after, other] = JSON.parse((await devctl(project, 'status', '--json')).stdout).services;
  expect(after).toMatchObject({ name: 'job', state: 'running', processes: 3 });
  expect(after.pid).not.toBe(before.pid);
  expect(other.pid).toBe(JSON.parse(status.stdout).services[1].pid);

  const stopped = await devctl(project, 'stop', '--json');
  expect(stopped.exitCode).toBe(0);
  expect(JSON.parse(stopped.stdout)).toMatchObject({ survivors: [] });
  expect(project.oracle.everything()).toEqual([]);
  // A service that was stopped is forgotten, and the logs are left.
  expect(await devctl(project, 'restart', 'job')).toMatchObject({ exitCode: 2 });
  expect((await devctl(project, 'logs')).stdout).toContain('ready');
});

fullTest(
  'save writes a manifest, and later into it, with its comments; then they are its services',
  async () => {
    await using project = await temporaryProject();
    mkdirSync(project.file('apps/web'), { recursive: true });
    const cwd = project.file('apps/web');
    expect(await devctl(project, 'start', 'job', '--', ...sleeper)).toMatchObject({ exitCode: 0 });
    const saved = await devctl(project, 'save', '--json');
    expect(JSON.parse(saved.stdout)).toMatchObject({ ok: true, saved: ['job'], problems: [] });
    const written = readFileSync(project.file('.devctl.json'), 'utf8');
    expect(written).toContain('// from devctl start job -- ');

    // Below a manifest it is a service of that project.
    const web = ['start', 'web', '--', ...fixture('sleeper')];
    expect(await devctlWith(project, { cwd }, ...web)).toMatchObject({ exitCode: 0 });
    expect(existsSync(`${cwd}/.pids`)).toBe(false);
    expect(await devctl(project, 'start', 'job', '--', 'true')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('the manifest has a service or a group called job'),
    });
    // --apply stops what was taken out of the manifest. This never was in it.
    expect(await devctl(project, 'start', '--apply', '--dry-run', '--json')).toMatchObject({
      stdout: expect.stringMatching(/"stop": \[\]/),
    });
    expect(await devctl(project, 'save', 'web')).toMatchObject({ exitCode: 0 });
    const both = readFileSync(project.file('.devctl.json'), 'utf8');
    expect(both.startsWith(written.slice(0, written.indexOf('"job"')))).toBe(true);
    expect(both).toContain('"cwd": "apps/web"');
    expect(await devctl(project, 'check')).toMatchObject({ exitCode: 0 });
    expect(await devctl(project, 'save')).toMatchObject({ exitCode: 2 });
    expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
    expect(project.oracle.everything()).toEqual([]);
  },
);

fullTest(
  'several saves at the same moment lose no line, with a manifest and without; nobody sees half of one',
  async () => {
    await using project = await temporaryProject();
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    for (const name of names)
      expect(await devctl(project, 'start', name, '--', ...sleeper)).toMatchObject({ exitCode: 0 });
    const file = project.file('.devctl.json');
    const seen = new Set<string>();
    const look = setInterval(() => existsSync(file) && seen.add(readFileSync(file, 'utf8')), 1);
    try {
      for (const some of [names.slice(0, 3), names.slice(3)]) {
        const saved = some.map((name) => startDevctl(project, {}, 'save', name));
        for (const save of saved) expect(await save).toMatchObject({ exitCode: 0 });
      }
    } finally {
      clearInterval(look);
    }
    seen.add(readFileSync(file, 'utf8'));
    for (const text of seen) expect(parseText(text, file).problems).toEqual([]);
    expect(await devctl(project, 'check')).toMatchObject({ exitCode: 0 });
    const status = JSON.parse((await devctl(project, 'status', '--json')).stdout);
    expect(status.services.map(({ name }: { name: string }) => name).sort()).toEqual(names);
    expect(status.services.every(({ adHoc }: { adHoc: boolean }) => !adHoc)).toBe(true);
    expect(readdirSync(project.root).sort()).toEqual(['.devctl.json', '.marker', '.pids']);
    expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
    expect(project.oracle.everything()).toEqual([]);
  },
);

fullTest(
  'a supervisor that takes over knows ad hoc services: adopt, and a start of another one',
  async () => {
    await using project = await temporaryProject();
    await devctl(project, 'start', 'web', '--', ...sleeper);
    await signalSupervisor(project, 'SIGKILL');
    const adopted = await devctl(project, 'adopt', '--json');
    expect(JSON.parse(adopted.stdout).services).toMatchObject([{ name: 'web', restart: 'no' }]);
    expect(supervisorsOf(project)).toHaveLength(1);
    // One that has ended is started again by its name.
    const [one] = project.oracle.processes();
    if (!one) throw new Error('web does not run');
    await killAtOnce(one);
    expect(await devctl(project, 'start', 'web')).toMatchObject({ exitCode: 0 });
    expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
    expect(project.oracle.everything()).toEqual([]);
  },
);

eachMode<[string, readonly string[]]>([
  ['stop --force', ['stop', '--force']],
  ['stop', ['stop']],
  ['sweep', ['sweep']],
  ['stop --force without its records', ['stop', '--force']],
])('%s beside the dev servers of repositories harms none', async (name, command) => {
  await using project = await temporaryProject();
  const port = await freePort();
  expect(await devctl(project, 'start', 'web', '--', ...sleeper)).toMatchObject({ exitCode: 0 });
  // The folder becomes one of many repositories only now: a start would be refused.
  project.write('theirs/.git/HEAD', 'ref: refs/heads/main\n');
  project.write('theirs/package.json', '{}');
  await using server = await bystander('node vite --port 1', project.file('theirs'), port);
  await using tests = await bystander('npm test', project.file('theirs'));
  await using near = await bystander('npm run dev', project.root);
  if (name.includes('without its records')) {
    const { removeRecords } = await import('../support/services.ts');
    await removeRecords(project);
  }
  await devctl(project, ...command);
  expect([server, tests, near].map((one) => one.alive())).toEqual([true, true, true]);
  await devctl(project, 'stop');
  expect([server, tests, near].map((one) => one.alive())).toEqual([true, true, true]);
  expect(project.oracle.processes()).toEqual([]);
});

test('refused: in the home folder, above repositories, without a name, beside a group; nothing is left', async () => {
  await using project = await temporaryProject({
    services: { web: service('sleeper') },
    groups: { all: ['web'] },
  });
  await using code = await temporaryProject();
  code.write('repo/.git/HEAD', '');
  const refused = async (what: string, folder: typeof project, ...words: readonly string[]) => {
    const env = { HOME: folder === code && what.includes('home') ? code.root : '/nowhere' };
    const result = await devctlWith(folder, { env }, 'start', ...words);
    expect({ what, code: result.exitCode, stderr: result.stderr }).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(what),
    });
  };
  const command = ['--', 'sleep', '300'];
  await refused('is, or holds, the home folder', code, 'x', ...command);
  await refused(`${realpathSync(code.root)}/repo is one`, code, 'x', ...command);
  // The home folder by another name, above it, and below one that is a repository of dotfiles.
  const link = `${code.root}-link`;
  symlinkSync(code.root, link);
  const start = (cwd: string, env: Record<string, string>) =>
    devctlWith(project, { cwd, env }, 'start', 'x', ...command);
  const whole = { exitCode: 2, stderr: expect.stringContaining('is, or holds, the home folder') };
  expect(await start(code.root, { HOME: link })).toMatchObject(whole);
  expect(await start(link, { HOME: `${code.root}/` })).toMatchObject(whole);
  expect(await start(code.root, { HOME: `${code.root}/repo` })).toMatchObject(whole);
  expect(await start('/', { HOME: '/nowhere' })).toMatchObject(whole);
  code.write('repo/code/their/.git/HEAD', '');
  expect(await start(code.file('repo/code'), { HOME: code.file('repo') })).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('their is one'),
  });
  await refused('takes one name', project, ...command);
  await refused('takes one name', project, 'x', 'y', ...command);
  await refused('no command after --', project, 'x', '--');
  await refused('cannot be the name', project, '.x', ...command);
  await refused('called all', project, 'all', ...command);
  await refused('called web', project, 'web', ...command);
  await refused('--apply is for services of the manifest', project, '--apply', 'x', ...command);
  expect(existsSync(code.file('.pids'))).toBe(false);
  expect([...project.oracle.everything(), ...code.oracle.everything()]).toEqual([]);
});
