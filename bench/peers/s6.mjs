// s6: s6-svscan above one s6-supervise for each service. Its stop signals the main process of a service.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { findDebian, shellWords } from './tools.mjs';

export const s6 = {
  name: 's6',
  install: 'apt install s6',
  find: findDebian('s6', 's6-svscan', 's6-svc', 's6-svwait', 's6-svstat', 's6-svscanctl'),
  prepare({ folder, services, grace, program, look }) {
    for (const { name, command } of services) {
      const service = path.join(folder, 'service', name);
      mkdirSync(service, { recursive: true });
      script(path.join(service, 'run'), `exec >>../../log 2>&1\nexec ${shellWords(command)}`);
      // 125: the service is not started again.
      script(path.join(service, 'finish'), 'exit 125');
      writeFileSync(path.join(service, 'timeout-kill'), `${grace * 1000}\n`);
    }
    const start = `${program} service >log 2>&1 & echo $! >pid
      for one in service/*; do until ${look('s6-svok')} $one; do sleep 0.01; done; done`;
    const stop = `for one in service/*; do ${look('s6-svc')} -d $one; done
      exec ${look('s6-svwait')} -D -t ${(grace + 5) * 1000} service/*`;
    const status = `for one in service/*; do ${look('s6-svstat')} $one; done`;
    const quit = `${look('s6-svscanctl')} -t service; read pid <pid; while kill -0 $pid; do sleep 0.01; done`;
    return {
      env: {},
      start: ['sh', '-c', start],
      stop: ['sh', '-c', stop],
      status: ['sh', '-c', status],
      quit: ['sh', '-c', quit],
    };
  },
};

function script(file, text) {
  writeFileSync(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
}
