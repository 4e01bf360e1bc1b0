// concurrently: runs in the foreground, and ends with Ctrl-C.
import { findNpm, shellWords } from './tools.mjs';

export const concurrently = {
  name: 'concurrently',
  install: 'npm i --prefix FOLDER concurrently',
  find: findNpm('concurrently'),
  prepare({ services, grace, program }) {
    return {
      env: {},
      foreground: [program, '--kill-timeout', String(grace * 1000), ...commandsOf(services)],
      stop: null,
      status: null,
      quit: null,
    };
  },
  wrap: ({ program }, words) => [program, shellWords(words)],
  follow: ({ services, program }) => [program, ...commandsOf(services)],
};

function commandsOf(services) {
  const names = services.map(({ name }) => name).join(',');
  return ['--names', names, ...services.map(({ command }) => shellWords(command))];
}
