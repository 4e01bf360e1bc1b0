import { setTimeout as pass } from 'node:timers/promises';
import type { HoldRequest, SupervisedStopRequest } from '../../client/protocol.ts';
import { DevctlError, inWords } from '../../errors.ts';
import type { StopReport } from '../../stopping/report.ts';
import type { Stream } from './server.ts';

export interface ForegroundHoldsContext {
  /** Stops, in this process, what a holder wanted to be stopped. */
  readonly stop: (request: SupervisedStopRequest, why: string) => Promise<StopReport>;
  readonly log: (line: string) => void;
}

/** Those who keep services up only for as long as they live: `devctl up`. */
export interface ForegroundHolds {
  /** Lasts until the holder has hung up; if he has not released his hold before, he has died. */
  hold(request: HoldRequest, stream: Stream): Promise<void>;
  /** @returns was there such a hold? */
  release(id: string): boolean;
}

/** For the log, and for the report. */
const WHY = 'its devctl up has died';
/** Another command may be at work just then. */
const TRIES = 30;
const AGAIN_MS = 1_000;

/**
 * `devctl up` ends with everything that it has started. Killed, it cannot see to that itself; its end of
 * the connection closes then, however it died.
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
        await pass(AGAIN_MS);
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
