import { constants } from 'node:os';
import type { Identity } from './identity.ts';
import { parseStat } from './linux/stat.ts';
import { exitOfZombie } from './linux/zombie.ts';
import { loadNative } from './native/native.ts';
import { noteAwaited } from './own-children.ts';
import { readProcLine } from './proc-file.ts';

/** How a process has ended. Both null: nobody can know any more. */
interface KnownExit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** The numbers that name a process on Linux, for as long as this machine runs. */
type Place = Pick<Identity, 'pid' | 'startTicks'>;

/** How often to look for the end of a process where the system does not tell it, in ms. */
const LOOK_MS = 500;

/** Reads how a process has ended that is no child of ours; 'alive': it has not. */
export function recordedExit({ pid, startTicks }: Place): KnownExit | 'alive' {
  const end = exitOfZombie(pid, startTicks);
  if (end === 'alive') return end;
  if (end === null) return { code: null, signal: null };
  return { code: end.code, signal: end.signal === null ? null : signalName(end.signal) };
}

function signalName(number: number): string {
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return found?.[0] ?? `signal ${number}`;
}

/**
 * Resolves when a process has ended that is no child of ours, with its exit as far as it can be known. Never rejects.
 * Until then nobody in this process reaps it.
 */
export function whenEnded(place: Place): Promise<KnownExit> {
  const ended = awaitEnd(place);
  noteAwaited(place.pid, ended);
  return ended;
}

/** Does the same for a process that has this number now. */
export function whenPidEnded(pid: number): Promise<KnownExit> {
  const startTicks = parseStat(readProcLine(`/proc/${pid}/stat`) ?? '')?.startTicks;
  return whenEnded({ pid, startTicks: startTicks ?? -1 });
}

async function awaitEnd(place: Place): Promise<KnownExit> {
  const native = await loadNative();
  const watch = native.available ? native.endWatch() : null;
  for (;;) {
    const ended = new Promise<void>((resolve) => {
      if (!watch?.watch(place.pid, resolve)) setTimeout(resolve, LOOK_MS).unref();
    });
    const exit = recordedExit(place);
    if (exit !== 'alive') return exit;
    await ended;
  }
}
