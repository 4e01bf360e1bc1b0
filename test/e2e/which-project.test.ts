import { mkdirSync, rmSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { bystander } from '../support/bystander.ts';
import { devctl, devctlWith } from '../support/devctl.ts';
import { commandsThat, withOptions } from '../support/every-command.ts';
import { service } from '../support/services.ts';
import { eachMode, fullTest, test } from '../support/sets.ts';
import { temporaryProject } from '../support/temporary-project.ts';

const services = { web: service('fan', ['1']) };

describe('--config that names no project', () => {
  eachMode<[string, (folder: string) => string, RegExp]>([
    ['a file that is not there', (folder) => `${folder}/gone/.devctl.json`, /no such file/],
    ['empty text', () => '', /--config is empty/],
    [
      'a folder without manifest, records and processes',
      (folder) => `${folder}/inner`,
      /no manifest/,
    ],
  ])('exit code 2 in every command, and nothing is looked at: %s', async (_name, config, words) => {
    await using project = await temporaryProject({ services });
    mkdirSync(project.file('inner'));
    await using swept = await bystander('npm test', project.root);
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    const before = project.oracle.everything().map(({ pid }) => pid);
    for (const command of commandsThat('starts', 'ends', 'reads')) {
      const name = command.join(' ');
      const named = withOptions(command, '--config', config(project.root));
      const result = await devctl(project, ...named);
      expect(result.exitCode, `${name}: ${result.stdout}${result.stderr}`).toBe(2);
      expect(result.stderr, name).toMatch(words);
      expect(result.stderr, name).not.toMatch(/\n\s+at /);
    }
    expect(project.oracle.everything().map(({ pid }) => pid)).toEqual(before);
    expect(before).toContain(swept.pid);
    expect(await devctl(project, 'stop', '--config', project.root)).toMatchObject({ exitCode: 0 });
    expect(project.oracle.everything().map(({ pid }) => pid)).not.toContain(before[0]);
  });
});

test('the nearest project is meant, also when it has lost its manifest', async () => {
  await using project = await temporaryProject({ services });
  project.write('apps/x/.devctl.json', JSON.stringify({ services: { x: service('fan', ['2']) } }));
  const inner = { cwd: project.file('apps/x') };
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const outer = project.oracle.processes().map(({ pid }) => pid);
  expect(await devctlWith(project, inner, 'start')).toMatchObject({ exitCode: 0 });
  rmSync(project.file('apps/x/.devctl.json'));

  const status = await devctlWith(project, inner, 'status');
  expect(status).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^x +\S+/m) });
  const start = await devctlWith(project, inner, 'start');
  expect(start.exitCode).toBe(2);
  expect(start.stderr).toContain(project.file('apps/x'));
  expect(start.stderr).toContain(project.file('.devctl.json'));
  expect(await devctlWith(project, inner, 'stop')).toMatchObject({ exitCode: 0 });
  expect(project.oracle.processes().map(({ pid }) => pid)).toEqual(outer);
  // Nothing is left of it, so the search goes on upwards.
  expect(await devctlWith(project, inner, 'stop')).toMatchObject({ exitCode: 0 });
  expect(project.oracle.everything()).toEqual([]);
});

describe('two projects in one place', () => {
  eachMode<[string, readonly string[]]>([
    ['stop', ['stop']],
    ['stop --force', ['stop', '--force']],
  ])(
    'of two manifests in one folder one runs at a time, and a stop ends its own: %s',
    async (_name, stop) => {
      await using project = await temporaryProject({ services });
      project.write('other.json', JSON.stringify({ services: { other: service('fan', ['2']) } }));
      const other = ['--config', project.file('other.json')];
      expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
      const before = project.oracle.everything().map(({ pid }) => pid);
      const refused = await devctl(project, 'start', ...other);
      expect(refused.exitCode, refused.stderr).not.toBe(0);
      expect(refused.stderr).toContain('.devctl.json');
      expect(await devctl(project, ...stop, ...other)).toMatchObject({ exitCode: 0 });
      expect(project.oracle.everything().map(({ pid }) => pid)).toEqual(before);
      expect(await devctl(project, ...stop)).toMatchObject({ exitCode: 0 });
      expect(project.oracle.everything()).toEqual([]);
      expect(await devctl(project, 'start', ...other)).toMatchObject({ exitCode: 0 });
      expect(await devctl(project, ...stop)).toMatchObject({ exitCode: 0 });
      expect(project.oracle.processes().length).toBeGreaterThan(0);
      expect(await devctl(project, ...stop, ...other)).toMatchObject({ exitCode: 0 });
      expect(project.oracle.everything()).toEqual([]);
    },
  );

  fullTest.each<[string, readonly string[]]>([
    ['stop', ['stop']],
    ['stop --force', ['stop', '--force']],
  ])(
    'of two projects with one pidsDir one runs at a time, and a stop ends its own: %s',
    async (_name, stop) => {
      await using project = await temporaryProject();
      const pidsDir = project.file('shared');
      project.write('a/.devctl.json', JSON.stringify({ services, pidsDir }));
      project.write('b/.devctl.json', JSON.stringify({ services, pidsDir }));
      const [a, b] = [{ cwd: project.file('a') }, { cwd: project.file('b') }];
      expect(await devctlWith(project, a, 'start')).toMatchObject({ exitCode: 0 });
      const before = project.oracle.everything().map(({ pid }) => pid);
      const refused = await devctlWith(project, b, 'start');
      expect(refused.exitCode, refused.stderr).not.toBe(0);
      expect(refused.stderr).toContain(project.file('a'));
      await devctlWith(project, b, ...stop);
      expect(project.oracle.everything().map(({ pid }) => pid)).toEqual(before);
      const ended = await devctlWith(project, a, ...stop);
      expect(ended.exitCode, ended.stdout + ended.stderr).toBe(0);
      expect(project.oracle.everything()).toEqual([]);
      expect(await devctlWith(project, b, 'start')).toMatchObject({ exitCode: 0 });
      expect(await devctlWith(project, b, ...stop)).toMatchObject({ exitCode: 0 });
      expect(project.oracle.everything()).toEqual([]);
    },
  );
});
