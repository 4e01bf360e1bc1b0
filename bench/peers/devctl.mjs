// This repository's devctl.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const launcher = path.join(root, 'bin', 'devctl.js');

/** Its start waits for nothing, as that of most others. */
export const devctl = { ...adapter('devctl', { settle: 0 }), wrap, follow };

/** Its start waits `settle`, 1 s, for services that end at once. */
export const devctlSettling = { ...adapter('devctl (default)', {}), twinOf: 'devctl' };

function adapter(name, keys) {
  return {
    name,
    install: 'npm ci && npm run build',
    find: () => ({ program: launcher, version: version() }),
    prepare({ folder, services, grace }) {
      write(folder, services, { ...keys, stopGrace: `${grace}s` });
      return {
        env: { XDG_STATE_HOME: path.join(folder, 'state') },
        start: command('start'),
        stop: command('stop'),
        status: command('status'),
        quit: null,
      };
    },
  };
}

function wrap(_, words) {
  return command('run', '--', ...words);
}

function follow({ folder, services }) {
  write(folder, services, { settle: 0 });
  return command('up');
}

function write(folder, services, keys) {
  const entries = services.map(({ name, command: words }) => [name, { command: words }]);
  const content = { name: 'bench', ...keys, services: Object.fromEntries(entries) };
  writeFileSync(path.join(folder, '.devctl.json'), JSON.stringify(content));
}

function command(...words) {
  return [process.execPath, launcher, ...words];
}

function version() {
  return JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')).version;
}
