import { DevctlError } from '../../errors.ts';
import { readRecord } from '../../project/records.ts';
import { pauseBetweenAttempts } from '../../services/probes/pause.ts';
import type { ServiceEntry, ServiceTable, ServiceTableContext } from './entry.ts';

/** How long to wait before the next attempt to take the lock from the command that holds it. */
const LOCK_RETRY_MS = 100;

/** How long to wait after the project could not be locked: a full disk does not go away sooner. */
const DISK_RETRY_MS = 1_000;

/**
 * Starts a service again after the pause, as soon as no other devctl is at work in the project: a start
 * must not take the new run for a left-over, and a stop must not miss it. When the project cannot be
 * locked because its disk is full, it waits until it can: the service that has just ended has often
 * filled the disk.
 *
 * @throws DevctlError when the project cannot be locked for another reason, or its records are gone
 */
export async function respawn(
  context: ServiceTableContext,
  entry: ServiceEntry,
  { run, pauseMs, signal }: { run: number; pauseMs: number; signal: AbortSignal },
  dispatch: ServiceTable['dispatch'],
): Promise<void> {
  const { name, record } = entry;
  await pauseBetweenAttempts(pauseMs, signal);
  while (!signal.aborted) {
    let release: (() => void) | null;
    try {
      release = await context.takeLock();
    } catch (error) {
      // In a project whose records are gone, nothing is ever started again.
      const isGone = readRecord(context.folder, name).kind === 'missing';
      if (isGone || !(error instanceof DevctlError && error.code === 'records-unwritable')) {
        throw error;
      }
      context.log(`${name}: not started again yet: ${error.message}`);
      await pauseBetweenAttempts(DISK_RETRY_MS, signal);
      continue;
    }
    if (release === null) {
      await pauseBetweenAttempts(LOCK_RETRY_MS, signal);
      continue;
    }
    try {
      // A start or a stop came while this waited for the lock: its order counts.
      if (signal.aborted) return;
      // Read the record only now, with the lock held. A removed record means that a stop has proved the
      // end of the service.
      const read = readRecord(context.folder, name);
      const isGone = read.kind === 'missing';
      if (isGone || (read.kind === 'record' && read.record.runId !== record?.runId)) {
        context.log(`${name}: not started again: its record was removed`);
        await dispatch(name, { kind: 'stopped', run });
        if (entry.state.kind === 'idle') entry.record = null;
        return;
      }
      await dispatch(name, { kind: 'pauseOver', run });
      // The answer to the spawn is in the queue. Once it is handled, the record has the new leader.
      await entry.queue;
    } finally {
      release();
    }
    return;
  }
}
