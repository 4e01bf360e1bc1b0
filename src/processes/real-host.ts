import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from './clock.ts';
import type { Host } from './host.ts';
import { killGroup } from './linux/control-groups.ts';
import { loadNative } from './native/native.ts';
import type { Pidfd } from './native/pidfd.ts';
import { openProcessTable } from './open-table.ts';
import { signalProcess, signalProcessGroup } from './signals.ts';
import type { ProcessTable } from './table.ts';

/**
 * Opens the door to this machine.
 *
 * Signals go through pidfds where the native calls load. They load with the first signal, so
 * that a command that only looks does not wait for them.
 */
export function openHost(table: ProcessTable = openProcessTable()): Host {
  return {
    snapshot: () => table.snapshot(),
    read: (pid) => table.read(pid),
    scanDescending: (visit) => table.scanDescending(visit),
    async signal(target, signal) {
      const pidfd = table.kind === 'proc' ? await loadPidfd() : null;
      return signalProcess(table, pidfd, target, signal);
    },
    maySignal: (target) => signalProcess(table, null, target, 0),
    signalGroup: (pgid, member, signal) => signalProcessGroup(table, pgid, member, signal),
    killGroup,
    async self() {
      const self = await table.read(process.pid);
      if (self === null) throw new Error(`the process table does not list us (${process.pid})`);
      return self.identity;
    },
    nowMs: monotonicMs,
    delay: (ms) => delay(ms),
  };
}

async function loadPidfd(): Promise<Pidfd | null> {
  const native = await loadNative();
  return native.available ? native.pidfd : null;
}
