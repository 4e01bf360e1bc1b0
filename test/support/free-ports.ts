import { createServer } from 'node:net';

/**
 * Ports below those that the kernel gives to connections and to `listen(0)` (ip_local_port_range, ip(7): from 32768 on):
 * between the choice of a port and its use another test would get it. Each worker of vitest has a part of its own.
 */
const FIRST = 12_000;
const PER_WORKER = 2_000;
const WORKERS = 10;
const worker = Number(process.env.VITEST_POOL_ID ?? 0) % WORKERS;
let next = Math.floor(Math.random() * PER_WORKER);

/** Finds different ports of 127.0.0.1 on which no process listens now. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  for (let tries = 0; ports.length < count && tries < PER_WORKER; tries += 1) {
    next = (next + 1) % PER_WORKER;
    const port = FIRST + worker * PER_WORKER + next;
    if (await canBind(port)) ports.push(port);
  }
  if (ports.length < count) throw new Error(`of ${PER_WORKER} ports ${ports.length} are free`);
  return ports;
}

/** Finds one port on which no process listens now. */
export async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1);
  return port;
}

/** True when a server can listen on this port of 127.0.0.1 now. */
export async function canBind(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
