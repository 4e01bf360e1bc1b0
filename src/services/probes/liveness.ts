import type { LivenessProbe } from '../../manifest/resolved.ts';
import { monotonicMs } from '../../processes/clock.ts';
import { pauseBetweenAttempts } from './pause.ts';
import type { Probe } from './probe.ts';
import { attempt } from './readiness.ts';

/** A listener to the health of a service. Its methods are called by turns. */
export interface HealthListener {
  /** Called when as many attempts in a row have failed as the manifest says; `reason`: "failed 3 times in a row: …". */
  lost(reason: string): void;
  /** Called at the first attempt after that which succeeds. */
  regained(): void;
}

/** An attempt that is cut off so much later than its time says nothing of the service, in ms. */
const LATE_MS = 1_000;

/**
 * Asks a service again and again whether it is well, beginning after the first pause. Never throws.
 *
 * @param signal  aborted to end the probe
 * @param wasWell  false: it is known not to be well, so its first success is told
 * @returns resolves soon after `signal` is aborted
 */
export async function watchHealth(
  probe: Probe,
  { timeoutMs, intervalMs, failures }: LivenessProbe,
  signal: AbortSignal,
  listener: HealthListener,
  wasWell = true,
): Promise<void> {
  const patient = { ...probe, attemptMs: timeoutMs };
  let failed = 0;
  let isWell = wasWell;
  while (await pauseBetweenAttempts(intervalMs, signal)) {
    const beganMs = monotonicMs();
    const answer = await attempt(patient, timeoutMs, signal);
    if (signal.aborted) return;
    // This process slept or starved, and perhaps the service did, too.
    const isLate = monotonicMs() - beganMs > timeoutMs + LATE_MS;
    if (answer.kind === 'cut' && isLate) continue;
    failed = answer.kind === 'ok' ? 0 : failed + 1;
    if (answer.kind === 'ok') {
      if (!isWell) listener.regained();
      isWell = true;
    } else if (isWell && failed >= failures) {
      isWell = false;
      const times = failed === 1 ? 'once' : `${failed} times in a row`;
      listener.lost(`failed ${times}: ${answer.reason}`);
    }
  }
}
