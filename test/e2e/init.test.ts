import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { devctl, devctlWith, startDevctl } from '../support/devctl.ts';
import { repositoryRoot } from '../support/paths.ts';
import { eachMode, fullTest, test } from '../support/sets.ts';
import { standInDocker } from '../support/stand-in-docker.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

const REPOSITORIES = join(repositoryRoot, 'fixtures/repositories');
const STAND_INS = [
  'vite',
  'next',
  'astro',
  'react-scripts',
  'nodemon',
  'pnpm',
  'yarn',
  'bun',
  'nx',
];

/** Copies a repository of fixtures/, and "installs" the programs that stand for its packages. */
async function clone(name: string): Promise<TemporaryProject & { readonly path: string }> {
  const project = await temporaryProject();
  cpSync(join(REPOSITORIES, name), project.root, { recursive: true });
  const bin = project.file('node_modules/.bin');
  mkdirSync(bin, { recursive: true });
  for (const program of STAND_INS)
    symlinkSync(join(REPOSITORIES, 'stand-in.mjs'), join(bin, program));
  return Object.assign(project, { path: `${bin}:${process.env.PATH}` });
}

function composeService({ Config }: { readonly Config: { readonly Labels: object } }): unknown {
  return Object.entries(Config.Labels).find(([name]) => name === 'com.docker.compose.service')?.[1];
}

eachMode<[string, readonly string[]]>([
  ['npm-workspaces', ['api', 'web']],
  ['pnpm-workspaces', ['jobs', 'site']],
  ['yarn-workspaces', ['client', 'server']],
  ['bun-workspaces', ['backend', 'frontend']],
  ['turbo', ['build-config', 'docs', 'web']],
  ['nx', ['api', 'shop']],
  ['procfile', ['web', 'worker']],
  ['compose-node', ['express-api']],
  ['django-vite', ['api', 'frontend']],
  ['rails', ['web', 'css', 'js']],
])(
  'a repository like %s: init, check, start and stop, without a hand on the manifest',
  async (name, services) => {
    await using project = await clone(name);
    const docker = await standInDocker(project);
    const env = { ...docker.env, PATH: `${project.file('node_modules/.bin')}:${docker.env.PATH}` };
    const run = (...args: readonly string[]) => devctlWith(project, { env }, ...args);
    const written = await run('init', '--yes');
    expect(written).toMatchObject({ exitCode: 0 });
    expect(written.stdout).toMatch(/next: npx --no-install devctl start$/);
    expect(await run('check')).toMatchObject({ exitCode: 0 });
    const started = await run('start', '--json');
    expect({ ...started, exitCode: 0 }).toEqual(started);
    const up = JSON.parse(started.stdout).services.map((one: { name: string }) => one.name);
    expect(up.sort()).toEqual([...services].sort());
    const images = name === 'compose-node' ? ['postgres', 'redis'] : [];
    expect(docker.state().containers.map(composeService)).toEqual(images);
    const stopped = await run('stop', '--json');
    expect(stopped.exitCode).toBe(0);
    expect(JSON.parse(stopped.stdout)).toMatchObject({ survivors: [] });
    expect(project.oracle.everything()).toEqual([]);
    expect(docker.state().containers).toEqual([]);
  },
);

test('init shows, and writes only when it is told to; it never overwrites', async () => {
  await using project = await temporaryProject();
  const nothing = await devctl(project, 'init');
  expect(nothing).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('nothing to run was found'),
  });
  project.write('package.json', JSON.stringify({ name: 'shop', scripts: { dev: 'vite' } }));
  const manifest = project.file('.devctl.json');

  const asked = await devctl(project, 'init');
  expect(asked).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('devctl init --yes'),
  });
  expect(asked.stdout).toContain('+       "command": "npm run dev",');
  const json = JSON.parse((await devctl(project, 'init', '--json')).stdout);
  expect(json).toMatchObject({
    version: 1,
    ok: true,
    written: false,
    exists: false,
    services: [{ name: 'shop' }],
  });
  expect(existsSync(manifest)).toBe(false);

  expect(await devctl(project, 'init', '--yes')).toMatchObject({ exitCode: 0 });
  expect(readFileSync(manifest, 'utf8')).toBe(json.text);
  expect(await devctl(project, 'init', '--yes')).toMatchObject({ exitCode: 0 });
  writeFileSync(manifest, json.text.replace('npm run dev', 'npm run mine'));
  const differs = await devctl(project, 'init', '--yes');
  expect(differs).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('overwrites nothing'),
  });
  expect(differs.stdout).toMatch(/^-.*npm run mine/m);
  expect(readFileSync(manifest, 'utf8')).toContain('npm run mine');

  // Above repositories, and in a home folder, also by another name.
  const above = project.file('code');
  project.write('code/a/.git/HEAD', '');
  project.write('code/a/package.json', JSON.stringify({ scripts: { dev: 'vite' } }));
  symlinkSync(above, project.file('home'));
  rmSync(manifest);
  for (const [HOME, why] of [
    ['/nowhere', 'holds more than one project'],
    [project.file('home'), 'holds more than one project'],
  ] as const)
    expect(await devctlWith(project, { cwd: above, env: { HOME } }, 'init', '--yes')).toMatchObject(
      { exitCode: 2, stderr: expect.stringContaining(why) },
    );
  expect(existsSync(`${above}/.devctl.json`)).toBe(false);
  expect(await devctl(project, 'init', '--config', 'code', '--yes')).toMatchObject({ exitCode: 0 });

  writeFileSync(manifest, json.text);
  mkdirSync(project.file('below'));
  expect(await devctlWith(project, { cwd: project.file('below') }, 'init')).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('is the manifest of this folder already'),
  });
});

