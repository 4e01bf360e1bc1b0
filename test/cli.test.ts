import { cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { buildProgram, valuedFlags, withSeparator } from '../src/cli.ts';
import { repositoryRoot } from './support/paths.ts';
import { currentRunFolder } from './support/run-folder.ts';

const launcher = join(repositoryRoot, 'bin', 'devctl.js');

function run(...args: readonly string[]) {
  return execa('node', [launcher, ...args], { reject: false, cwd: repositoryRoot });
}

describe('wrong usage: exit code 2, the mistake, a hint, no stack', () => {
  test.each([
    [
      'a typo',
      ['statsu'],
      "✗ unknown command 'statsu'\n  → Did you mean npx --no-install devctl status?",
    ],
    [
      'an unknown command',
      ['xyzzy'],
      "✗ unknown command 'xyzzy'\n  → npx --no-install devctl --help",
    ],
    [
      'help for a typo',
      ['help', 'statsu'],
      "✗ unknown command 'statsu'\n  → Did you mean npx --no-install devctl status?",
    ],
    [
      'help for nothing',
      ['help', 'xyzzy'],
      "✗ unknown command 'xyzzy'\n  → npx --no-install devctl --help",
    ],
    ['an unknown option', ['stop', '--dry'], "✗ unknown option '--dry'\n"],
    ['a word of docker compose', ['ps'], '→ here it is npx --no-install devctl status'],
    ['a word with a name', ['kill', 'api'], '→ here it is npx --no-install devctl stop api'],
    ['an option of docker compose', ['logs', '--tail', '5'], '→ the last lines are -n COUNT'],
    ['a typo in an option', ['stop', '--forec'], '→ Did you mean --force?'],
    ['a missing value', ['stop', '--grace'], "✗ option '--grace <duration>' argument missing"],
    ['too many arguments', ['check', 'web'], "✗ too many arguments for 'check'"],
    ['a missing name', ['send'], '→ for example: npx --no-install devctl send web rs'],
  ])('%s', async (_name, args, expected) => {
    const { exitCode, stdout, stderr } = await run(...args);
    expect(stderr).toContain(expected);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  });

  test('no command: the help, on stderr', async () => {
    const { exitCode, stdout, stderr } = await run();
    expect(stderr).toContain('Usage: devctl');
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
  });

  test('with --json the reason is on stdout too', async () => {
    const { exitCode, stdout } = await run('status', '--json', '--bogus');
    expect(exitCode).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ version: 1, error: { code: 'usage' } });
  });
});

test.each([
  [
    '--help',
    ['--help'],
    /^Usage: devctl [\s\S]*Every day:\s+start [\s\S]*Examples:[\s\S]*Exit codes:/,
  ],
  [
    'help of a command',
    ['stop', '--help'],
    /^Usage: devctl stop [\s\S]*started by hand inside the project[\s\S]*"scope": "off"[\s\S]*Examples:[\s\S]*Exit codes:\s+0 nothing is left[\s\S]*More: docs\/how-stop-decides.md/,
  ],
  ['help as a command', ['help', 'start'], /^Usage: devctl start /],
  ['help alone', ['help'], /^Usage: devctl \[options\]/],
  ['--version', ['--version'], /^\d+\.\d+\.\d+$/],
  ['-V', ['-V'], /^\d+\.\d+\.\d+$/],
  ['--version behind other options', ['--no-color', '--version'], /^\d+\.\d+\.\d+$/],
])('%s is printed on stdout, exit code 0', async (_name, args, expected) => {
  const { exitCode, stdout, stderr } = await run(...args);
  expect(stdout).toMatch(expected);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
});

test('a reader that goes away is no failure', async () => {
  const fifo = join(mkdtempSync(join(currentRunFolder(), 'cli-')), 'stdout');
  // The FIFO is opened for both first, so that opening it for writing need not wait. Then nobody reads.
  const script = 'mkfifo "$1"; exec 3<>"$1" 4>"$1" 3>&-; exec node "$2" --help >&4';
  const result = await execa('bash', ['-c', script, 'bash', fifo, launcher], { reject: false });
  expect(result).toMatchObject({ exitCode: 0, stderr: '' });
});

test('errors are coloured only when asked', async () => {
  const plain = await run('xyzzy');
  const colored = await run('xyzzy', '--color');
  expect(plain.stderr).not.toContain('\u001B');
  expect(colored.stderr).toContain('\u001B[31m✗\u001B[39m');
});

describe('the launcher', () => {
  /** Runs it where `process` has another value. */
  function launchWith(name: 'versions' | 'platform', value: string, ...args: string[]) {
    const preload = join(mkdtempSync(join(currentRunFolder(), 'cli-')), 'preload.cjs');
    writeFileSync(preload, `Object.defineProperty(process, '${name}', { value: ${value} });`);
    return execa('node', ['-r', preload, launcher, ...args], { reject: false });
  }

  test('says which Node it needs', async () => {
    const result = await launchWith('versions', "{ ...process.versions, node: '18.20.4' }");
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toMatch(
      /^✗ devctl needs Node 20\.12 or newer, this is Node 18\.20\.4\n {2}→ /,
    );
  });

  test.each([[[]], [['status']], [['--version']]])(
    'says in one line what to do on Windows: %j',
    async (args) => {
      const { exitCode, stdout, stderr } = await launchWith('platform', "'win32'", ...args);
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
      expect(stderr).toMatch(/^✗ devctl does not run on Windows: [^\n]*WSL[^\n]*$/);
    },
  );

  test('says what to do in a clone that was never built', async () => {
    const clone = mkdtempSync(join(currentRunFolder(), 'cli-'));
    cpSync(join(repositoryRoot, 'bin'), join(clone, 'bin'), { recursive: true });
    const result = await execa('node', [join(clone, 'bin', 'devctl.js')], { reject: false });
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain('→ run npm install');
  });
});

test.each([
  ['run npm test --watch', 'run -- npm test --watch'],
  [
    '-c x.json run --name a --timeout 3s npm --version',
    '-c x.json run --name a --timeout 3s -- npm --version',
  ],
  ['run --name=a --json npm', 'run --name=a --json -- npm'],
  ['run -- npm -- x', 'run -- npm -- x'],
  ['stop run web', 'stop run web'],
  ['--json run', '--json run'],
  ['run --help', 'run --help'],
])('%s means %s', (written, meant) => {
  const valued = valuedFlags(buildProgram(() => {}));
  expect(withSeparator(written.split(' '), valued).join(' ')).toBe(meant);
});
