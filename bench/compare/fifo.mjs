// A pipe with a name, of which the bench has the reading end.
import { spawnSync } from 'node:child_process';
import { constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import path from 'node:path';

/** @returns { fifo, socket }: its path, and a stream that ends when the last process that writes has closed it */
export function openFifo(folder) {
  const fifo = path.join(folder, 'fifo');
  const made = spawnSync('mkfifo', [fifo]);
  if (made.status !== 0) throw new Error(`mkfifo: ${made.stderr}`);
  // Without O_NONBLOCK it would wait here for the first process that writes.
  const fd = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
  return { fifo, socket: new Socket({ fd, readable: true, writable: false }) };
}
