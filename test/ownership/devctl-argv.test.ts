import { expect, test } from 'vitest';
import { isDevctl, isRunCommand } from '../../src/ownership/devctl-argv.ts';

test.each<[argv: string, expected: boolean]>([
  ['node /usr/local/bin/devctl start', true],
  ['/opt/node/bin/node /app/node_modules/devctl/bin/devctl.js stop --force', true],
  ['node bin/devctl.js start', true],
  ['node --inspect --require ./hook.cjs bin/devctl.js start', true],
  ['devctl devctl start', true],
  ['vim bin/devctl.js', false],
  ['vim /app/bin/devctl', false],
  ['node server.js /app/bin/devctl.js', false],
  ['node --require /app/bin/devctl.js server.js', false],
  ['node /app/my-devctl.js', false],
  ['tail -f devctl', false],
  ['node', false],
  ['', false],
])('%s: a devctl command? %s', (argv, expected) => {
  expect(isDevctl(argv.split(' '))).toBe(expected);
});

test.each([
  [['node', '/x/bin/devctl.js', 'run', 'npm'], true],
  [['/usr/bin/node', '/x/node_modules/.bin/devctl', '--config', 'a', 'run', '--', 'x'], true],
  [['node', '--enable-source-maps', '/x/bin/devctl.js', 'run', '--', 'x'], true],
  [['node', '/x/bin/devctl.js', 'stop', 'web', '--', 'run'], false],
  [['node', 'server.js', '/x/bin/devctl.js', 'run'], false],
  [['vim', 'bin/devctl.js', 'run'], false],
  [['node', 'server.js', 'run'], false],
  [[], false],
])('%j: a devctl run? %s', (argv, expected) => {
  expect(isRunCommand(argv)).toBe(expected);
});
