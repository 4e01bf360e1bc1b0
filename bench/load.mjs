// Something to start and stop that costs next to nothing itself: a shell and its sleeps.
import { spawn } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';

export const SERVICES = 6;
export const PROCESSES = 80;
export const EMERGENCY_PROCESSES = 300;

/** Six services, each a shell with its children; one more process in some, so that the sum is right. */
export function manifest(processes) {
  const services = {};
  for (let index = 0; index < SERVICES; index += 1) {
    const extra = index < processes % SERVICES ? 1 : 0;
    const children = Math.floor(processes / SERVICES) + extra - 1;
    services[`service-${index}`] = {
      command: ['sh', '-c', `${sleeps(children)} echo up; wait`],
      ready: { log: 'up', interval: 10 },
    };
  }
  return { name: 'bench', services };
}

/** Starts `count` processes and waits until `present()` says that they are there. */
export async function startCrowd(count, options, present) {
  const script = `${sleeps(count - 1)} wait`;
  spawn('sh', ['-c', script], { ...options, detached: true, stdio: 'ignore' }).unref();
  const deadline = performance.now() + 30_000;
  while (present() < count) {
    if (performance.now() > deadline) throw new Error(`${count} processes did not come up`);
    await setTimeout(50);
  }
}

function sleeps(count) {
  return `i=0; while [ $i -lt ${count} ]; do sleep 3600 & i=$((i+1)); done;`;
}
