import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { cleanEnvironment } from '../support/clean-environment.ts';
import { devctl } from '../support/devctl.ts';
import { repositoryRoot } from '../support/paths.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';

const FULL = '/dev/full';
const LOST = '✗ what was to be printed is incomplete: ENOSPC';

async function intoFull(project: TemporaryProject, ...args: readonly string[]) {
  const bin = join(repositoryRoot, 'bin', 'devctl.js');
  const redirected = ['-c', `exec "$@" >${FULL}`, 'sh', process.execPath, bin, ...args];
  const { exitCode, stderr } = await execa('/bin/sh', redirected, {
    cwd: project.root,
    env: { ...cleanEnvironment(), ...project.env },
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
    timeout: 55_000,
  });
  return { exitCode, stderr };
}

test.runIf(existsSync(FULL))(
  'output that cannot be printed is reported in one line, and the work is done all the same',
  async () => {
    await using project = await temporaryProject({
      services: { web: { command: 'while :; do echo says something; sleep 0.2; done' } },
    });
    const up = await intoFull(project, 'up');
    expect(up).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(LOST) });
    expect(up.stderr).toMatch(/its output cannot be written: stopping[\s\S]*nothing is left/);
    expect(project.oracle.processes()).toEqual([]);

    await devctl(project, 'start');
    for (const args of ['logs', 'logs -f', 'tree', 'report --html -', 'monitor --json']) {
      const { exitCode, stderr } = await intoFull(project, ...args.split(' '));
      const first = stderr.split('\n').find((line) => line.startsWith('✗'));
      expect([args, exitCode, first]).toEqual([args, 1, expect.stringContaining(LOST)]);
      expect(stderr).not.toMatch(/mistake|\n +at /);
    }
    const stop = await intoFull(project, 'stop', '--json');
    expect(stop).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(LOST) });
    expect(project.oracle.processes()).toEqual([]);
  },
);
