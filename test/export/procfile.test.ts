import { expect, test } from 'vitest';
import { toProcfile } from '../../src/export/procfile.ts';
import { byName, proposeFor } from '../init/read.ts';
import { sourceOf } from './read.ts';

function procfileOf(
  services: object,
  more: object = {},
  files: Readonly<Record<string, string>> = {},
) {
  return (
    toProcfile(sourceOf({ ...more, services }, { 'api/x': '', "it's/x": '', ...files })).files[0]
      ?.text ?? ''
  );
}

test.each([
  ['a command', { command: 'npm run dev' }, 'unset PORT; npm run dev'],
  [
    'a list',
    { command: ['node', 'x y', '$PORT', "it's"] },
    "unset PORT; node 'x y' '$''PORT' 'it'\\''s'",
  ],
  ['a folder', { command: 'x', cwd: 'api' }, 'cd api || exit; unset PORT; x'],
  ['variables', { command: 'x', env: { A: 'b c', PORT: 3000 } }, "export A='b c' PORT=3000; x"],
  [
    '$NAME, which ruby-foreman would replace too early',
    { command: 'x $PORT $$ "$A"', env: { PORT: 1 } },
    `export PORT=1; x \${PORT} $$ "\${A}"`,
  ],
])('a line of a Procfile: %s', (_name, service, expected) => {
  expect(procfileOf({ web: service }).trimEnd()).toBe(`web: ${expected}`);
});

test.each([
  ['dependsOn', { command: 'x', dependsOn: ['db'] }],
  ['ready', { command: 'x', ready: { tcp: 3000 } }],
  ['restart', { command: 'x', restart: 'always' }],
  ['limits', { command: 'x', limits: { openFiles: 99 } }],
  ['stop.signal', { command: 'x', stop: { signal: 'SIGINT' } }],
  ['oneShot', { command: 'x', oneShot: true }],
  ['autostart', { command: 'x', autostart: false }],
  ['command', { command: 'x\ny' }],
  ['env.API_KEY', { command: 'x', env: { API_KEY: 'hunter2' } }],
  ['B', { command: 'x', envFile: '.env' }],
  ['envFile', { command: 'x', envFile: 'api/.env' }],
])('what no Procfile has is a comment: %s', (key, service) => {
  const text = procfileOf(
    { db: { command: 'x' }, web: service },
    {},
    { '.env': 'A=b\nB=$A\n', 'api/.env': '' },
  );
  expect(text).toMatch(new RegExp(`^# web: ${key}: `, 'm'));
  expect(text).not.toContain('hunter2');
  // node-foreman refuses any other line.
  expect(text.split('\n').filter((line) => !/^(#.*|[\w-]+: .+|)$/.test(line))).toEqual([]);
});

test('init reads an exported Procfile back: commands, folders, variables, .env', () => {
  const services = {
    web: {
      command: 'npm run dev && x',
      cwd: 'api',
      env: { PORT: '3000', B: 'it\'s \\ "x" $HOME; y' },
      envFile: '.env',
    },
    api: { command: 'node server.js', cwd: "it's", envFile: '.env' },
    worker: { command: 'node worker.js "$A" a=b', envFile: '.env', env: { A: '' } },
  };
  const text = procfileOf(services, {}, { '.env': 'X=y\n' });
  const read = byName(proposeFor({ Procfile: text, '.env': 'X=y\n', 'api/x': '', "it's/x": '' }));
  expect(read).toEqual({
    ...services,
    worker: { ...services.worker, command: `node worker.js "\${A}" a=b` },
  });
});
