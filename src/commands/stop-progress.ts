import type { StopOptions } from '../operations/stop/options.ts';
import { formatDuration } from '../output/terminal/durations.ts';
import { printable } from '../output/terminal/width.ts';
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

/** Creates a function that says every second which processes a stop waits for. */
export function stopProgress(): StopOptions['onScan'] {
  const beganMs = monotonicMs();
  let nextMs = 1_000;
  return (living) => {
    const afterMs = monotonicMs() - beganMs;
    if (living.length === 0 || afterMs < nextMs) return;
    nextMs = afterMs + 1_000;
    const names = living.slice(0, 3).map(({ process: { name, identity }, service }) => {
      const of = service === null ? '' : `${service}: `;
      return `${of}${printable(name)} (pid ${identity.pid})`;
    });
    const more = living.length > 3 ? ` and ${living.length - 3} more` : '';
    const waited = formatDuration(afterMs);
    process.stderr.write(`devctl: ${waited}: waiting for ${names.join(', ')}${more}\n`);
  };
}
