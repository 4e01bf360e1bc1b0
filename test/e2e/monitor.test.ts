import { spawnSync } from 'node:child_process';
import { expect } from 'vitest';
import { devctl, startDevctl } from '../support/devctl.ts';
import { signalExactly } from '../support/end-processes.ts';
import { readProcesses } from '../support/read-processes.ts';
import { service } from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { temporaryProject } from '../support/temporary-project.ts';
import { openTerminal } from '../support/terminal.ts';
import { until } from '../support/until.ts';

const lacksTmux = spawnSync('tmux', ['-V']).error !== undefined;

/** Opens a terminal for `devctl monitor`. */
async function monitored(project: Awaited<ReturnType<typeof temporaryProject>>) {
  const terminal = await openTerminal(project);
  let screen = '';
  const sees = (pattern: RegExp) =>
    until(
      async () => {
        screen = await terminal.visible();
        return pattern.exec(screen);
      },
      () => `no ${pattern} in:\n${screen}`,
    );
  const before = await terminal.modes();
  const monitor = () =>
    project.oracle
      .everything()
      .find(({ argv }) => argv[1]?.endsWith('devctl.js') && argv[2] === 'monitor');
  /** The processes that put the terminal in order after a SIGKILL. */
  const restorers = () =>
    readProcesses().filter(
      ({ argv, files, zombie }) =>
        !zombie && argv.includes('devctl-terminal') && files.includes(before.tty),
    );
  return { ...terminal, sees, before, monitor, restorers };
}

test.skipIf(lacksTmux)(
  'monitor: shows services, their processes and logs, acts by key with proof, and gives the terminal back',
  async () => {
    await using project = await temporaryProject({
      services: {
        web: service('fan', ['2']),
        talker: { command: 'while :; do echo "said $((n=n+1))"; sleep 0.1; done' },
        later: { command: 'sleep 1000', autostart: false },
      },
    });
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    await using terminal = await monitored(project);
    const { sees } = terminal;
    await terminal.type('clear; devctl monitor; echo code=$?');
    await sees(/SERVICE +STATE[\s\S]*▸ web +ready[\s\S]*talker +running[\s\S]*later +stopped/);
    await sees(/PROCESS of web[\s\S]*└─ sleep \d+ +\d+ +0\.0%[\s\S]*LOG of web\n +ready/);
    const [, pid] = await sees(/▸ web +ready +(\d+)/);

    // After a restart by key the old processes are proved gone, and the new ones are shown.
    await terminal.press('r');
    await sees(/✓ web: 3 ended, 0 left \((proof complete|best effort)\); ready after/);
    await sees(new RegExp(`▸ web +ready +(?!${pid} )\\d+`));

    await terminal.press('Down');
    await sees(/▸ talker[\s\S]*LOG of talker[\s\S]*said \d+/);
    await terminal.press('s');
    await sees(/✓ talker stopped in .*: \d+ ended, 0 left/);
    await sees(/▸ talker +stopped/);
    expect(
      project.oracle.everything().filter(({ argv }) => argv.join(' ').includes('said')),
    ).toEqual([]);
    await terminal.press('Down');
    await terminal.press('t');
    await sees(/✓ later running after [\s\S]*/);
    await sees(/▸ later +running +\d+/);

    await terminal.press('Escape');
    await terminal.resize(60, 14);
    await sees(/^project-.*\n[\s\S]*▸ later +running[\s\S]*q quit/);
    await terminal.resize(180, 40);
    await sees(/SERVICE .*│ {3}LOG of later/);
    // The monitor works without the supervisor.
    expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
    await sees(/0 of \d up .*no supervisor/);

    await terminal.press('q');
    await sees(/code=0/);
    expect(await terminal.modes()).toEqual(terminal.before);
    await terminal.type('stty -a | grep -o " icanon\\| echo "');
    await sees(/ icanon\n echo/);
    await until(() => terminal.restorers().length === 0);
  },
);

fullTest.skipIf(lacksTmux)(
  'monitor: after every kind of kill the terminal is as before, and nothing is left',
  async () => {
    await using project = await temporaryProject({ services: { web: service('sleeper') } });
    await using terminal = await monitored(project);
    const { sees } = terminal;
    for (const signal of ['SIGKILL', 'SIGTERM', 'SIGHUP', 'SIGINT'] as const) {
      await terminal.type(`clear; devctl monitor; echo "${signal}=$?"`);
      await sees(/SERVICE +STATE[\s\S]*▸ web +stopped/);
      expect(await terminal.modes()).toMatchObject({ other: '1', cursor: '0', wrap: '0' });
      expect(terminal.restorers()).not.toEqual([]);
      const target = await until(terminal.monitor);
      signalExactly(target, signal);
      await until(async () => {
        const { other, cursor, wrap } = await terminal.modes();
        return `${other} ${cursor} ${wrap}` === '0 1 1';
      });
      // After a SIGKILL the shell may have written to the other screen before the terminal is in order.
      if (signal === 'SIGKILL') {
        await sees(/monitor was killed; Enter brings a prompt/);
        await terminal.press('Enter');
        await sees(/^> *$/m);
      } else await sees(new RegExp(`${signal}=1\\d\\d`));
      // The terminal echoes and reads lines again.
      await terminal.type('read line; echo "read=$line"');
      await terminal.type('mine');
      await sees(/^mine\nread=mine/m);
      await until(() => terminal.restorers().length === 0);
    }
    // It gives the terminal back when it is suspended, and takes it again.
    await terminal.type('clear; devctl monitor');
    await sees(/▸ web +stopped/);
    await terminal.press('C-z');
    await sees(/^>/m);
    expect(await terminal.modes()).toMatchObject({ other: '0', cursor: '1', wrap: '1' });
    await terminal.type('fg');
    await sees(/▸ web +stopped/);
    await terminal.press('C-c');
    await sees(/^>/m);
    await until(() => terminal.restorers().length === 0);
  },
);

test('monitor without a terminal says what it needs, and prints JSON on request', async () => {
  await using project = await temporaryProject({ services: { web: service('sleeper') } });
  const refused = await devctl(project, 'monitor');
  expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
  expect(refused.stderr).toMatch(/needs a terminal.*\n.*npx --no-install devctl status.*--json/);
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const running = startDevctl(project, {}, 'monitor', '--json');
  let text = '';
  running.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  await until(() => text.split('\n').length > 2);
  running.kill('SIGTERM');
  expect(await running).toMatchObject({ exitCode: 143 });
  const [first = '', second = ''] = text.split('\n');
  expect(JSON.parse(first)).toMatchObject({
    version: 1,
    services: [{ name: 'web', state: 'ready', processes: 1 }],
  });
  expect(JSON.parse(second).atMs).toBeGreaterThan(JSON.parse(first).atMs);
});
