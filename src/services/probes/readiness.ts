import { monotonicMs } from '../../processes/clock.ts';
import { pauseBetweenAttempts } from './pause.ts';
import type { Probe, ProbeAnswer } from './probe.ts';

/** What became of waiting for a service to be ready. */
export type Readiness =
  | { readonly kind: 'ready'; readonly tookMs: number }
  /** `lastReason` is what the last attempt that got an answer was told. */
  | { readonly kind: 'timed-out'; readonly lastReason: string }
  | { readonly kind: 'aborted' };

/**
 * Asks until the service is ready, or the time is up.
 *
 * @param timing  `timeoutMs` from now on for all attempts, `intervalMs` between two of them
 * @param signal  aborted when there is nothing to wait for any more: the process ended, or is to end
 * @returns soon after `signal` is aborted; does not throw
 */
export async function waitUntilReady(
  probe: Probe,
  timing: { readonly timeoutMs: number; readonly intervalMs: number },
  signal: AbortSignal,
): Promise<Readiness> {
  const startedMs = monotonicMs();
  let lastReason: string | null = null;
  for (;;) {
    const leftMs = startedMs + timing.timeoutMs - monotonicMs();
    if (signal.aborted) return { kind: 'aborted' };
    // The first attempt is made in any case: without it there would be no reason to give.
    if (leftMs <= 0 && lastReason !== null) return { kind: 'timed-out', lastReason };

    const answer = await attempt(probe, Math.max(leftMs, 1), signal);
    if (signal.aborted) return { kind: 'aborted' };
    if (answer.kind === 'ok') return { kind: 'ready', tookMs: monotonicMs() - startedMs };
    // An attempt that the end of the time cut short says less than the one before it.
    const cutShort = answer.kind === 'cut' && leftMs < probe.attemptMs;
    if (lastReason === null || !cutShort) lastReason = answer.reason;

    const remainingMs = startedMs + timing.timeoutMs - monotonicMs();
    await pauseBetweenAttempts(Math.max(0, Math.min(timing.intervalMs, remainingMs)), signal);
  }
}

/**
 * Asks once, for at most `leftMs`. Whatever goes wrong is an answer.
 *
 * @param signal  aborted when nobody wants to know any more
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
