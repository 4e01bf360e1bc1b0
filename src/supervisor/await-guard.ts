import { Socket } from 'node:net';
import type { Identity } from '../processes/identity.ts';
import type { ProcessTable } from '../processes/table.ts';

/** The last argument of a supervisor that was started by a guard. */
export const GUARDED = '--guarded';
/** What a guard says that holds, and its pid; anything else is why it does not. */
export const HELD = 'held';
/** The descriptor on which it says so. */
const GUARD_FD = 4;
/** As long as the native calls of the guard may take to load, and some more. */
const GUARD_MS = 5_000;

/**
 * Waits until our guard has become what it is to be: its end of the pipe closes with execve(2).
 *
 * @returns null where there is none, and why
 */
export async function awaitGuard(
  table: ProcessTable,
): Promise<{ readonly guard: Identity | null; readonly why: string | null }> {
  const said = await readToEnd(new Socket({ fd: GUARD_FD, readable: true, writable: false }));
  const last = said.trimEnd().split('\n').at(-1);
  const parent = await table.read(process.ppid);
  // Once it is gone, our parent is another one.
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
      text = `it has not answered within ${GUARD_MS} ms`;
      settle();
    }, GUARD_MS);
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('error', settle).on('close', settle);
  });
}
