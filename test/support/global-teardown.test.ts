import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { execa } from 'execa';
import { expect } from 'vitest';
import { cleanEnvironment } from './clean-environment.ts';
import { groupsBelow, hasControlGroups, ownControlGroup } from './control-groups.ts';
import { fixture, repositoryRoot } from './paths.ts';
import { eachMode, test } from './sets.ts';
import { temporaryProject } from './temporary-project.ts';
import { until } from './until.ts';

const config = `
import { defineConfig } from 'vitest/config';
export default defineConfig({
  test: { include: ['*.test.ts'], globalSetup: [${JSON.stringify(`${repositoryRoot}test/support/global-teardown.ts`)}] },
});`;

const leavesDaemon = `
import { spawn } from 'node:child_process';
import { test } from 'vitest';
test('leaves a daemon', () => {
  spawn('sleep', ['119'], { detached: true, stdio: 'ignore', cwd: '/' }).unref();
});`;

const leavesGroup = `
import { mkdirSync } from 'node:fs';
import { test } from 'vitest';
import { ownControlGroup } from ${JSON.stringify(`${repositoryRoot}test/support/control-groups.ts`)};
test('leaves a control group', () => {
  mkdirSync(ownControlGroup() + '/devctl-0123');
});`;

const leavesNothing = `
import { test } from 'vitest';
test('leaves nothing', () => {});`;

/** Starts services that do not end by themselves, says so, and waits for longer than a test may take. */
const waits = `
import { writeFileSync } from 'node:fs';
import { test } from 'vitest';
import { devctl } from ${JSON.stringify(`${repositoryRoot}test/support/devctl.ts`)};
import { temporaryProject } from ${JSON.stringify(`${repositoryRoot}test/support/temporary-project.ts`)};
test('waits', { timeout: 600_000 }, async () => {
  const services = {
    daemon: { command: ${JSON.stringify(fixture('double-fork', '--empty-env'))}, ready: { log: '^ready$' } },
    stubborn: { command: ${JSON.stringify(fixture('stubborn', '2'))}, ready: { log: '^ready$' } },
  };
  await using project = await temporaryProject({ services });
  const { exitCode, stderr } = await devctl(project, 'start');
  writeFileSync('started', [exitCode, stderr].join('\\n'));
  await new Promise(() => setInterval(() => {}, 1_000));
});`;

/** A folder with one test file and this repository's teardown, and what runs vitest there. */
async function suiteOf(text: string) {
  const project = await temporaryProject(undefined, {
    'x.test.ts': text,
    'vitest.config.ts': config,
  });
  await execa('ln', ['-s', `${repositoryRoot}node_modules`, project.file('node_modules')]);
  const start = () =>
    execa('node_modules/.bin/vitest', ['run'], {
      cwd: project.root,
      env: {
        ...cleanEnvironment(),
        ...project.env,
        // The folder of the run is inside the project, so that the oracle of the project sees its processes.
        TMPDIR: project.root,
        DEVCTL_TEST_TEARDOWN_MS: '300',
      },
      extendEnv: false,
      reject: false,
      all: true,
    });
  return { project, start };
}

/** The control groups of test runs that this run has started. */
function runGroups(): string[] {
  const own = ownControlGroup();
  const names = own === null ? [] : groupsBelow(own).map((group) => basename(group));
  return names.filter((name) => name.startsWith('devctl-test-'));
}

async function runVitest(text: string) {
  const { project, start } = await suiteOf(text);
  await using _project = project;
  const result = await start();
  return { exitCode: result.exitCode, output: result.all, left: project.oracle.everything() };
}

test('a test run that leaves a process fails, names it and ends it', async () => {
  const run = await runVitest(leavesDaemon);
  expect(run.output).toContain('The tests left 1 processes running');
  expect(run.output).toMatch(/pid \d+ .* sleep 119/);
  expect(run.exitCode).toBe(1);
  expect(run.left).toEqual([]);
});

test.runIf(hasControlGroups)(
  'a test run that leaves a control group fails, names it and removes it',
  async () => {
    const run = await runVitest(leavesGroup);
    expect(run.output).toContain('The tests left 1 control groups');
    const [group = ''] = /\/\S+\/devctl-0123/.exec(run.output) ?? [];
    expect(group).not.toBe('');
    expect(existsSync(group)).toBe(false);
    expect(run.exitCode).toBe(1);
  },
);

test('a test run that leaves nothing passes', async () => {
  const run = await runVitest(leavesNothing);
  expect(run.output).not.toContain('The tests left');
  expect(run.exitCode).toBe(0);
});

eachMode(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  'a test run that is interrupted by %s ends what it has started',
  async (signal) => {
    const { project, start } = await suiteOf(waits);
    await using _project = project;
    const run = start();
    const read = () => readFileSync(project.file('started'), 'utf8');
    await until(
      () => existsSync(project.file('started')) && read() !== '',
      () => String(project.oracle.everything().map(({ argv }) => argv.join(' '))),
    );
    expect(read()).toMatch(/^0\n/);
    const argvs = () => project.oracle.everything().map(({ argv }) => argv.join(' '));
    // vitest, its worker, the supervisor, and five processes of services.
    expect(argvs().length, argvs().join('\n')).toBeGreaterThanOrEqual(8);
    expect(runGroups().length).toBe(hasControlGroups ? 1 : 0);

    run.kill(signal);
    const { exitCode: code, all } = await run;
    expect(code, all).toBe({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }[signal]);
    expect(argvs()).toEqual([]);
    expect(readdirSync(project.root).filter((name) => name.startsWith('devctl-test-'))).toEqual([]);
    expect(runGroups()).toEqual([]);
  },
);
