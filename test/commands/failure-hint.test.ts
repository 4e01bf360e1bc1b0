import { expect, test } from 'vitest';
import { failureHint } from '../../src/commands/failure-hint.ts';
import { folderWith } from '../manifest/folder.ts';

const CRLF = "#!/bin/sh\r\necho 'x'\r\n";

test.each<
  [name: string, command: string | readonly string[], lines: readonly string[], hint: RegExp | null]
>([
  [
    'a program of node_modules, dash',
    'vite',
    ['/bin/sh: 1: vite: not found'],
    /^vite is in .*node_modules\/\.bin: "command": "npx vite …" starts it$/,
  ],
  ['the same, bash', 'vite --port 1', ['/bin/sh: line 1: vite: command not found'], /npx vite/],
  ['a program that is nowhere', 'vote', ['/bin/sh: 1: vote: not found'], null],
  ['another failure', 'vite', ['vite: something was not found here', 'exit'], null],
  [
    'a script with CRLF, as a list',
    ['./run.sh'],
    [],
    /^the first line of \.\/run\.sh ends in CRLF.*sed -i 's\/\\r\$\/\/' \/.*\/run\.sh$/,
  ],
  ['a script with CRLF, as a text', './run.sh --now', ['/bin/sh: 1: ./run.sh: not found'], /CRLF/],
  ['behind other words', 'true && ./run.sh', ['/bin/sh: 1: ./run.sh: not found'], /CRLF/],
  ['a good script', './good.sh', [], null],
  ['no file', './none.sh', ['/bin/sh: 1: ./none.sh: not found'], null],
])('%s', (_name, command, lastLines, hint) => {
  const root = folderWith({
    'node_modules/.bin/vite': '',
    'web/run.sh': CRLF,
    'web/good.sh': CRLF.replaceAll('\r', ''),
  });
  const found = failureHint({ lastLines }, { command, cwd: `${root}/web` });
  if (hint === null) expect(found).toBeNull();
  else expect(found).toMatch(hint);
});
