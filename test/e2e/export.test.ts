import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect } from 'vitest';
import { cleanEnvironment } from '../support/clean-environment.ts';
import { devctl, devctlWith } from '../support/devctl.ts';
import { freePorts } from '../support/free-ports.ts';
import { fullTest, isFull, test } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

const isThere = (program: string, ...args: readonly string[]): boolean =>
  spawnSync(program, args, { env: cleanEnvironment() }).error === undefined;

/** Each key that a unit has, with texts that need quotes. */
const EVERY_KEY = {
  name: "my 'shop' 100%",
  env: { MODE: 'dev', API_TOKEN: 'hunter2', A: 'over' },
  envFile: '.env',
  services: {
    db: {
      command: ['/bin/sleep', '100'],
      ready: { exec: 'test -e x && echo "$A"' },
      stop: { signal: 'SIGINT', grace: '10s', command: 'echo bye' },
    },
    migrate: {
      command: 'true && echo "$A"\necho \\; done',
      oneShot: true,
      dependsOn: ['db'],
      limits: { runtime: '5m', action: 'stop' },
    },
    web: {
      command: 'echo "100%h  $PORT" $$ ; exec sleep 100',
      cwd: 'a folder %h',
      env: { PORT: 3000, B: 'it\'s \\ "x" $HOME %h\n\t;', 'odd.name': 1 },
      dependsOn: { migrate: 'completed', db: 'started' },
      ports: [3000],
      restart: { policy: 'always', successExitCodes: [0, 3] },
      live: { tcp: 3000 },
      limits: {
        ...{ memory: '1GB', processes: 20, cpu: 1.5, runtime: '8h', idle: '10m' },
        ...{ openFiles: 1000, core: 0, action: 'restart' },
      },
    },
    once: { command: ['node', 'x.js', ';', '', '-'], autostart: false, tty: true },
  },
};

const FILES = { '.env': 'A=file\nSECRET=hunter2\n', 'a folder %h/x': '', 'b/.env': '' };

const hasAnalyze = isThere('systemd-analyze', '--version');
if (!hasAnalyze)
  process.stderr.write('\nSKIPPED: systemd-analyze verify: no systemd-analyze on the PATH\n\n');

test.runIf(hasAnalyze)('systemd-analyze verify --user says nothing of the units', async () => {
  await using project = await temporaryProject(EVERY_KEY, FILES);
  expect(await devctl(project, 'export', 'systemd', '--output', 'units')).toMatchObject({
    exitCode: 0,
  });
  const units = readdirSync(project.file('units')).map((name) => join('units', name));
  expect(units).toHaveLength(5);
  const verified = spawnSync('systemd-analyze', ['verify', '--user', ...units], {
    cwd: project.root,
    env: { ...cleanEnvironment(), XDG_RUNTIME_DIR: project.root },
    encoding: 'utf8',
  });
  expect(verified).toMatchObject({ stdout: '', stderr: '', status: 0 });
  // It says something of what is wrong.
  project.write('units/bad.service', '[Service]\nExecStart=x\nKillMode=y\n');
  const refused = spawnSync('systemd-analyze', ['verify', '--user', 'units/bad.service'], {
    cwd: project.root,
    env: { ...cleanEnvironment(), XDG_RUNTIME_DIR: project.root },
    encoding: 'utf8',
  });
  expect(refused.stderr).toContain('bad.service');
});

test('export prints, or writes what is not there yet; no secret, no supervisor, no records', async () => {
  await using project = await temporaryProject(EVERY_KEY, FILES);
  const printed = await devctl(project, 'export', 'procfile');
  expect(printed).toMatchObject({ exitCode: 0 });
  expect(printed.stdout).toContain('db: unset PORT; ');
  expect(printed.stderr).toContain('! migrate: command: left out');

  const written = await devctl(project, 'export', 'procfile', '--output', 'new/er');
  expect(written.stdout).toContain('new/er/Procfile is written');
  expect(readFileSync(project.file('new/er/Procfile'), 'utf8')).toBe(`${printed.stdout}\n`);
  expect(await devctl(project, 'export', 'procfile', '--output', 'new/er')).toMatchObject({
    exitCode: 0,
  });
  project.write('new/er/Procfile', 'mine: x\n');
  const refused = await devctl(project, 'export', 'procfile', '--output', 'new/er');
  expect(refused).toMatchObject({ exitCode: 1, stdout: '' });
  expect(refused.stderr).toContain('--force');
  expect(readFileSync(project.file('new/er/Procfile'), 'utf8')).toBe('mine: x\n');
  const args = ['export', 'procfile', '--output', 'new/er', '--force', '--json'];
  const forced = await devctl(project, ...args);
  expect(JSON.parse(forced.stdout)).toMatchObject({
    ok: true,
    format: 'procfile',
    files: [{ name: 'Procfile', file: project.file('new/er/Procfile') }],
  });
  expect(readFileSync(project.file('new/er/Procfile'), 'utf8')).toContain('db: ');

  const units = await devctl(project, 'export', 'systemd', '--json');
  const { notes } = JSON.parse(units.stdout);
  expect(notes).toContainEqual(expect.objectContaining({ service: 'web', key: 'ready.ports' }));
  const all = [printed, written, forced, units].map(({ stdout, stderr }) => stdout + stderr);
  expect(all.join('')).not.toContain('hunter2');
  expect(existsSync(project.file('.pids'))).toBe(false);
});

