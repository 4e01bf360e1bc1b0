import type { ReadinessProbe } from '../../manifest/resolved.ts';
import { monotonicMs } from '../../processes/clock.ts';
import { pauseBetweenAttempts } from './pause.ts';
import type { Probe, ProbeAnswer } from './probe.ts';

/** How the wait for a service to be ready ended. */
export type Readiness =
  | { readonly kind: 'ready'; readonly tookMs: number }
  /** `lastReason`: the reason of the last attempt that got an answer. */
  | { readonly kind: 'timed-out'; readonly lastReason: string }
  | { readonly kind: 'aborted' };

/** Longest time of one attempt before the service has answered for the first time, in ms. */
const FIRST_ANSWER_MS = 30_000;

/**
 * Asks until the service is ready, or the time is up. Never throws.
 *
 * @param timing  `timeoutMs` from now on for all attempts, `intervalMs` between two attempts, `attemptTimeoutMs` for one
 *   attempt; null: until it has answered once, half a minute, because the first answer of a dev server may wait for its
 *   first build; then as the probe says
 * @param signal  aborted when the process has ended, or is to end
 * @param onAnswer called with the reason of each attempt that has not succeeded
 * @returns resolves soon after `signal` is aborted
 */
export async function waitUntilReady(
  probe: Probe,
  timing: Pick<ReadinessProbe, 'timeoutMs' | 'intervalMs'> &
    Partial<Pick<ReadinessProbe, 'attemptTimeoutMs'>>,
  signal: AbortSignal,
  onAnswer: (reason: string) => void = () => {},
): Promise<Readiness> {
  const startedMs = monotonicMs();
  let lastReason: string | null = null;
  let hasAnswered = false;
  for (;;) {
    const leftMs = startedMs + timing.timeoutMs - monotonicMs();
    if (signal.aborted) return { kind: 'aborted' };
    // The first attempt is made in any case, because without it there is no reason to report.
    if (leftMs <= 0 && lastReason !== null) return { kind: 'timed-out', lastReason };

    const patientMs = hasAnswered ? probe.attemptMs : Math.max(probe.attemptMs, FIRST_ANSWER_MS);
    const attemptMs = timing.attemptTimeoutMs ?? patientMs;
    const answer = await attempt({ ...probe, attemptMs }, Math.max(leftMs, 1), signal);
    if (signal.aborted) return { kind: 'aborted' };
    if (answer.kind === 'ok') return { kind: 'ready', tookMs: monotonicMs() - startedMs };
    // An attempt that was cut short when the time was up says less than the attempt before it.
    const cutShort = answer.kind === 'cut' && leftMs < attemptMs;
    if (answer.kind === 'not-yet' && answer.answered) hasAnswered = true;
    if (lastReason === null || !cutShort) lastReason = answer.reason;
    onAnswer(lastReason);

    const remainingMs = startedMs + timing.timeoutMs - monotonicMs();
    await pauseBetweenAttempts(Math.max(0, Math.min(timing.intervalMs, remainingMs)), signal);
  }
}

/**
 * Asks once, for at most `leftMs`. Never throws: a failure is an answer.
 *
 * @param signal  aborted to end the attempt
 */
export async function attempt(
  probe: Probe,
  leftMs: number,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  const over = new AbortController();
  const end = () => over.abort();
  signal.addEventListener('abort', end);
  const timer = setTimeout(end, Math.min(probe.attemptMs, leftMs));
  try {
    return await probe.attempt(over.signal);
  } catch (error) {
    return { kind: 'not-yet', reason: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
  }
}
