import type { StopOptions } from '../operations/stop/options.ts';
import { formatDuration } from '../output/terminal/durations.ts';
import { printable } from '../output/terminal/width.ts';
import type { Claim } from '../ownership/claim.ts';
import { monotonicMs } from '../processes/clock.ts';

/**
 * Listens for Ctrl-C. The first one turns a stop into --force; the stop still goes on until its proof.
 *
 * @param suffix added to the message
 * @returns a function that says whether Ctrl-C was pressed
 */
export function listenForInterrupts(suffix = ''): () => boolean {
  let interrupts = 0;
  process.on('SIGINT', () => {
    interrupts += 1;
    // The line break is for the ^C that the terminal has shown.
    process.stderr.write(interrupts > 1 ? '\n' : `\ndevctl: killing what is left${suffix}\n`);
  });
  return () => interrupts > 0;
}

/** Creates a function that says every second which services a stop waits for. */
export function stopProgress(): StopOptions['onScan'] {
  const beganMs = monotonicMs();
  let nextMs = 1_000;
  return (living) => {
    const afterMs = monotonicMs() - beganMs;
    if (living.length === 0 || afterMs < nextMs) return;
    nextMs = afterMs + 1_000;
    const waited = formatDuration(afterMs);
    process.stderr.write(`devctl: ${waited}: waiting for ${printable(whomInWords(living))}\n`);
  };
}

/** Names the services of these processes, and the processes that are of none: "web (3 processes), node (pid 4711)". */
function whomInWords(living: readonly Claim[]): string {
  const counts = new Map<string, number>();
  for (const { process: one, service } of living) {
    const name = service ?? `${one.name} (pid ${one.identity.pid})`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const names = [...counts].map(([name, count]) =>
    count === 1 ? name : `${name} (${count} processes)`,
  );
  const more = names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : '';
  return `${names.slice(0, MOST_NAMED).join(', ')}${more}`;
}

const MOST_NAMED = 5;
