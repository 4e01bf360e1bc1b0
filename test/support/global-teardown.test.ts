import { execa } from 'execa';
import { expect, test } from 'vitest';
import { cleanEnvironment } from './clean-environment.ts';
import { repositoryRoot } from './paths.ts';
import { temporaryProject } from './temporary-project.ts';

const config = `
import { defineConfig } from 'vitest/config';
export default defineConfig({
  test: { include: ['*.test.ts'], globalSetup: [${JSON.stringify(`${repositoryRoot}test/support/global-teardown.ts`)}] },
});`;

const leak = `
import { spawn } from 'node:child_process';
import { test } from 'vitest';
test('leaves a daemon', () => {
  spawn('sleep', ['119'], { detached: true, stdio: 'ignore', cwd: '/' }).unref();
});`;

const clean = `
import { test } from 'vitest';
test('leaves nothing', () => {});`;

async function runVitest(test: string) {
  await using project = await temporaryProject(undefined, {
    'x.test.ts': test,
    'vitest.config.ts': config,
  });
  await execa('ln', ['-s', `${repositoryRoot}node_modules`, project.file('node_modules')]);
  const result = await execa('node_modules/.bin/vitest', ['run'], {
    cwd: project.root,
    env: cleanEnvironment(),
    extendEnv: false,
    reject: false,
    all: true,
  });
  return { exitCode: result.exitCode, output: result.all, left: project.oracle.everything() };
}

test('a test run that leaves a process fails, names it and ends it', async () => {
  const run = await runVitest(leak);
  expect(run.output).toContain('The tests left 1 processes running');
  expect(run.output).toMatch(/pid \d+ .* sleep 119/);
  expect(run.exitCode).toBe(1);
  expect(run.left).toEqual([]);
});

test('a test run that leaves nothing passes', async () => {
  const run = await runVitest(clean);
  expect(run.output).not.toContain('The tests left');
  expect(run.exitCode).toBe(0);
});
