import type { ProbeCheck } from '../../manifest/resolved.ts';
import { timeInWords } from '../../manifest/units.ts';
import { pauseBetweenAttempts } from './pause.ts';
import type { Probe } from './probe.ts';

/** Creates the probe that succeeds when the service is still alive after some time. It proves nothing else. */
export function delayProbe(check: Extract<ProbeCheck, { kind: 'delay' }>): Probe {
  return {
    attemptMs: Number.POSITIVE_INFINITY,
    attempt: async (signal) =>
      (await pauseBetweenAttempts(check.delayMs, signal))
        ? { kind: 'ok' }
        : { kind: 'cut', reason: `its delay of ${timeInWords(check.delayMs)} is not over` },
  };
}
