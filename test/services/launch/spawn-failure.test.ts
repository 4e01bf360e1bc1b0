import { expect, test } from 'vitest';
import { commandLine, toArgv } from '../../../src/services/launch/command-line.ts';
import { spawnFailure } from '../../../src/services/launch/spawn-failure.ts';

// Failures that a test cannot cause on every machine.
test.each([
  ['EAGAIN', 'process limit reached: end other processes, or raise the limit (ulimit -u)'],
  ['EMFILE', 'devctl has too many open files (ulimit -n)'],
  ['ETXTBSY', 'the program file is being written at this moment'],
  ['EIO', '"node server.js" cannot be started: spawn EIO'],
])('%s', (code, words) => {
  const error = Object.assign(new Error(`spawn ${code}`), { code });
  expect(spawnFailure(error, ['node', 'server.js'], { cwd: '/', env: {} })).toBe(words);
});

test.each([
  [
    'devctl-no-such',
    '/usr/bin:/bin',
    'was not found in PATH, where not every folder may be searched',
  ],
  ['passwd', '/usr/bin:/etc:/bin', 'is not an executable file (chmod +x?)'],
])('EACCES, for %s in %s', (program, PATH, words) => {
  const error = Object.assign(new Error('spawn EACCES'), { code: 'EACCES' });
  expect(spawnFailure(error, [program], { cwd: '/', env: { PATH } })).toContain(words);
});

test.each<[string | readonly string[], readonly string[], string]>([
  ['a && b', ['/bin/sh', '-c', 'a && b'], 'a && b'],
  [['npm', 'run', 'dev'], ['npm', 'run', 'dev'], 'npm run dev'],
  [['echo', "it's", '', 'a b'], ['echo', "it's", '', 'a b'], `echo 'it'\\''s' '' 'a b'`],
])('%j', (command, argv, shown) => {
  expect(toArgv(command)).toEqual(argv);
  expect(commandLine(command)).toBe(shown);
});
