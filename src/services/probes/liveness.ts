import type { LivenessProbe } from '../../manifest/resolved.ts';
import { pauseBetweenAttempts } from './pause.ts';
import type { Probe } from './probe.ts';
import { attempt } from './readiness.ts';

/** What is told of the health of a service, by turns. */
export interface HealthListener {
  /** So many attempts in a row have failed. */
  lost(reason: string): void;
  /** The first attempt after that which has not. */
  regained(): void;
}

/**
 * Asks a service again and again whether it is well, beginning after the first pause.
 *
 * @param signal  aborted when nobody wants to know any more
 * @returns soon after that; does not throw
 */
export async function watchHealth(
  probe: Probe,
  { timeoutMs, intervalMs, failures }: LivenessProbe,
  signal: AbortSignal,
  listener: HealthListener,
): Promise<void> {
  const patient = { ...probe, attemptMs: timeoutMs };
  let failed = 0;
  let isWell = true;
  while (await pauseBetweenAttempts(intervalMs, signal)) {
    const answer = await attempt(patient, timeoutMs, signal);
    if (signal.aborted) return;
    failed = answer.kind === 'ok' ? 0 : failed + 1;
    if (answer.kind === 'ok') {
      if (!isWell) listener.regained();
      isWell = true;
    } else if (isWell && failed >= failures) {
      isWell = false;
      const times = failed === 1 ? 'once' : `${failed} times in a row`;
      listener.lost(`its liveness probe failed ${times}: ${answer.reason}`);
    }
  }
}
