import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect } from 'vitest';
import { repositoryRoot } from '../support/paths.ts';
import { currentRunFolder } from '../support/run-folder.ts';
import { fullTest, test } from '../support/sets.ts';

// The comparison with other supervisors, as small as it can be: devctl, and the floor, which is a program of Perl.

const isLinux = process.platform === 'linux';

/** Leaves a service that is in a session of its own: it signals one process. */
const ADAPTER = `
import { writeFileSync } from 'node:fs';
export default {
  name: 'mine',
  find: () => ({ program: '/bin/sh', version: '1' }),
  prepare({ folder, services, program }) {
    const lines = services.map(({ command }) => command.map((word) => "'" + word + "'").join(' ') + ' & echo $! >>pids');
    writeFileSync(folder + '/start.sh', lines.join('\\n'));
    return { env: {}, start: [program, 'start.sh'], stop: [program, '-c', 'kill $(cat pids)'], status: null, quit: null };
  },
};`;

describe('the public zoo', () => {
  test.runIf(isLinux)('names the supervisors that it knows', async () => {
    const { exitCode, stderr } = await zoo('--against', 'nothing');
    expect(stderr).toContain('no adapter "nothing": there are floor, devctl,');
    expect(exitCode).toBe(2);
  });

  fullTest.runIf(isLinux)('nothing gets away from devctl', async () => {
    const { exitCode, stdout } = await zoo('--against', 'devctl', '--only', 'plain,own-session');
    expect(stdout).toMatch(/behaviours that got away +0 of 2\n/);
    expect(stdout).toMatch(/bystanders harmed +0 of 5$/m);
    expect(exitCode).toBe(0);
  });

  fullTest.runIf(isLinux)(
    'the adapter of a file is tried, and what it leaves is told',
    async () => {
      const folder = join(currentRunFolder(), 'adapter');
      mkdirSync(folder, { recursive: true });
      const file = join(folder, 'mine.mjs');
      writeFileSync(file, ADAPTER);
      const { exitCode, stdout } = await zoo('--against', file, '--only', 'plain,own-session');
      expect(stdout).toMatch(/^own-session +1$/m);
      expect(stdout).toMatch(/behaviours that got away +1 of 2\n/);
      expect(exitCode).toBe(1);
    },
  );
});

describe('the bench', () => {
  test.runIf(isLinux)('a tool that it does not know is an error', async () => {
    const { exitCode, stderr } = await bench('--peers', '--only', 'nothing');
    expect(stderr).toContain('there is no adapter "nothing"');
    expect(exitCode).toBe(1);
  });

  fullTest.runIf(isLinux)('a round of 12 processes of devctl and the floor', async () => {
    const args = ['--peers', '1', '--only', 'floor,devctl', '--sizes', '12'];
    const { exitCode, stdout } = await bench(...args, '--idle', 'none', '--lines', '1000');
    // Name; up, start, none left, stop, status, MB.
    expect(stdout).toMatch(/^devctl(?: +\d+ \([\d.]+\)){5} +[\d.]+ /m);
    expect(stdout).toMatch(/^floor(?: +\d+ \([\d.]+\)){5} +0\.0 /m);
    expect(exitCode).toBe(0);
  });

  fullTest.runIf(isLinux)('the phases of a stop, with its looks and signals', async () => {
    const { exitCode, stdout } = await bench('--trace', 'stop', '1', '--processes', '12');
    expect(stdout).toMatch(/^boot +[1-9]/m);
    expect(stdout).toMatch(/^looks at the process table +[1-9]/m);
    expect(stdout).toMatch(/^signals +[1-9]/m);
    expect(exitCode).toBe(0);
  });
});

function zoo(...args: readonly string[]) {
  return program(join('fixtures', 'zoo', 'cli.mjs'), args);
}

function bench(...args: readonly string[]) {
  return program(join('bench', 'main.mjs'), args);
}

function program(file: string, args: readonly string[]) {
  const words = [join(repositoryRoot, file), ...args];
  return execa(process.execPath, words, { reject: false, stdin: 'ignore' });
}