test('up without a manifest runs what is found only when it is told to, leaves no manifest, and is refused in a service', async () => {
  await using project = await clone('procfile');
  const env = { PATH: project.path };
  const refused = await devctlWith(project, { env }, 'up');
  expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('up --yes') });
  expect(refused.stderr).toContain('+     // from Procfile: web');
  const inside = await devctlWith(project, { env: { ...env, DEVCTL_RUN: 'x' } }, 'up', '--yes');
  expect(inside).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('inside a service'),
  });
  expect(project.oracle.everything()).toEqual([]);

  const up = startDevctl(project, { env }, 'up', '--yes', '--no-prefix');
  await until(() => project.oracle.processes().length >= 3);
  await until(async () => {
    const { stdout } = await devctlWith(project, { env }, 'status', '--json');
    return JSON.parse(stdout).services.every((one: { state: string }) =>
      /ready|running/.test(one.state),
    );
  });
  up.kill('SIGINT');
  const ended = await up;
  expect(ended.stdout).toContain('working, hello world');
  expect(ended.stderr).toMatch(/nothing is left/);
  expect(project.oracle.everything()).toEqual([]);
  expect(existsSync(project.file('.devctl.json'))).toBe(false);
});

fullTest(
  'init --probe runs what is to be a service, learns its port and its end, and leaves nothing; refused while the project runs',
  async () => {
    await using project = await clone('npm-workspaces');
    const env = { PATH: project.path };
    project.write(
      'apps/api/src/server.js',
      `import { createServer } from 'node:http';
createServer((_request, response) => response.end('[]')).listen(Number('14103'));
createServer().listen(0);
setTimeout(() => console.log('up'), 10);
`,
    );
    expect(await devctlWith(project, { env }, 'init', '--probe')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('no terminal to ask on'),
    });
    const probed = await devctlWith(project, { env }, 'init', '--probe', '--yes', '--json');
    expect({ code: probed.exitCode, stderr: probed.stderr }).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(
        /api: npm run dev {2}\(in apps\/api\)[\s\S]*all of the probe is stopped/,
      ),
    });
    expect(JSON.parse(probed.stdout)).toMatchObject({
      written: true,
      services: [
        { name: 'api', ports: [14103], ready: { http: 'http://localhost:14103/' } },
        { name: 'web', ports: [11101], ready: { http: 'http://localhost:11101/' } },
      ],
    });
    expect(project.oracle.everything()).toEqual([]);
    expect(await devctlWith(project, { env }, 'start', 'api')).toMatchObject({ exitCode: 0 });
    expect(await devctlWith(project, { env }, 'init', '--probe', '--yes')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('the project runs'),
    });
    expect(await devctlWith(project, { env }, 'stop')).toMatchObject({ exitCode: 0 });
    expect(project.oracle.everything()).toEqual([]);
  },
);

fullTest(
  'init --probe: a task that does not end is ended by Ctrl-C, and nothing is left or written',
  async () => {
    await using project = await temporaryProject(undefined, {
      'process-compose.yaml': `processes:
  first: {command: exit 0}
  task: {command: sleep 300, depends_on: {first: {condition: process_completed_successfully}}}
  api: {command: sleep 300, depends_on: {task: {condition: process_completed_successfully}}}
`,
    });
    const probe = startDevctl(project, {}, 'init', '--probe', '--yes');
    await until(() =>
      project.oracle.processes().some(({ argv }) => argv.join(' ').includes('sleep 300')),
    );
    probe.kill('SIGINT');
    const ended = await probe;
    expect(ended.exitCode).toBe(1);
    expect(ended.stderr).toMatch(/probing first\n.*probing task\n[\s\S]*was interrupted/);
    expect(ended.stderr).not.toContain('probing api');
    expect(project.oracle.everything()).toEqual([]);
    expect(existsSync(project.file('.devctl.json'))).toBe(false);
  },
);
