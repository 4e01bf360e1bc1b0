import { spawnSync } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { execa } from 'execa';
import { expect } from 'vitest';
import { cleanEnvironment } from '../support/clean-environment.ts';
import { repositoryRoot } from '../support/paths.ts';
import { service } from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { openTerminal } from '../support/terminal.ts';
import { until } from '../support/until.ts';

const has = (program: string): boolean => spawnSync(program, ['--version']).error === undefined;
const hasTmux = spawnSync('tmux', ['-V']).error === undefined;

const MANIFEST = {
  services: { web: service('sleeper'), worker: service('sleeper') },
  groups: { backend: ['worker'] },
};

/** A shell that knows `devctl`, without settings of the user. */
function shell(project: TemporaryProject, program: string, ...args: readonly string[]) {
  const launcher = join(repositoryRoot, 'bin', 'devctl.js');
  project.write('bin/devctl', `#!/bin/sh\nexec '${process.execPath}' '${launcher}' "$@"\n`);
  spawnSync('chmod', ['+x', project.file('bin/devctl')]);
  const { PATH = '', ...env } = cleanEnvironment();
  return execa(program, args, {
    cwd: project.root,
    env: { ...env, PATH: `${project.file('bin')}${delimiter}${PATH}`, HOME: project.root },
    extendEnv: false,
  });
}

test.runIf(has('bash'))(
  'bash completes commands, names, options, files and other commands',
  async () => {
    await using project = await temporaryProject(MANIFEST);
    const ask = (...words: readonly string[]) =>
      `COMP_WORDS=(devctl ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}; _devctl; echo "\${COMPREPLY[*]}"`;
    const { stdout } = await shell(
      project,
      'bash',
      '--norc',
      '-c',
      [
        'source <(devctl completion bash)',
        ask('sto'),
        ask('stop', ''),
        ask('start', '--wh'),
        ask('-c', '.devc'),
        ask('run', '--', 'tes'),
      ].join('\n'),
    );
    const [stop, names, option, files, commands = ''] = stdout.split('\n');
    expect([stop, names, option, files]).toEqual([
      'stop',
      'web worker backend',
      '--while-pid',
      '.devctl.json',
    ]);
    expect(commands.split(' ')).toContain('test');
  },
);

test.runIf(has('fish'))(
  'fish completes the same, and the arguments of another command',
  async () => {
    await using project = await temporaryProject(MANIFEST);
    const asked = ['sto', 'stop w', 'adopt --js', '-c .devc', 'run --name a -- devctl che'];
    const { stdout } = await shell(
      project,
      'fish',
      '--no-config',
      '-c',
      `devctl completion fish | source; for words in ${asked.map((one) => `'${one}'`).join(' ')}; complete -C "devctl $words"; end`,
    );
    expect(stdout.split('\n').map((line) => line.split('\t')[0])).toEqual([
      'stop',
      'web',
      'worker',
      '--json',
      '.devctl.json',
      'check',
    ]);
  },
);

fullTest.runIf(has('zsh') && hasTmux)('zsh completes the same on a terminal', async () => {
  await using project = await temporaryProject(MANIFEST);
  await using terminal = await openTerminal(project);
  const launcher = join(repositoryRoot, 'bin', 'devctl.js');
  await terminal.type('exec zsh -f');
  await terminal.type('autoload -Uz compinit; compinit -u -D');
  await terminal.type(`devctl() { '${process.execPath}' '${launcher}' "$@" }`);
  await terminal.type('source <(devctl completion zsh); PS1="%% "; clear');
  const seen = async (pattern: RegExp) => {
    let screen = '';
    await until(
      async () => {
        screen = await terminal.screen();
        return pattern.test(screen);
      },
      () => screen,
    );
  };
  await seen(/^% *$/m);
  for (const [typed, completed] of [
    ['devctl sto', /^% devctl stop *$/m],
    ['devctl start --whi', /^% devctl start --while-pid *$/m],
    ['devctl -c .devc', /^% devctl -c \.devctl\.json *$/m],
    ['devctl run -- devctl che', /^% devctl run -- devctl check *$/m],
    // It lists several candidates with their descriptions.
    ['devctl stop w', /^(web +worker|worker +web) +-- service/m],
  ] as const) {
    await terminal.press(typed);
    await terminal.press('Tab');
    await seen(completed);
    await terminal.press('C-c');
    await terminal.type('clear');
    await seen(/^% *$/m);
  }
});
