import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { devctl } from '../support/devctl.ts';
import { signalExactly } from '../support/end-processes.ts';
import { repositoryRoot } from '../support/paths.ts';
import { hasSubreaper, service } from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { temporaryProject } from '../support/temporary-project.ts';
import { openTerminal } from '../support/terminal.ts';
import { until } from '../support/until.ts';

const hasTmux = spawnSync('tmux', ['-V']).error === undefined;

describe.runIf(hasSubreaper && hasTmux)('attach', () => {
  test('puts the terminal of a service on ours: keys, sizes, Ctrl-C, Ctrl-]', async () => {
    await using project = await temporaryProject({
      services: {
        web: service('keys', ['raw'], { tty: true }),
        shell: { command: 'sh', tty: true },
      },
    });
    await devctl(project, 'start');
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
    await terminal.type('devctl attach web; echo code=$?');
    await sees(/attached to web \(pid \d+\): Ctrl-\] detaches/);
    // Its earlier output, and then the size of our terminal.
    await sees(/tty true 80x24[\s\S]*size 100x(39|40)/);
    await terminal.press('h');
    await sees(/read "h"/);
    await terminal.resize(90, 30);
    await sees(/size 90x(29|30)/);
    await terminal.press('C-c');
    // In raw mode the program itself gets the key.
    await sees(/read "\\u0003"/);
    await terminal.press('C-]');
    await sees(/detached from web, which runs on\s+code=0/);
    // The terminal is as it was: lines, with echo, and Ctrl-C is a signal again.
    await terminal.type('clear; sleep 100; echo after=$?');
    await until(() => project.oracle.everything().some(({ argv }) => argv[0] === 'sleep'));
    await terminal.press('C-c');
    await sees(/\^C/);
    await until(() => !project.oracle.everything().some(({ argv }) => argv[0] === 'sleep'));

    // A program that reads lines: with echo while somebody looks, and its exit code is ours.
    await terminal.type('clear; devctl attach shell; echo code=$?');
    await sees(/attached to shell/);
    await terminal.type('trap "echo caught" INT; echo $((6 * 7))');
    await sees(/echo \$\(\(6[\s\S]*^42$/m);
    await terminal.press('C-c');
    await sees(/caught/);
    await terminal.type('exit 3');
    await sees(/shell has exited with code 3\s+code=3/);
    expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
  });

  fullTest('restores the terminal on SIGTERM, and ends with 129 when it is closed', async () => {
    await using project = await temporaryProject({
      services: {
        // Asked for it, it goes to the other screen and hides the cursor.
        web: {
          command: "read line; printf '\\033[?1049h\\033[?25lfull'; exec sleep 100",
          tty: true,
        },
      },
    });
    await devctl(project, 'start');
    await using terminal = await openTerminal(project);
    const before = await terminal.modes();
    const attached = () =>
      until(() => project.oracle.everything().find(({ argv }) => argv.includes('attach')));
    // Its exit code is that of the service, or 1 where the supervisor was faster to reap the service.
    await until(async () => {
      await terminal.type('clear; devctl attach web; echo code=$?');
      await attached();
      await until(async () => /attached to web/.test(await terminal.screen()));
      await terminal.press('Enter');
      await until(async () => (await terminal.modes()).other === '1');
      await devctl(project, 'restart', 'web');
      const code = await until(async () => /code=(143|1)$/m.exec(await terminal.screen())?.[1]);
      expect(await terminal.modes()).toEqual(before);
      return code === '143';
    });

    // The output of the first one may still be in the scrollback.
    await terminal.type('echo next; devctl attach web; echo second=$?');
    const second = await attached();
    await until(async () => /next[\s\S]*attached to web/.test(await terminal.screen()));
    signalExactly(second, 'SIGTERM');
    await until(async () => /second=143/.test(await terminal.screen()));
    await terminal.type('echo typed');
    await until(async () => /^typed/m.test(await terminal.screen()));

    const program = join(repositoryRoot, 'bin', 'devctl.js');
    // A second SIGHUP may come and would end a program that this shell starts afterwards.
    const code = project.write('code', '');
    project.write(
      'closed.sh',
      `trap : HUP\n'${process.execPath}' '${program}' attach web\necho $? > code\n`,
    );
    await terminal.type('echo last; sh closed.sh');
    await until(async () => /last[\s\S]*attached to web/.test(await terminal.screen()));
    await terminal.close();
    await until(() => readFileSync(code, 'utf8').includes('\n'));
    expect(readFileSync(code, 'utf8')).toBe('129\n');
    expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
  });
});
