// nf, the foreman of Node: runs a Procfile in the foreground, and ends with Ctrl-C.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { findNpm, shellWords } from './tools.mjs';

export const nf = {
  name: 'nf',
  install: 'npm i --prefix FOLDER foreman',
  find: findNpm('nf'),
  isAlone: true,
  prepare({ folder, services, program }) {
    return {
      env: {},
      foreground: start(folder, services, program),
      stop: null,
      status: null,
      quit: null,
    };
  },
  wrap: ({ program }, words) => [program, 'run', ...words],
  follow: ({ folder, services, program }) => start(folder, services, program),
};

function start(folder, services, program) {
  const lines = services.map(({ name, command }) => `${name}: ${shellWords(command)}\n`);
  const file = path.join(folder, 'Procfile');
  writeFileSync(file, lines.join(''));
  return [program, 'start', '-j', file];
}
