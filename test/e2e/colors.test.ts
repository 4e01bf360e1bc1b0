import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { devctl, devctlWith } from '../support/devctl.ts';
import { fullTest, test } from '../support/sets.ts';
import { temporaryProject } from '../support/temporary-project.ts';
import { openTerminal } from '../support/terminal.ts';
import { until } from '../support/until.ts';

const lacksTmux = spawnSync('tmux', ['-V']).error !== undefined;
const tell = (file: string) => `echo "\${FORCE_COLOR-no} \${PYTHONUNBUFFERED-no}" >> ${file}`;

fullTest.skipIf(lacksTmux)(
  'a service that was started on a terminal may use colours, probes and stop commands may not',
  async () => {
    const web = {
      command: `${tell('service')}; until test -f go; do sleep 0.05; done; rm go; exit 1`,
      ready: { exec: `${tell('probe')}; true` },
      stop: { command: tell('stop') },
      restart: { policy: 'on-failure', backoff: '10ms' },
    };
    await using project = await temporaryProject({
      services: { web, plain: { command: `${tell('plain')}; sleep 100`, color: 'never' } },
    });
    const lines = (name: string) => readFileSync(project.file(name), 'utf8').trimEnd().split('\n');
    project.write('run.sh', tell('run'));
    await using terminal = await openTerminal(project);
    await terminal.type('devctl start; echo code=$?');
    await until(async () => (await terminal.screen()).includes('code=0'));
    expect([lines('service'), lines('plain')]).toEqual([['1 1'], ['no 1']]);

    // A restart by policy keeps them.
    project.write('go', '');
    await until(() => lines('service').length === 2);
    expect(lines('service')).toEqual(['1 1', '1 1']);

    await terminal.type('clear; devctl run -- sh run.sh; devctl stop; echo stopped=$?');
    await until(async () => (await terminal.screen()).includes('stopped=0'));
    const others = [...lines('run'), ...lines('probe'), ...lines('stop')];
    expect(new Set(others)).toEqual(new Set(['no no']));

    await terminal.type('clear; devctl start 2>&1 | cat; echo piped=$?');
    await until(async () => (await terminal.screen()).includes('piped=0'));
    expect(lines('service').at(-1)).toBe('no 1');
  },
);

test('the last lines of a service have no colours in a pipe, and no cursor movement anywhere', async () => {
  const text = '\\033[2K\\033[1Gloading\\r\\033[31mno \\033[1Adatabase\\033[0m';
  await using project = await temporaryProject({
    services: {
      web: { command: `printf '${text}\\n'; exit 7`, ready: { log: 'never' } },
      probed: {
        command: 'sleep 100',
        ready: { exec: "printf '\\033[31mnot yet\\033[0m' >&2; exit 1", timeout: '1500ms' },
      },
    },
  });
  const plain = await devctl(project, 'start');
  expect(plain.exitCode).toBe(1);
  expect(plain.stderr).toContain('\n  | no database\n');
  expect(plain.stderr).toContain('exited with code 1: not yet');
  expect(plain.stderr).not.toContain('\u001B');
  expect(plain.stderr).not.toContain('\\x1b');

  const env = { FORCE_COLOR: '1' };
  const colored = await devctlWith(project, { env }, 'restart', 'web');
  expect(colored.stderr).toContain('\n  | \u001B[31mno database\u001B[0m');
  expect(colored.stderr).not.toContain('\\x1b');
  const refused = await devctlWith(project, { env: { ...env, NO_COLOR: '1' } }, 'start', 'web');
  expect(refused.stderr).toMatch(/\n {2}\| no database$/);
  expect(refused.stderr).not.toContain('\u001B');
});
