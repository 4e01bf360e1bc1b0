import { expect, test } from 'vitest';
import { readDefinitions } from '../../src/manifest/definition.ts';
import { loadManifest } from '../../src/manifest/load.ts';
import { folderWith } from './folder.ts';

const SERVICE = {
  command: 'npm run dev',
  env: { A: '1', B: 'x' },
  envFile: 'web.env',
};
const FILES = { 'web.env': 'TOKEN=$HOME/t\nPORT=1\n', 'all.env': 'LEVEL=debug\n' };

/** The definition of `web` in a project with these changes, as `start` reads it. */
function definition(
  service: object = {},
  project: object = {},
  files: Readonly<Record<string, string>> = {},
  env: Readonly<Record<string, string>> = {},
) {
  const services = { web: { ...SERVICE, ...service }, db: { command: 'db' } };
  const manifest = { envFile: 'all.env', services, ...project };
  const root = folderWith({ '.devctl.json': manifest, ...FILES, ...files });
  const loaded = loadManifest({ cwd: root, env });
  // `status` reads the files without a validation, and must come to the same.
  const place = { file: loaded.file, root: loaded.root, local: null, trusted: true };
  expect(readDefinitions(place, ['web']).get('web')).toEqual(loaded.definitions.web);
  return loaded.definitions.web ?? {};
}

function changes(after: Readonly<Record<string, string>>): readonly string[] {
  const before = definition();
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].filter((key) => before[key] !== after[key]).sort();
}

test.each([
  ['the command', { command: 'npm start' }, ['command']],
  ['the command as a list', { command: ['npm', 'run', 'dev'] }, ['command']],
  ['cwd', { cwd: '.' }, ['cwd']],
  ['a variable', { env: { A: '2', B: 'x' } }, ['env']],
  ['one variable more', { env: { A: '1', B: 'x', C: '' } }, ['env']],
  ['stdin', { stdin: 'null' }, ['stdin']],
  ['color', { color: 'never' }, ['color']],
  ['openFiles', { limits: { openFiles: 4096 } }, ['limits.openFiles']],
  ['core', { limits: { core: '1MB' } }, ['limits.core']],
] as const)('the process sees %s', (_name, service, expected) => {
  expect(changes(definition(service))).toEqual(expected);
});

test.each([
  ['variables in another order', { env: { B: 'x', A: '1' } }],
  ['a variable as a number', { env: { A: 1, B: 'x' } }],
  ['another name of an env file with the same text', { envFile: './web.env' }],
  ['limits', { limits: { memory: '1GB' } }],
  ['probes', { ready: { delay: '1s' }, live: { tcp: 4000 } }],
  ['policies', { restart: 'always', stop: { grace: '9s' }, autostart: false }],
  ['dependencies and ports', { dependsOn: ['db'], ports: [4000] }],
] as const)('the process does not see %s', (_name, service) => {
  expect(changes(definition(service))).toEqual([]);
});

test('what the whole project sets counts for each service', () => {
  expect(changes(definition({}, { env: { LEVEL: 'info' } }))).toEqual(['env']);
  expect(changes(definition({}, { color: 'never' }))).toEqual(['color']);
  expect(changes(definition({}, { stopGrace: '9s', name: 'other' }))).toEqual([]);
  expect(changes(definition({}, {}, { 'all.env': 'LEVEL=info\n' }))).toEqual(['envFile']);
});

test('env files count as they are written: not their comments, and not what the caller has', () => {
  const commented = '# for me\n\nexport TOKEN="$HOME/t" # again\nPORT=1\n';
  expect(changes(definition({}, {}, { 'web.env': commented }))).toEqual([]);
  expect(changes(definition({}, {}, {}, { HOME: '/elsewhere' }))).toEqual([]);
  const swapped = 'PORT=1\nTOKEN=$HOME/t\n';
  expect(changes(definition({}, {}, { 'web.env': swapped }))).toEqual(['envFile']);
  const other = 'TOKEN=$HOMES/t\nPORT=1\n';
  expect(changes(definition({}, {}, { 'web.env': other }))).toEqual(['envFile']);
});

test('a definition that cannot be read is none', () => {
  const root = folderWith({
    '.devctl.json': {
      services: { web: { command: 'a', envFile: 'gone.env' }, db: { command: 'b' } },
    },
  });
  const place = { file: `${root}/.devctl.json`, root, local: null, trusted: true };
  const read = readDefinitions(place, ['web', 'db', 'unknown']);
  expect(read.get('web')).toBeNull();
  expect(read.get('db')).toEqual({ command: '"b"' });
  expect(read.get('unknown')).toBeNull();
  const broken = folderWith({ '.devctl.json': '{"services": {"web": {"command": "a"' });
  const there = { file: `${broken}/.devctl.json`, root: broken, local: null, trusted: true };
  expect(readDefinitions(there, ['web']).get('web')).toBeNull();
});
