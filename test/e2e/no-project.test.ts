import { existsSync, rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { bystander } from '../support/bystander.ts';
import { devctl, devctlWith } from '../support/devctl.ts';
import { service } from '../support/services.ts';
import { temporaryProject } from '../support/temporary-project.ts';

test('stop in a folder without a project touches nothing and leaves nothing behind', async () => {
  await using folder = await temporaryProject();
  rmSync(folder.file('.devctl.json'), { force: true });
  await using innocent = await bystander('npm run dev', folder.root);

  const stopped = await devctl(folder, 'stop');
  expect(stopped).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('no manifest') });
  expect(innocent.alive()).toBe(true);
  expect(existsSync(folder.file('.pids'))).toBe(false);
});

test('stop --force in the home folder sweeps nothing', async () => {
  await using home = await temporaryProject();
  rmSync(home.file('.devctl.json'), { force: true });
  await using innocent = await bystander('node vite', home.root);

  const stopped = await devctlWith(home, { env: { HOME: home.root } }, 'stop', '--force');
  expect(stopped).toMatchObject({ exitCode: 0 });
  expect(innocent.alive()).toBe(true);
});

test('stop --force without a manifest sweeps the folder that it is called in', async () => {
  await using folder = await temporaryProject();
  rmSync(folder.file('.devctl.json'), { force: true });
  await using leftover = await bystander('npm test', folder.root);

  expect(await devctl(folder, 'stop', '--force')).toMatchObject({ exitCode: 0 });
  expect(leftover.alive()).toBe(false);
});

test('nothing is swept where the manifest cannot be read, because it may turn the sweep off', async () => {
  await using project = await temporaryProject({ services: { web: service('sleeper') } });
  await using innocent = await bystander('npm test', project.root);
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  project.write('.devctl.json', '{ "sweep": { "scope": "off" }');

  expect(await devctl(project, 'stop', '--force')).toMatchObject({ exitCode: 0 });
  expect(innocent.alive()).toBe(true);
  expect(project.oracle.processes()).toEqual([]);
});
