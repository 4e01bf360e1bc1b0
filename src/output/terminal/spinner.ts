import type { Ora } from 'ora';
import type { Progress } from './progress.ts';
import type { OutputStream } from './theme.ts';
import { printableLines, truncate } from './width.ts';

interface Looks {
  readonly ok: string;
  readonly bad: string;
  readonly name: (text: string) => string;
  readonly aside: (text: string) => string;
}

const PLAIN: Looks = { ok: '✓', bad: '✗', name: (text) => text, aside: (text) => text };

/**
 * Creates one spinner that names the pending services. A service that is done becomes a line above it.
 *
 * ora and chalk load while the work goes on: nothing waits for the spinner, and earlier lines are printed
 * without it.
 */
export function createSpinnerProgress(stream: OutputStream, color: boolean): Progress {
  const pending = new Map<string, string>();
  let finished = 0;
  let isOpen = true;
  let looks = PLAIN;
  let spinner: Ora | undefined;

  const refresh = (): void => {
    if (!spinner) return;
    spinner.text = describePending(pending, finished, stream.columns ?? 0);
    if (pending.size === 0) spinner.stop();
    else if (!spinner.isSpinning) spinner.start();
  };
  const settle = (service: string, line: string): void => {
    pending.delete(service);
    finished += 1;
    refresh();
    // ora hooks the stream's write: it clears its own line, lets ours through and draws again.
    stream.write(`${line}\n`);
  };

  openSpinner(stream, color).then(
    (opened) => {
      if (!isOpen) return;
      looks = opened.looks;
      spinner = opened.spinner;
      refresh();
    },
    () => {
      // A spinner that cannot be loaded is no reason to stop a start: the lines still come.
    },
  );

  return {
    pending: (service, doing) => {
      pending.set(service, doing);
      refresh();
    },
    succeeded: (service, outcome) =>
      settle(service, `${looks.ok} ${looks.name(service)} ${looks.aside(printableLines(outcome))}`),
    failed: (service, outcome) =>
      settle(service, `${looks.bad} ${looks.name(service)} ${printableLines(outcome)}`),
    note: (text) => void stream.write(`${printableLines(text)}\n`),
    close: () => {
      isOpen = false;
      spinner?.stop();
    },
  };
}

/**
 * Describes the pending services, never wider than the terminal: `starting api, worker · waiting for web (3
 * of 6)`.
 */
function describePending(
  pending: ReadonlyMap<string, string>,
  finished: number,
  columns: number,
): string {
  const byDoing = new Map<string, string[]>();
  for (const [service, doing] of pending) {
    byDoing.set(doing, [...(byDoing.get(doing) ?? []), service]);
  }
  const parts = [...byDoing].map(([doing, services]) => `${doing} ${services.join(', ')}`);
  const count = `(${finished} of ${finished + pending.size})`;
  // Room is left for the spinner's own frame, the spaces around it and the count, because wrapped lines
  // would flicker.
  return `${truncate(parts.join(' · '), columns - count.length - SPINNER_COLUMNS)} ${count}`;
}

const SPINNER_COLUMNS = 4;

async function openSpinner(
  stream: OutputStream,
  color: boolean,
): Promise<{ spinner: Ora; looks: Looks }> {
  const [{ default: ora }, { Chalk }] = await Promise.all([import('ora'), import('chalk')]);
  const chalk = new Chalk({ level: color ? 1 : 0 });
  const spinner = ora({
    stream: stream as NodeJS.WriteStream,
    // Our own rules have decided already; ora's rules would count CI=false as CI.
    isEnabled: true,
    // stdin belongs to the shell; ora would put it into raw mode and eat what is typed.
    discardStdin: false,
    color: color ? 'cyan' : false,
  });
  const looks = {
    ok: chalk.green('✓'),
    bad: chalk.red('✗'),
    name: chalk.bold,
    aside: chalk.dim,
  };
  return { spinner, looks };
}
