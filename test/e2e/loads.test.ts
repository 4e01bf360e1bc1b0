import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { devctlWith } from '../support/devctl.ts';
import { repositoryRoot } from '../support/paths.ts';
import { service } from '../support/services.ts';
import { temporaryProject } from '../support/temporary-project.ts';

const PRELOAD = join(repositoryRoot, 'fixtures', 'opened-files.cjs');
const RARE = ['commands.cjs', 'yaml.cjs', 'library.cjs'];

test('start, status and stop load the code of no other command, and only start that of manifests', async () => {
  await using project = await temporaryProject({ services: { web: service('sleeper') } });
  const list = join(project.root, 'opened');
  const env = { NODE_OPTIONS: `--require=${PRELOAD}`, OPENED_FILES: list };
  const opened = async (command: string) => {
    rmSync(list, { force: true });
    expect(await devctlWith(project, { env }, command)).toMatchObject({ exitCode: 0 });
    return [...new Set(readFileSync(list, 'utf8').trim().split('\n'))];
  };
  const ofStart = await opened('start');
  expect(ofStart).toEqual(expect.arrayContaining(['command start.cjs', 'supervisor shared.cjs']));
  const ofOthers = [...(await opened('status')), ...(await opened('stop'))];
  expect(ofOthers).toContain('command quick-main.cjs');
  expect(ofOthers.filter((one) => /start|manifest|packages/.test(one))).toEqual([]);
  for (const name of RARE) {
    expect([...ofStart, ...ofOthers].filter((one) => one.endsWith(name))).toEqual([]);
  }
});