const NAMES = ['web', 'worker', 'clock'];

const servicesAt = (port: number) => ({
  services: {
    web: {
      command: 'node ../report.mjs web "two words" "$GREETING" $PORT',
      cwd: 'sub',
      env: { PORT: String(port) },
      envFile: '.env',
    },
    worker: { command: ['node', 'report.mjs', 'worker', '$PORT', "it's"], envFile: '.env' },
    clock: { command: 'node report.mjs clock', env: { GREETING: 'a  b', P: 'x' }, envFile: '.env' },
  },
});

const RUN_FILES = {
  '.env': 'GREETING=hello\nP=y\n',
  'sub/x': '',
  'report.mjs': `import { renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
const [name, ...args] = process.argv.slice(2);
const { PORT, GREETING, P, REPORTS } = process.env;
writeFileSync(\`\${REPORTS}/\${name}.new\`, JSON.stringify({ args, PORT, GREETING, P, cwd: process.cwd() }));
renameSync(\`\${REPORTS}/\${name}.new\`, \`\${REPORTS}/\${name}\`);
if (PORT) createServer().listen(PORT, '127.0.0.1');
setInterval(() => {}, 60_000);
`,
};

/** The reports of all commands, once they are there. */
async function reports(project: TemporaryProject, folder: string): Promise<unknown> {
  await until(() => NAMES.every((name) => existsSync(project.file(`${folder}/${name}`))));
  return NAMES.map((name) => [
    name,
    JSON.parse(readFileSync(project.file(`${folder}/${name}`), 'utf8')),
  ]);
}

async function underDevctl(project: TemporaryProject, folder: string): Promise<unknown> {
  mkdirSync(project.file(folder));
  const env = { REPORTS: project.file(folder) };
  expect(await devctlWith(project, { env }, 'start')).toMatchObject({ exitCode: 0 });
  const seen = await reports(project, folder);
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
  return seen;
}

async function exported(): Promise<TemporaryProject> {
  const [port = 0] = await freePorts(1);
  const project = await temporaryProject(servicesAt(port), RUN_FILES);
  const written = await devctl(project, 'export', 'procfile', '--output', '.');
  expect(written.exitCode, written.stderr).toBe(0);
  return project;
}

test('an exported Procfile that init reads back starts the same commands', async () => {
  await using project = await exported();
  const before = await underDevctl(project, 'before');
  spawnSync('mv', ['.devctl.json', 'old.json'], { cwd: project.root });
  expect(await devctl(project, 'init', '--yes')).toMatchObject({ exitCode: 0 });
  expect(await underDevctl(project, 'after')).toEqual(before);
});

for (const [what, program] of [
  ['nf (npm package foreman)', 'nf'],
  ['ruby-foreman', 'foreman'],
] as const) {
  const isInstalled = isThere(program, '--version');
  if (isFull && !isInstalled)
    process.stderr.write(`\nSKIPPED: an exported Procfile under ${what}: no ${program}\n\n`);
  fullTest(`an exported Procfile starts the same commands under ${what}`, async ({ skip }) => {
    if (!isInstalled) skip(`no ${program} on the PATH`);
    await using project = await exported();
    const before = await underDevctl(project, 'before');
    mkdirSync(project.file('after'));
    const foreman = execa(program, ['start'], {
      cwd: project.root,
      env: { ...cleanEnvironment(), ...project.env, REPORTS: project.file('after') },
      extendEnv: false,
      reject: false,
    });
    expect(await reports(project, 'after')).toEqual(before);
    foreman.kill('SIGTERM');
    await foreman;
  });
}
