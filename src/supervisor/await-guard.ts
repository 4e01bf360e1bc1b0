import { Socket } from 'node:net';
import type { Identity } from '../processes/identity.ts';
import type { ProcessTable } from '../processes/table.ts';

/** The last argument of a supervisor that was started by a guard. */
export const GUARDED = '--guarded';
/** The word of a guard that holds, before its pid. Any other text is the reason why it does not. */
export const HELD = 'held';
/** The descriptor on which a guard says so. */
const GUARD_FD = 4;
/** Longest wait for the guard: the time in which its native calls load, and some more. */
const GUARD_MS = 5_000;

/**
 * Waits until our guard has become `sleep`: execve(2) closes its end of the pipe.
 *
 * @returns a guard of null, and the reason, where there is none
 */
export async function awaitGuard(
  table: ProcessTable,
): Promise<{ readonly guard: Identity | null; readonly why: string | null }> {
  const said = await readToEnd(new Socket({ fd: GUARD_FD, readable: true, writable: false }));
  const last = said.trimEnd().split('\n').at(-1);
  const parent = await table.read(process.ppid);
  // Once the guard is gone, another process is our parent.
  if (parent !== null && last === `${HELD} ${parent.identity.pid}`) {
    return { guard: parent.identity, why: null };
  }
  return { guard: null, why: last?.startsWith(HELD) ? 'it was ended' : last || 'it ended at once' };
}

function readToEnd(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const settle = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(text);
    };
    const timer = setTimeout(() => {
      text = `it has not answered within ${GUARD_MS / 1_000} s`;
      settle();
    }, GUARD_MS);
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('error', settle).on('close', settle);
  });
}
