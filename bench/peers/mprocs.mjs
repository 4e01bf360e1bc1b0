// mprocs: draws on a terminal, which script(1) gives it, and is stopped by its own control command.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { findNpm, shellWords } from './tools.mjs';

/** Of the control command. Another one each time, because a port that was just left cannot be had at once. */
let port = 27_000 + (process.pid % 500);

export const mprocs = {
  name: 'mprocs',
  install: 'npm i --prefix FOLDER mprocs',
  find: (look) => (look('script') ? findNpm('mprocs')(look) : null),
  prepare({ folder, services, program, look }) {
    port += 1;
    const server = `127.0.0.1:${port}`;
    const procs = services.map(({ name, command }) => [name, { cmd: command, stop: 'SIGTERM' }]);
    const file = path.join(folder, 'mprocs.yaml');
    writeFileSync(file, JSON.stringify({ server, procs: Object.fromEntries(procs) }));
    const draw = `stty rows 40 cols 120; exec ${shellWords([program, '-c', file])}`;
    return {
      env: { TERM: 'xterm-256color' },
      foreground: [look('script'), '-qefc', draw, '/dev/null'],
      stop: [program, '--server', server, '--ctl', '{c: quit}'],
      status: null,
      quit: null,
    };
  },
};
