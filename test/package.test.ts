import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, expect } from 'vitest';
import { repositoryRoot } from './support/paths.ts';
import { currentRunFolder } from './support/run-folder.ts';
import { fullTest, test } from './support/sets.ts';
import { type TemporaryProject, temporaryProject } from './support/temporary-project.ts';

/** The files that a user gets besides `dist/`. A new file here is a decision. */
const BESIDE_DIST = [
  'LICENSE',
  'README.md',
  'THIRD_PARTY_LICENSES',
  'bin/devctl.js',
  'bin/package.json',
  'docs/README.md',
  'docs/changes.md',
  'docs/cli.md',
  'docs/containers.md',
  'docs/environment.md',
  'docs/export.md',
  'docs/getting-started.md',
  'docs/hooks.md',
  'docs/how-stop-decides.md',
  'docs/init.md',
  'docs/leases.md',
  'docs/library.md',
  'docs/limits.md',
  'docs/logs.md',
  'docs/manifest.md',
  'docs/monitor.md',
  'docs/platforms.md',
  'docs/readiness.md',
  'docs/recipes.md',
  'docs/report.md',
  'docs/resources.md',
  'docs/restarts.md',
  'docs/run.md',
  'docs/sweep.md',
  'docs/terminal.md',
  'docs/troubleshooting.md',
  'docs/up.md',
  'package.json',
  'schema/devctl.schema.json',
];

/** Those that devctl uses itself. */
const BUNDLED = [
  '@clack/prompts',
  'chalk',
  'commander',
  'execa',
  'jsonc-parser',
  'ora',
  'pidtree',
  'ps-list',
  'tree-kill',
  'yaml',
  'zod',
];

/** A cold `npx devctl` downloads all of it. */
const MOST_BYTES = 500_000;

const IN_DIST =
  /^dist\/((index|supervisor\/main)\.js|(compiled-code|commands|library|quick-main|shared|start|supervised|manifest|yaml|first|supervisor\/(resident|guard|terminal-session)|packages\/[\w-]+)\.cjs|supervisor\/package\.json|types\/.+\.d\.ts)$/;

const { version } = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8'));

const folder = mkdtempSync(join(currentRunFolder(), 'package-'));
const project = join(folder, 'project');
let tarball = '';

