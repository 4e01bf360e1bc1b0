import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { bystander } from '../support/bystander.ts';
import { cleanEnvironment } from '../support/clean-environment.ts';
import { devctl } from '../support/devctl.ts';
import { freePorts } from '../support/free-ports.ts';
import { repositoryRoot } from '../support/paths.ts';
import { stopReport } from '../support/reports.ts';
import { service, supervisorsOf } from '../support/services.ts';
import { modeTest, test } from '../support/sets.ts';
import { temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

const program = join(repositoryRoot, 'bin', 'devctl.js');
const run = `'${process.execPath}' '${program}'`;
const has = (name: string) => spawnSync('/bin/sh', ['-c', `command -v ${name}`]).status === 0;

/** The programs that run devctl: each of them works in the project and matches a pattern or a cookie. */
const CHAINS: readonly (readonly [name: string, needs: string, line: string])[] = [
  ['npm test', '', 'npm test --silent'],
  ['make, sh, npm', 'make', 'make -s all'],
  // A CI agent whose command line looks like a test run, with a watcher beside the step.
  ['an agent called vitest', 'bash', `bash -c 'exec -a "node vitest" bash step.sh'`],
  ['tmux', 'tmux', 'tmux -L chain -f /dev/null new-session -d "npm test --silent"'],
];

for (const [index, [name, needs, line]] of CHAINS.entries()) {
  modeTest(index).runIf(needs === '' || has(needs))(
    `the program that runs devctl outlives the stop that it asked for: ${name}`,
    async () => {
      await using project = await temporaryProject({ services: { web: service('fan', ['2']) } });
      // Start and stop, then a line that only a living process can write; the watcher is a job of the same step.
      const step = [
        `${run} start >start.txt 2>&1 || exit 1`,
        'sleep 116 & watcher=$!',
        `${run} stop --json >stop.json 2>stop.txt; code=$?`,
        'kill -0 $watcher && kill $watcher && echo "$code alive" >after.txt',
      ];
      project.write('step.sh', step.join('\n'));
      project.write('Makefile', 'all:\n\t@npm test --silent\n\t@echo made >>after.txt\n');
      project.write(
        'package.json',
        JSON.stringify({ name: 'x', scripts: { test: 'sh step.sh && echo done >>after.txt' } }),
      );
      // Its parent ends at once, because this test run above it would be a reason to spare everything below it.
      const shell = `${line}; echo "shell $?" >shell.txt`;
      spawn('/bin/sh', ['-c', '/bin/sh -c "$0" &', shell], {
        cwd: project.root,
        // tmux starts the shell of the user, which is nologin(8) for some users.
        env: { ...cleanEnvironment(), ...project.env, SHELL: '/bin/sh', TMUX_TMPDIR: project.root },
        detached: true,
        stdio: 'ignore',
      });
      const read = (name: string) =>
        existsSync(project.file(name)) ? readFileSync(project.file(name), 'utf8') : '';
      await until(() => read('start.txt').includes('services are up'));
      await until(() => read('stop.json').includes('"proof"'));
      await until(
        () => read('after.txt').includes('alive') && read('shell.txt') !== '',
        () => ['start.txt', 'stop.txt', 'after.txt', 'shell.txt'].map(read).join('\n'),
      );
      expect(read('after.txt')).toMatch(/^0 alive/);
      expect(read('shell.txt')).toBe('shell 0\n');
      if (line.startsWith('npm') || line.startsWith('make'))
        expect(read('after.txt')).toContain('done');
      if (line.startsWith('make')) expect(read('after.txt')).toContain('made');
      await until(() => project.oracle.processes().length === 0);
      expect(supervisorsOf(project)).toEqual([]);
    },
  );
}

test('a bystander on a declared port is named and left alone', async () => {
  const [port = 0] = await freePorts(1);
  await using elsewhere = await temporaryProject();
  await using project = await temporaryProject({
    services: { web: service('sleeper', [], { ports: [port] }) },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  await using stranger = await bystander('node server.js', elsewhere.root, port);
  const { exitCode, report } = await stopReport(project, '--force');
  expect(exitCode).toBe(5);
  expect(report.survivors).toEqual([]);
  expect(JSON.stringify(report.ports)).toContain(String(stranger.pid));
  expect(project.oracle.processes()).toEqual([]);
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 5 });
  expect(stranger.alive()).toBe(true);
});
