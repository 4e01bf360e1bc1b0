import { DevctlError } from '../../errors.ts';
import { readRecord } from '../../project/records.ts';
import { pauseBetweenAttempts } from '../../services/probes/pause.ts';
import type { ServiceEntry, ServiceTable, ServiceTableContext } from './entry.ts';

/** How often to ask whether the command that is at work in the project has let go. */
const TURN_MS = 100;

/** A full disk does not go away as soon. */
const UNWRITABLE_MS = 1_000;

/**
 * Starts a service again after the pause, as soon as no other devctl is at work in the project: a
 * start must not take the new run for a left-over, and a stop must not miss it. Where the project cannot be locked
 * (its disk is full) it waits until it can: what filled the disk is often what has just ended.
 *
 * @throws DevctlError where it cannot be locked for another reason, or its records are gone
 */
export async function respawn(
  context: ServiceTableContext,
  target: ServiceEntry,
  { run, pauseMs, signal }: { run: number; pauseMs: number; signal: AbortSignal },
  dispatch: ServiceTable['dispatch'],
): Promise<void> {
  const { name, record } = target;
  await pauseBetweenAttempts(pauseMs, signal);
  while (!signal.aborted) {
    let release: (() => void) | null;
    try {
      release = await context.takeLock();
    } catch (error) {
      // Of a project whose folder is gone nothing is ever started again.
      const isGone = readRecord(context.folder, name).kind === 'missing';
      if (isGone || !(error instanceof DevctlError && error.code === 'records-unwritable')) {
        throw error;
      }
      context.log(`${name}: not started again yet: ${error.message}`);
      await pauseBetweenAttempts(UNWRITABLE_MS, signal);
      continue;
    }
    if (release === null) {
      await pauseBetweenAttempts(TURN_MS, signal);
      continue;
    }
    try {
      // Whoever has asked for it, or against it, while we took our turn knows better.
      if (signal.aborted) return;
      // Not before: with a record that was removed somebody has proved that he ended the service.
      const read = readRecord(context.folder, name);
      const isGone = read.kind === 'missing';
      if (isGone || (read.kind === 'record' && read.record.runId !== record?.runId)) {
        context.log(`${name}: not started again: its record was removed`);
        await dispatch(name, { kind: 'stopped', run });
        if (target.state.kind === 'idle') target.record = null;
        return;
      }
      await dispatch(name, { kind: 'pauseOver', run });
      // The answer to the spawn was queued meanwhile: with it, the record has the new leader.
      await target.queue;
    } finally {
      release();
    }
    return;
  }
}
