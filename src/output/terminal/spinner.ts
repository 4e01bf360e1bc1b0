import type { Ora } from 'ora';
import { formatDuration } from './durations.ts';
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
  const pending = new Map<string, Work>();
  const answers = new Map<string, string>();
  const beganMs = performance.now();
  let expected = 0;
  let askUsual: (() => number | null) | undefined;
  let usualMs: number | null = null;
  let finished = 0;
  let isOpen = true;
  let looks = PLAIN;
  let spinner: Ora | undefined;

  const refresh = (): void => {
    if (!spinner) return;
    const nowMs = performance.now();
    const elapsedMs = nowMs - beganMs;
    if (elapsedMs >= SOON_MS && askUsual) {
      usualMs = askUsual();
      askUsual = undefined;
    }
    const state = { pending, answers, finished, expected, nowMs, elapsedMs, usualMs };
    spinner.text = describePending(state, stream.columns ?? 0);
    if (pending.size === 0) spinner.stop();
    else if (!spinner.isSpinning) spinner.start();
  };
  const settle = (service: string, line: string): void => {
    pending.delete(service);
    answers.delete(service);
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

  // The time that has passed is shown, so it is drawn anew each second.
  const clock = setInterval(refresh, 1_000);
  clock.unref();

  return {
    expect: (services, usual) => {
      expected = services;
      askUsual = usual;
      refresh();
    },
    answered: (service, answer) => {
      answers.set(service, answer);
      refresh();
    },
    pending: (service, doing) => {
      const sinceMs = pending.get(service)?.sinceMs ?? performance.now();
      pending.set(service, { doing, sinceMs });
      refresh();
    },
    succeeded: (service, outcome) =>
      settle(service, `${looks.ok} ${looks.name(service)} ${looks.aside(printableLines(outcome))}`),
    failed: (service, outcome) =>
      settle(service, `${looks.bad} ${looks.name(service)} ${printableLines(outcome)}`),
    note: (text) => void stream.write(`${printableLines(text)}\n`),
    close: () => {
      isOpen = false;
      clearInterval(clock);
      spinner?.stop();
    },
  };
}

/** The work on a service, and since when in ms. */
interface Work {
  readonly doing: string;
  readonly sinceMs: number;
}

/** The state that the spinner shows. */
interface Pending {
  /** The services that are not done. */
  readonly pending: ReadonlyMap<string, Work>;
  readonly answers: ReadonlyMap<string, string>;
  readonly finished: number;
  /** The number of services; 0: not known. */
  readonly expected: number;
  readonly nowMs: number;
  readonly elapsedMs: number;
  /** How long it usually took; null: not known. */
  readonly usualMs: number | null;
}

/**
 * Describes the pending services, never wider than the terminal: `starting api, worker · waiting for web (3
 * of 6, 4 s, usually 3 s) web: http://localhost:5173 answered 404, 3 s`.
 */
function describePending(
  { pending, answers, finished, expected, nowMs, elapsedMs, usualMs }: Pending,
  columns: number,
): string {
  const byDoing = new Map<string, string[]>();
  for (const [service, { doing }] of pending) {
    byDoing.set(doing, [...(byDoing.get(doing) ?? []), service]);
  }
  const parts = [...byDoing].map(([doing, services]) => `${doing} ${services.join(', ')}`);
  const total = Math.max(expected, finished + pending.size);
  const elapsed = afterSoMuch(elapsedMs);
  const usual = usualMs === null ? '' : `, usually ${wholeSeconds(Math.ceil, usualMs)}`;
  const count = `(${finished} of ${total}${elapsed}${usual})`;
  // Room is left for the spinner's own frame, the spaces around it and the count, because wrapped lines
  // would flicker.
  const room = columns - count.length - SPINNER_COLUMNS;
  const doing = truncate(parts.join(' · '), room);
  const [last] = [...answers].slice(-1).map(([service, said]) => {
    const waitedMs = nowMs - (pending.get(service)?.sinceMs ?? nowMs);
    return `${service}: ${printableLines(said)}${afterSoMuch(waitedMs)}`;
  });
  const left = room - doing.length - 1;
  const aside = last === undefined || left < SHORTEST_ANSWER ? '' : ` ${truncate(last, left)}`;
  return `${doing} ${count}${aside}`;
}

function afterSoMuch(ms: number): string {
  return ms < SOON_MS ? '' : `, ${wholeSeconds(Math.floor, ms)}`;
}

function wholeSeconds(round: (value: number) => number, ms: number): string {
  const seconds = round(ms / 1_000);
  return seconds < 60 ? `${seconds} s` : formatDuration(seconds * 1_000);
}

/** Time after which somebody wants to know how long it has been, in ms. */
const SOON_MS = 1_000;

const SPINNER_COLUMNS = 4;

/** An answer that is cut shorter says nothing, in columns. */
const SHORTEST_ANSWER = 15;

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
