import { constants } from 'node:os';
import type { Identity } from '../processes/identity.ts';
import { exitOfZombie } from '../processes/linux/zombie.ts';
import { loadNative } from '../processes/native/native.ts';
import type { Exit } from '../project/service-record.ts';

/** How often to look for the end of a process where the system does not tell it, in ms. */
const LOOK_MS = 500;

/** Reads how a process has ended that was no child of ours; 'alive': it has not. */
export function recordedExit({ pid, startTicks }: Identity): Exit | 'alive' {
  const end = exitOfZombie(pid, startTicks);
  if (end === 'alive') return end;
  if (end === null) return { code: null, signal: null };
  return { code: end.code, signal: end.signal === null ? null : signalName(end.signal) };
}

function signalName(number: number): string {
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return found?.[0] ?? `signal ${number}`;
}

/** Resolves when a process has ended that is no child of ours, with its exit as far as it can be known. Never rejects. */
export async function whenEnded(identity: Identity): Promise<Exit> {
  const native = await loadNative();
  const watch = native.available ? native.endWatch() : null;
  for (;;) {
    const ended = new Promise<void>((resolve) => {
      if (!watch?.watch(identity.pid, resolve)) setTimeout(resolve, LOOK_MS).unref();
    });
    const exit = recordedExit(identity);
    if (exit !== 'alive') return exit;
    await ended;
  }
}