beforeAll(async () => {
  // `npm test` has just built; a second build here would race with tests that run from dist/.
  const args = ['--ignore-scripts', '--json', '--pack-destination', folder];
  const packed = await execa('npm', ['pack', ...args], { cwd: repositoryRoot });
  tarball = join(folder, JSON.parse(packed.stdout)[0].filename);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the tarball holds what a user needs and nothing else', async () => {
  const { stdout } = await execa('tar', ['-tzf', tarball]);
  const files = stdout.split('\n').map((name) => name.replace(/^package\//, ''));
  expect(files.filter((name) => !name.startsWith('dist/')).sort()).toEqual(BESIDE_DIST);
  expect(files.filter((name) => name.startsWith('dist/') && !IN_DIST.test(name))).toEqual([]);
});

test('no link of a page in the tarball is dead there', async () => {
  const { stdout } = await execa('tar', ['-tzf', tarball]);
  const files = stdout.split('\n').map((name) => name.replace(/^package\//, ''));
  // The index names the pages that are in the repository only, and says so. Pictures are in the repository only.
  const pages = files.filter((name) => name.endsWith('.md') && name !== 'docs/README.md');
  const links = pages.flatMap((page) => {
    const text = readFileSync(join(repositoryRoot, page), 'utf8').replaceAll(/`[^`\n]*`/g, '');
    return [...text.matchAll(/(?<!!\[[^\]]*)\]\((?!#|https?:)([^)#]+)/g)].map(
      ([, file = '']) => [page, join(dirname(page), file)] as const,
    );
  });
  expect(links.length).toBeGreaterThan(50);
  expect(links.filter(([, file]) => !files.includes(file))).toEqual([]);
});

test('the licence of each bundled package is in it', () => {
  const licences = readFileSync(join(repositoryRoot, 'THIRD_PARTY_LICENSES'), 'utf8');
  const named = [...licences.matchAll(/^(\S+) [\d.]+ \(/gm)].map(([, name]) => name);
  expect(named).toEqual(expect.arrayContaining(BUNDLED));
});

test('the tarball stays small', () => {
  expect(statSync(tarball).size).toBeLessThan(MOST_BYTES);
});

test('publint finds nothing', async () => {
  const content = readFileSync(tarball);
  const { messages, pkg } = await publint({
    pack: { tarball: new Uint8Array(content).buffer },
    strict: true,
  });
  expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
});

test('installed in a project, it runs and can be imported', async () => {
  await execa('mkdir', [project]);
  const inProject = { cwd: project, reject: false } as const;
  writeFileSync(join(project, 'package.json'), '{ "name": "project", "private": true }');
  const flags = ['--omit=optional', '--prefer-offline', '--no-audit', '--no-fund'];
  await execa('npm', ['install', tarball, ...flags], { cwd: project });

  const printed = await execa('npx', ['--no', '--', 'devctl', '--version'], inProject);
  expect(printed).toMatchObject({ stdout: version, exitCode: 0 });

  const refused = await execa('npx', ['--no', '--', 'devctl', 'strat'], inProject);
  expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
  expect(refused.stderr).toContain('Did you mean npx --no-install devctl start?');

  const script = "console.log(Object.keys(await import('devctl')).join())";
  const imported = await execa('node', ['--input-type=module', '-e', script], inProject);
  expect(imported.stdout).toContain('DevctlError');
});

test('its types are found and complete', async () => {
  writeFileSync(
    join(project, 'use.ts'),
    "import { DevctlError, ExitCode } from 'devctl';\n" +
      "export const code: number = new DevctlError('usage', 'x').exitCode + ExitCode.Ok;\n" +
      '// @ts-expect-error no such code\n' +
      "new DevctlError('nonsense', 'x');\n",
  );
  const tsc = join(repositoryRoot, 'node_modules', 'typescript', 'bin', 'tsc');
  const flags = ['--noEmit', '--strict', '--module', 'nodenext', '--types', ''];
  const { stdout, exitCode } = await execa('node', [tsc, ...flags, 'use.ts'], {
    cwd: project,
    reject: false,
  });
  expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 0 });
});

const MANIFEST = {
  services: { web: { command: ['node', '-e', 'setInterval(() => {}, 1000)'], settle: 0 } },
};

/** Nothing listens there, so that nothing can be fetched. */
const NO_REGISTRY = 'http://127.0.0.1:9/';

/** Starts, looks and stops, each by the same words before the command, and checks the outcome of each. */
async function startLookStop(
  project: TemporaryProject,
  words: readonly string[],
): Promise<unknown> {
  const [program = '', ...args] = words;
  const devctl = async (...command: string[]) => {
    const options = { cwd: project.root, env: project.env, reject: false } as const;
    const { exitCode, stdout, stderr } = await execa(program, [...args, ...command], options);
    expect(exitCode, `${command.join(' ')}: ${stderr}`).toBe(0);
    return JSON.parse(stdout);
  };
  expect(await devctl('start', '--json')).toMatchObject({ ok: true, services: [{ name: 'web' }] });
  const status = await devctl('status', '--json');
  expect(status).toMatchObject({ services: [{ name: 'web', processes: 1 }] });
  expect(await devctl('stop', '--json')).toMatchObject({
    survivors: [],
    processes: [{ service: 'web' }],
  });
  expect(project.oracle.processes()).toEqual([]);
  return status;
}

fullTest(
  'npx with the tarball starts and stops with an empty cache, in a folder without packages',
  async () => {
    await using project = await temporaryProject(MANIFEST);
    await using elsewhere = await temporaryProject();
    const flags = [
      `--cache=${elsewhere.file('cache')}`,
      `--registry=${NO_REGISTRY}`,
      '--fetch-retries=0',
      // koffi is the only package that devctl does not hold.
      '--omit=optional',
    ];
    await startLookStop(project, [
      'npx',
      '--yes',
      ...flags,
      `--package=${tarball}`,
      '--',
      'devctl',
    ]);
    expect(existsSync(project.file('node_modules'))).toBe(false);
  },
);

fullTest(
  'installed without install scripts, it starts and stops, and koffi works',
  async (context) => {
    await using project = await temporaryProject(MANIFEST, {
      'package.json': '{ "private": true }',
    });
    const flags = [
      '--ignore-scripts',
      '--prefer-offline',
      '--fetch-retries=0',
      '--no-audit',
      '--no-fund',
    ];
    await execa('npm', ['install', tarball, ...flags], { cwd: project.root });
    const koffi = project.file('node_modules/koffi');
    if (!existsSync(koffi)) context.skip('neither the cache of npm nor its registry has koffi');
    // Its install script builds there where it finds no program for this machine.
    expect(existsSync(join(koffi, 'build'))).toBe(false);
    const status = await startLookStop(project, ['npx', '--no-install', 'devctl']);
    if (process.platform === 'linux')
      expect(status).toMatchObject({ capabilities: { subreaper: { held: true } } });
  },
);

fullTest('installed without koffi and without a registry, it starts and stops', async () => {
  await using project = await temporaryProject(MANIFEST, { 'package.json': '{ "private": true }' });
  await using elsewhere = await temporaryProject();
  const flags = [
    '--ignore-scripts',
    '--omit=optional',
    '--no-audit',
    '--no-fund',
    `--cache=${elsewhere.file('cache')}`,
    `--registry=${NO_REGISTRY}`,
    '--fetch-retries=0',
  ];
  await execa('npm', ['install', tarball, ...flags], { cwd: project.root });
  expect(existsSync(project.file('node_modules/koffi'))).toBe(false);
  await startLookStop(project, ['npx', '--no-install', 'devctl']);
});
