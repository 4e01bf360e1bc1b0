import { join } from 'node:path';
import { execa } from 'execa';
import { cleanEnvironment } from './clean-environment.ts';
import { repositoryRoot } from './paths.ts';
import type { TemporaryProject } from './temporary-project.ts';
import { until } from './until.ts';

/** A shell on a real terminal of 100 columns, in the project's folder, with a `devctl` command. */
export async function openTerminal(project: TemporaryProject) {
  const tmux = (...args: readonly string[]) =>
    execa('tmux', ['-S', project.file('tmux.sock'), '-f', '/dev/null', ...args], {
      cwd: project.root,
      env: {
        ...cleanEnvironment(),
        ...project.env,
        TERM: 'xterm-256color',
        SHELL: '/bin/sh',
        ENV: '',
        PS1: '$ ',
      },
      extendEnv: false,
    });
  let isOpen = true;
  await tmux('new-session', '-d', '-x', '100', '-y', '40', '/bin/sh');
  const program = join(repositoryRoot, 'bin', 'devctl.js');
  const type = (line: string) => tmux('send-keys', line, 'Enter');
  const screen = async () => (await tmux('capture-pane', '-p', '-J', '-S', '-200')).stdout;
  await type(`devctl() { '${process.execPath}' '${program}' "$@"; }; PS1='> '; clear`);
  // Text that is typed earlier is shown twice, and the output does not begin a line.
  await until(async () => /^> *$/m.test(await screen()));
  return {
    type,
    press: (key: string) => tmux('send-keys', key),
    screen,
    /** The visible screen, without the lines that have scrolled away. */
    visible: async () => (await tmux('capture-pane', '-p')).stdout,
    resize: (columns: number, rows: number) =>
      tmux('resize-window', '-x', String(columns), '-y', String(rows)),
    /** The modes: alternate screen, visible cursor, wrapped lines. And the path of the terminal. */
    async modes() {
      const flags = '#{alternate_on} #{cursor_flag} #{wrap_flag}';
      const { stdout } = await tmux('display', '-p', `${flags} #{pane_tty}`);
      const [other, cursor, wrap, tty = ''] = stdout.split(' ');
      return { other, cursor, wrap, tty };
    },
    /** Closes the terminal, as when its window is closed or the network breaks. */
    async close() {
      isOpen = false;
      await tmux('kill-server');
    },
    [Symbol.asyncDispose]: async () => {
      if (isOpen) await tmux('kill-server');
    },
  };
}
