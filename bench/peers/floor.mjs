// The least that a launcher can do: a process group for each service, and a signal to each group. Nothing supervises.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const launcher = fileURLToPath(new URL('floor.pl', import.meta.url));

export const floor = {
  name: 'floor',
  isNoSupervisor: true,
  install: 'apt install perl',
  find: (look) => look('perl') && { program: look('perl'), version: 'kill(-pgid)' },
  prepare({ folder, services, grace, program }) {
    writeServices(folder, services);
    const command = (...words) => [program, launcher, ...words];
    return {
      env: {},
      start: command('start'),
      stop: command('stop', String(grace)),
      status: command('status'),
      quit: null,
    };
  },
  wrap: ({ program }, words) => [program, launcher, 'run', ...words],
  follow({ folder, services, program }) {
    writeServices(folder, services);
    return [program, launcher, 'up'];
  },
};

/** One service a line, its words between tabs. */
function writeServices(folder, services) {
  const lines = services.map(({ command }) => `${command.join('\t')}\n`);
  writeFileSync(path.join(folder, 'services'), lines.join(''));
}
