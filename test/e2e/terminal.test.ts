import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { cleanEnvironment } from '../support/clean-environment.ts';
import { devctl } from '../support/devctl.ts';
import { repositoryRoot } from '../support/paths.ts';
import { service } from '../support/services.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

const lacksTmux = spawnSync('tmux', ['-V']).error !== undefined;

const TERMINAL = { TERM: 'xterm-256color', SHELL: '/bin/sh', ENV: '', PS1: '$ ' };

/** A shell on a real terminal of 100 columns, in the project's folder, with a `devctl` command. */
async function openTerminal(project: TemporaryProject) {
  const tmux = (...args: readonly string[]) =>
    execa('tmux', ['-S', project.file('tmux.sock'), '-f', '/dev/null', ...args], {
      cwd: project.root,
      // tmux starts what it is told by the user's shell, which for some is nologin(8).
      env: { ...cleanEnvironment(), ...project.env, ...TERMINAL },
      extendEnv: false,
    });
  await tmux('new-session', '-d', '-x', '100', '-y', '40', '/bin/sh');
  const program = join(repositoryRoot, 'bin', 'devctl.js');
  const type = (line: string) => tmux('send-keys', line, 'Enter');
  await type(`devctl() { '${process.execPath}' '${program}' "$@"; }; clear`);
  return {
    type,
    press: (key: string) => tmux('send-keys', key),
    screen: async () => (await tmux('capture-pane', '-p', '-J', '-S', '-200')).stdout,
    [Symbol.asyncDispose]: async () => void (await tmux('kill-server')),
  };
}

test.skipIf(lacksTmux)(
  'on a terminal: a spinner while it starts, colours, and the cursor back',
  async () => {
    await using project = await temporaryProject({
      services: {
        slow: { command: 'sleep 100', ready: { exec: 'test -f go', interval: '50ms' } },
        web: service('sleeper'),
      },
    });
    await using terminal = await openTerminal(project);
    await terminal.type('devctl start; echo code=$?');
    const spinning = /[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏].*slow/;
    await until(
      async () => spinning.test(await terminal.screen()),
      () => 'no spinner',
    );
    project.write('go', '');
    const screen = await until(async () => {
      const seen = await terminal.screen();
      return seen.includes('code=0') ? seen : null;
    });
    expect(screen).not.toMatch(spinning);
    expect(screen).toMatch(/slow.*ready/);
    expect(screen).toMatch(/web.*ready/);
    expect(screen).toContain('2 of 2 services are up');

    // The screen may still show the code of the start.
    await terminal.type('devctl stop; echo stopped=$?');
    await until(async () => (await terminal.screen()).includes('stopped=0'));
    expect(project.oracle.processes().filter(({ argv }) => argv[0] === 'sleep')).toEqual([]);
  },
);

test.skipIf(lacksTmux)('a terminal of no columns gets plain lines', async () => {
  await using project = await temporaryProject({ services: { web: service('sleeper') } });
  await using terminal = await openTerminal(project);
  await terminal.type('stty cols 0; devctl start; devctl status; echo code=$?; stty cols 100');
  const screen = await until(async () => {
    const seen = await terminal.screen();
    return seen.includes('code=0') ? seen : null;
  });
  expect(screen).toContain('devctl: starting web');
  expect(screen).toMatch(/web +ready/);
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
});

test.skipIf(lacksTmux)(
  'Ctrl-C during start leaves running what runs; in stop it forces',
  async () => {
    await using project = await temporaryProject({
      services: {
        web: service('stubborn', ['1'], { stop: { grace: '10m' } }),
        never: { command: 'exec sleep 100', ready: { log: 'never', timeout: '10m' } },
      },
    });
    await using terminal = await openTerminal(project);
    await terminal.type('devctl start; echo code=$?');
    await until(async () => /web.*ready/.test(await terminal.screen()));
    await terminal.press('C-c');
    await until(async () => (await terminal.screen()).includes('code=130'));
    expect(project.oracle.processes().some(({ argv }) => argv[1]?.includes('stubborn'))).toBe(true);

    await terminal.type('clear; devctl stop; echo stopped=$?');
    await until(async () => /waiting for web/.test(await terminal.screen()));
    await terminal.press('C-c');
    await until(
      async () => (await terminal.screen()).includes('stopped=0'),
      () => 'stop did not end with 0',
    );
    const left = project.oracle.processes().map(({ argv }) => argv.join(' '));
    expect(left.filter((line) => /stubborn|sleep/.test(line))).toEqual([]);
  },
);
