import type { StopOptions } from '../operations/stop/options.ts';
import { formatDuration } from '../output/terminal/durations.ts';
import { printable } from '../output/terminal/width.ts';
import { monotonicMs } from '../processes/clock.ts';

/** The first Ctrl-C turns a stop into --force; it goes on until its proof. */
export function listenForInterrupts(suffix = ''): () => boolean {
  let interrupts = 0;
  process.on('SIGINT', () => {
    interrupts += 1;
    // The terminal has shown a ^C.
    process.stderr.write(interrupts > 1 ? '\n' : `\ndevctl: killing what is left${suffix}\n`);
  });
  return () => interrupts > 0;
}

/** Says every second what holds the stop up, so that nobody has to guess. */
export function stopProgress(): StopOptions['watch'] {
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
