import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { devctl } from '../support/devctl.ts';
import { service } from '../support/services.ts';
import { temporaryProject } from '../support/temporary-project.ts';
import { openTerminal } from '../support/terminal.ts';
import { until } from '../support/until.ts';

/** False for a process that job control has stopped: proc_pid_stat(5). */
function isAwake(pid = 0): boolean {
  return /\) [RS] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
}

const lacksTmux = spawnSync('tmux', ['-V']).error !== undefined;

test.skipIf(lacksTmux)(
  'on a terminal, run passes keys and job control, and a shell works in it',
  async () => {
    await using project = await temporaryProject({ services: { web: service('sleeper') } });
    await using terminal = await openTerminal(project);
    let screen = '';
    const sees = (pattern: RegExp) =>
      until(
        async () => {
          screen = await terminal.screen();
          return pattern.test(screen);
        },
        () => `no ${pattern} in:\n${screen}`,
      );
    const running = (name: string) =>
      project.oracle.everything().find(({ argv }) => argv.join(' ') === name);

    // Ctrl-C goes to the command, which may ignore it.
    await terminal.type(
      `devctl run -- sh -c 'trap "echo caught" INT; echo begun; read a; echo "got $a"'; echo code=$?`,
    );
    await sees(/begun *$/m);
    await terminal.press('C-c');
    await sees(/caught\ngot *\ncode=0/);

    await terminal.type('clear; devctl run -- sleep 1000; echo code=$?');
    await until(() => running('sleep 1000'));
    await terminal.press('C-z');
    await sees(/code=1\d\d/);
    await terminal.type('clear; fg; echo again=$?');
    // Before that, the key would go to the shell, which drops the rest of its line.
    await until(() => isAwake(running('sleep 1000')?.pid));
    await terminal.press('C-c');
    await sees(/again=130/);

    // A shell with jobs, /dev/tty, a process that it leaves, and the terminal after a kill.
    await terminal.type(
      'clear; devctl run --name shell --grace 200ms -- env PS1=in\\> bash --norc -i; echo code=$?',
    );
    await sees(/in>/);
    await terminal.type('sleep 2000');
    await until(() => running('sleep 2000'));
    await terminal.press('C-z');
    await sees(/Stopped +sleep 2000/);
    await terminal.type('head -1 </dev/tty');
    // Before that, the line would go to the shell, which reads each key at once.
    await until(() => running('head -1'));
    await terminal.type('typed');
    await sees(/typed\ntyped/);
    expect(await devctl(project, 'stop', 'shell')).toMatchObject({ exitCode: 0 });
    await sees(/code=137/);
    expect(running('sleep 2000')).toBeUndefined();
    await terminal.type('clear; read line; echo "read=$line"');
    await terminal.type('mine');
    await sees(/read=mine/);
    expect(
      project.oracle.everything().filter(({ argv }) => /^(sleep|bash)$/.test(argv[0] ?? '')),
    ).toEqual([]);
  },
  90_000,
);
