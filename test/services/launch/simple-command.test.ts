import { spawnSync } from 'node:child_process';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { toArgv } from '../../../src/services/launch/command-line.ts';
import { isSimpleCommand } from '../../../src/services/launch/simple-command.ts';

test.each([
  'npm run dev',
  '  node server.js\t--port 3000 ',
  './bin/serve --name "my app" --path \'a;b\'',
  'node -e "console.log(1)"',
  `node server.js --port $PORT --host \${HOST} --dir "\${DATA:-./data}"`,
  'vite --base=/a#b',
  'python3 -m http.server 8000',
  'grep a\\;b *.txt',
])('one program: %s', (command) => {
  expect(isSimpleCommand(command)).toBe(true);
  expect(toArgv(command)).toEqual(['/bin/sh', '-c', `exec ${command}`]);
});

test.each([
  '',
  'a; b',
  'a && b',
  'a | b',
  'a &',
  'a > log',
  'a < in',
  '(a)',
  'a\nb',
  'PORT=3000 node server.js',
  '$PROGRAM x',
  '"my program" x',
  'cd web',
  'exec node server.js',
  'trap "" HUP',
  'if true',
  '! a',
  '{ a',
  'a $(b)',
  'a "$(b)"',
  'a `b`',
  `a "\${X:-"b;c"}"`,
  'a # b',
  'a "b',
  "a 'b",
  'a \\',
  '~/bin/a',
  '-x',
])('the shell stays: %j', (command) => {
  expect(isSimpleCommand(command)).toBe(false);
  expect(toArgv(command)).toEqual(['/bin/sh', '-c', command]);
});

test('a list is taken as it is', () => {
  expect(toArgv(['node', 'a;b'])).toEqual(['node', 'a;b']);
});

test('a command that counts as one program does the same with exec as without', () => {
  const piece = fc.constantFrom(
    ...['a', ' ', '\t', ';', '&', '|', '<', '>', '(', ')', '`', '"', "'", '\\', '$', '{', '}', '#'],
    ...['$A', `\${A}`, `\${A:-b}`, '"', "'", '\n', '=', '*', '~', '!', 'x y', '$$', '$(', ':-'],
  );
  const line = fc.array(piece, { maxLength: 10 }).map((pieces) => pieces.join(''));
  // /usr/bin/env and not printf, which is part of the shell.
  const program = "env printf '[%s]'";
  fc.assert(
    fc.property(line, (rest) => {
      const command = `${program} ${rest}`;
      fc.pre(isSimpleCommand(command));
      expect(resultOf(['/bin/sh', '-c', `exec ${command}`])).toEqual(
        resultOf(['/bin/sh', '-c', command]),
      );
    }),
    { numRuns: 100 },
  );
});

function resultOf([file = '', ...args]: readonly string[]): unknown {
  const { status, stdout } = spawnSync(file, args, {
    encoding: 'utf8',
    env: { A: '1 2', PATH: process.env.PATH },
  });
  return { status, stdout };
}
