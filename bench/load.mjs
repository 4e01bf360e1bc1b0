// Something to start and stop that costs next to nothing itself: a shell and its sleeps.
import { spawn } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';

export const SERVICES = 6;
export const PROCESSES = 80;
export const EMERGENCY_PROCESSES = 300;

/**
 * Six services, each a shell with its children; one more process in some, so that the sum is right.
 *
 * @param more keys of the project. Without `settle` a start waits for nothing but what is measured.
 */
export function manifest(processes, more = { settle: 0 }) {
  const services = {};
  for (let index = 0; index < SERVICES; index += 1) {
    const extra = index < processes % SERVICES ? 1 : 0;
    const children = Math.floor(processes / SERVICES) + extra - 1;
    services[`service-${index}`] = {
      command: ['sh', '-c', `${sleeps(children)} echo up; wait`],
      ready: { log: 'up', interval: 10 },
    };
  }
  return { name: 'bench', ...more, services };
}

/**
 * As many services of one process each, which listens on a port of its own.
 *
 * @param areDeclared true: the ports are declared, so the services are ready, and watched, by them
 */
export function listeners(count, areDeclared) {
  const services = {};
  for (let index = 0; index < count; index += 1) {
    const port = FIRST_PORT + index;
    services[`service-${index}`] = {
      command: ['perl', '-MIO::Socket::INET', '-e', LISTENER, String(port)],
      ...(areDeclared ? { ports: [port] } : {}),
    };
  }
  return { name: 'bench', settle: 0, services };
}

/** Below the ports that the kernel gives to clients (ip_local_port_range of ip(7): from 32768). */
const FIRST_PORT = 28_400;
const LISTENER =
  'my $server = IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1", LocalPort => shift) or die; sleep 3600';

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
