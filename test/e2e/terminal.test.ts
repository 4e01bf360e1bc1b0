import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { devctl } from '../support/devctl.ts';
import { repositoryRoot } from '../support/paths.ts';
import { service } from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { temporaryProject } from '../support/temporary-project.ts';
import { openTerminal } from '../support/terminal.ts';
import { until } from '../support/until.ts';

const lacksTmux = spawnSync('tmux', ['-V']).error !== undefined;

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

    // The screen may still show the exit code of the start.
    await terminal.type('devctl stop; echo stopped=$?');
    await until(async () => (await terminal.screen()).includes('stopped=0'));
    expect(project.oracle.processes().filter(({ argv }) => argv[0] === 'sleep')).toEqual([]);

    const bad = { command: 'echo why; exit 3', ready: { log: 'never' } };
    project.write('.devctl.json', JSON.stringify({ services: { bad } }));
    await terminal.type('clear; devctl start; echo failed=$?');
    const failed = await until(async () => {
      const seen = await terminal.screen();
      return /failed=1/.test(seen) ? seen : null;
    });
    // Once is enough.
    expect(failed.match(/exited with code 3/g)).toHaveLength(1);
    expect(failed).toMatch(/✗ bad failed: [\s\S]*the last lines of [\s\S]*\| why/);
  },
);

fullTest.skipIf(lacksTmux)('a terminal without columns gets plain lines', async () => {
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
  'Ctrl-C during start leaves services running; during stop it forces',
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

fullTest.skipIf(lacksTmux).each<[command: string, seen: RegExp]>([
  ['logs -f', /web.*tick/],
  ['up', /services are up/],
  ['run -- sh -c "echo begun; exec sleep 100"', /^begun/m],
  ['monitor', /web.*(ready|running)/],
])(
  'a terminal that is closed ends devctl %s with 129, not by an abort of Node',
  async (command, seen) => {
    await using project = await temporaryProject({
      services: { web: { command: 'while :; do echo tick; sleep 1; done' } },
    });
    if (command !== 'up') await devctl(project, 'start');
    await using terminal = await openTerminal(project);
    const program = join(repositoryRoot, 'bin', 'devctl.js');
    // This shell stays until it has written the exit code. The one above it cannot without its terminal. It starts no
    // program for that, because a second SIGHUP may come and would end that program.
    const code = project.write('code', '');
    project.write(
      'closed.sh',
      `trap : HUP\n'${process.execPath}' '${program}' "$@"\necho $? > code\n`,
    );
    await terminal.type(`sh closed.sh ${command}`);
    await until(async () => seen.test(await terminal.screen()));
    await terminal.close();
    await until(() => readFileSync(code, 'utf8').includes('\n'));
    expect(readFileSync(code, 'utf8')).toBe('129\n');
    expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
  },
);
