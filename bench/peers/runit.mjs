// runit: runsvdir above one runsv for each service. Its stop signals the main process of a service.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { findDebian, shellWords } from './tools.mjs';

export const runit = {
  name: 'runit',
  install: 'apt install runit',
  find: findDebian('runit', 'runsvdir', 'sv'),
  prepare({ folder, services, grace, program, look }) {
    for (const { name, command } of services) {
      const service = path.join(folder, 'service', name);
      mkdirSync(service, { recursive: true });
      script(path.join(service, 'run'), `exec >>../../log 2>&1\nexec ${shellWords(command)}`);
      // Else it would be started again.
      script(path.join(service, 'finish'), 'printf d >supervise/control');
    }
    const sv = look('sv');
    const start = `${program} -P service >log 2>&1 & echo $! >pid
      until ${sv} check ./service/* >/dev/null; do sleep 0.01; done`;
    const quit = 'read pid <pid; kill -HUP $pid; while kill -0 $pid; do sleep 0.01; done';
    return {
      env: {},
      start: ['sh', '-c', start],
      stop: ['sh', '-c', `${sv} -w ${grace} force-stop ./service/*`],
      status: ['sh', '-c', `${sv} status ./service/*`],
      quit: ['sh', '-c', quit],
    };
  },
};

function script(file, text) {
  writeFileSync(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
}
