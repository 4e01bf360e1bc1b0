// The oracle of the comparison: what the kernel says about the processes that hold a FIFO and a marker file open.
//
// Each process of a service holds both. It writes one byte into the FIFO when it is there, and the FIFO ends when no
// process has it open any more: two events, in microseconds, that know none of the tools. The second opinion comes
// from the marker: a lease (fcntl(2)), which the kernel gives only where no other process has the file open, and
// /proc/*/fd, which names the processes.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { openFifo } from './fifo.mjs';

const crowd = fileURLToPath(new URL('crowd.pl', import.meta.url));
const lease = fileURLToPath(new URL('lease.pl', import.meta.url));

/** How long processes may take to come, and to go when they were asked to, in ms. */
const DEADLINE_MS = { come: 60_000, go: 20_000 };

const SERVICES = 6;

/** Makes a FIFO and a marker in `folder`. */
export function openHolders(folder) {
  const marker = path.join(folder, 'marker');
  writeFileSync(marker, '');
  const { fifo, socket } = openFifo(folder);
  let born = 0;
  let wanted = Number.POSITIVE_INFINITY;
  const all = moment();
  const none = moment();
  socket.on('data', (bytes) => {
    born += bytes.length;
    if (born >= wanted) all.come();
  });
  socket.once('end', none.come);
  socket.once('error', none.come);
  return {
    /** The services of a crowd of `count`. One more process in some, so that the sum is right. */
    services(count) {
      wanted = count;
      return Array.from({ length: SERVICES }, (_, index) => {
        const size = Math.floor(count / SERVICES) + (index < count % SERVICES ? 1 : 0);
        return {
          name: `service-${index}`,
          command: ['/usr/bin/perl', crowd, fifo, marker, String(size)],
        };
      });
    },
    /** Resolves with the time at which the last process had come. */
    allUp: () => inTime(all.at, DEADLINE_MS.come, () => `of ${wanted} processes came ${born}`),
    /** Resolves with the time at which the last process had gone; null where some stay. */
    noneLeft: () => inTime(none.at, DEADLINE_MS.go, null),
    marker,
    isHeld: () => isHeld(marker),
    close: () => socket.destroy(),
  };
}

/** Asks for a lease on the marker. @returns null where the file system has none */
function isHeld(marker) {
  const { status } = spawnSync('/usr/bin/perl', [lease, marker]);
  return status === 2 ? null : status === 1;
}

function moment() {
  let come;
  const at = new Promise((resolve) => {
    come = () => resolve(performance.now());
  });
  return { at, come };
}

/** @param complaint makes the message of the error; null: resolves with null when time is up */
async function inTime(promise, ms, complaint) {
  let timer;
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(() => (complaint ? reject(new Error(complaint())) : resolve(null)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
