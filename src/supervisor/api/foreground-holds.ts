import { setTimeout as delay } from 'node:timers/promises';
import type { HoldRequest, SupervisedStopRequest } from '../../client/protocol.ts';
import { DevctlError, inWords } from '../../errors.ts';
import type { StopReport } from '../../stopping/report.ts';
import type { Stream } from './server.ts';

export interface ForegroundHoldsContext {
  /** Stops, in this process, what a dead `devctl up` would have stopped. */
  readonly stop: (request: SupervisedStopRequest, why: string) => Promise<StopReport>;
  readonly log: (line: string) => void;
}

/** The foreground holds: each keeps services up for as long as a `devctl up` lives. */
export interface ForegroundHolds {
  /**
   * Lasts until the connection closes. A holder that has not released its hold before has died, and its
   * services are stopped.
   */
  hold(request: HoldRequest, stream: Stream): Promise<void>;
  /** @returns true when there was such a hold */
  release(id: string): boolean;
}

/** The reason of such a stop, for the log and for the report. */
const WHY = 'its devctl up has died';
/** Attempts to stop, because another command may hold the project lock. */
const TRIES = 30;
const RETRY_MS = 1_000;

/**
 * `devctl up` stops everything that it has started when it ends. When it was killed it cannot, but the
 * kernel closes its end of the connection, however it died.
 */
export function createForegroundHolds({ stop, log }: ForegroundHoldsContext): ForegroundHolds {
  const held = new Set<string>();

  const stopFor = async ({ id, ...request }: HoldRequest): Promise<void> => {
    for (let tries = 1; tries <= TRIES; tries += 1) {
      try {
        const { processes, survivors } = await stop(request, WHY);
        log(`${WHY}: ${processes.length} ended, ${survivors.length} left`);
        return;
      } catch (error) {
        log(`stopping for a devctl up that has died (${id}): ${inWords(error)}`);
        if (!(error instanceof DevctlError && error.code === 'locked')) return;
        await delay(RETRY_MS);
      }
    }
  };

  return {
    async hold(request, stream) {
      held.add(request.id);
      stream.write({ type: 'held' });
      await stream.closed;
      if (held.delete(request.id)) await stopFor(request);
    },
    release: (id) => held.delete(id),
  };
}
