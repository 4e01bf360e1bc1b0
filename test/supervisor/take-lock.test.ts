import { expect, test } from 'vitest';
import { isDevctl } from '../../src/supervisor/take-lock.ts';

test.each<[argv: string, expected: boolean]>([
  ['node /usr/local/bin/devctl start', true],
  ['/opt/node/bin/node /app/node_modules/devctl/bin/devctl.js stop --force', true],
  ['node bin/devctl.js start', true],
  ['vim bin/devctl.js', false],
  ['vim /app/bin/devctl', false],
  ['node server.js /app/bin/devctl.js', false],
  ['node /app/my-devctl.js', false],
  ['tail -f devctl', false],
  ['node', false],
  ['', false],
])('the holder of a lock may be ended as devctl: %s', (argv, expected) => {
  expect(isDevctl(argv.split(' '))).toBe(expected);
});
