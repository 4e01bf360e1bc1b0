import { writeSync } from 'node:fs';
import { exitCodeOf } from '../../errors.ts';
import { endKeys, type Key, readKeys } from './keys.ts';
import type { Size } from './model.ts';
import { repaint } from './repaint.ts';
import { RESTORE, startTerminalRestorer } from './terminal-restorer.ts';

/**
 * Switches to the alternate screen, without a cursor, with bracketed paste. Lines do not wrap: a character
 * that is wider than devctl assumes must not move everything.
 */
const ENTER = '\u001B[?1049h\u001B[?25l\u001B[?7l\u001B[?2004h';
/**
 * Time after which an ESC is the key Esc: the rest of a sequence follows at once, and a person who has
 * pressed Esc is slower.
 */
const ESC_MS = 40;
/** Time after which a suspend has failed: a suspended process does not get there before it goes on. */
const SUSPEND_FAILED_MS = 100;

const END_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface FullScreenListener {
  key(key: Key): void;
  resized(size: Size): void;
  /** Hears of SIGINT, SIGTERM, SIGHUP, or a terminal that has gone, with the exit code for it. */
  ended(code: number): void;
}

/** The whole terminal, until `close`. */
export interface FullScreen {
  size(): Size;
  draw(frame: readonly string[]): void;
  /** Forgets the frame on the screen, so that the next frame is drawn as a whole. */
  forget(): void;
  /** Gives the terminal back until the shell continues the job (`fg`), as Ctrl-Z does. */
  suspend(): void;
  close(): void;
}

/**
 * Takes over the terminal: raw keys, the alternate screen, no cursor. Afterwards the terminal is as it was,
 * however this process ends: by `close`, an uncaught error, `process.exit`, a signal, or SIGKILL
 * (`terminal-restorer.ts`).
 */
export function openFullScreen(listener: FullScreenListener): FullScreen {
  return new Screen(listener);
}

class Screen implements FullScreen {
  readonly #listener: FullScreenListener;
  readonly #restorer = startTerminalRestorer();
  /** The frame on the screen; null: unknown. */
  #shown: readonly string[] | null = null;
  #isOpen = false;
  /** The beginning of a key sequence whose rest has not come. */
  #rest = '';
  #escTimer: NodeJS.Timeout | undefined;
  #suspendTimer: NodeJS.Timeout | undefined;

  constructor(listener: FullScreenListener) {
    this.#listener = listener;
    this.#subscribe();
    this.#enter();
  }

  size(): Size {
    const { columns, rows } = process.stdout;
    return { columns: Math.max(1, columns ?? 1), rows: Math.max(1, rows ?? 1) };
  }

  draw(frame: readonly string[]): void {
    if (!this.#isOpen) return;
    const text = repaint(this.#shown, frame, this.size().columns);
    this.#shown = frame;
    if (text !== '') process.stdout.write(text);
  }

  forget(): void {
    this.#shown = null;
  }

  suspend(): void {
    this.#leave();
    // The whole process group, as the key does elsewhere: npx is part of the job.
    process.kill(0, 'SIGTSTP');
    // The kernel drops SIGTSTP where no shell could continue the job (setpgid(2): an orphaned group).
    this.#suspendTimer = setTimeout(this.#onContinue, SUSPEND_FAILED_MS);
  }

  close(): void {
    clearTimeout(this.#escTimer);
    clearTimeout(this.#suspendTimer);
    this.#leave();
    this.#restorer.dismiss();
    this.#unsubscribe();
  }

  #subscribe(): void {
    const { stdin, stdout } = process;
    for (const signal of END_SIGNALS) process.on(signal, this.#onSignal);
    stdin.setEncoding('utf8').on('data', this.#onInput);
    stdin.on('end', this.#onHangup).on('error', this.#onHangup);
    stdout.on('resize', this.#onResize);
    process.on('SIGCONT', this.#onContinue);
    process.on('exit', this.#leave);
    // Before the stack of the error is printed, which belongs on the screen that stays.
    process.on('uncaughtExceptionMonitor', this.#leave);
  }

  #unsubscribe(): void {
    const { stdin, stdout } = process;
    for (const signal of END_SIGNALS) process.off(signal, this.#onSignal);
    stdin.off('data', this.#onInput).off('end', this.#onHangup).off('error', this.#onHangup);
    stdout.off('resize', this.#onResize);
    process.off('SIGCONT', this.#onContinue);
    process.off('exit', this.#leave);
    process.off('uncaughtExceptionMonitor', this.#leave);
  }

  #enter(): void {
    process.stdin.setRawMode(true);
    process.stdin.resume();
    this.#restorer.arm();
    process.stdout.write(ENTER);
    this.#shown = null;
    this.#isOpen = true;
  }

  readonly #leave = (): void => {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    try {
      // Not through the stream, because the text must be out before the process ends.
      writeSync(1, RESTORE);
      process.stdin.setRawMode(false);
    } catch {
      // The terminal has gone.
    }
    this.#restorer.disarm();
    process.stdin.pause();
  };

  readonly #onInput = (text: string): void => {
    clearTimeout(this.#escTimer);
    const { keys, rest } = readKeys(this.#rest + text);
    this.#rest = rest;
    for (const key of keys) this.#listener.key(key);
    if (this.#rest !== '') this.#escTimer = setTimeout(this.#onEscTimeout, ESC_MS);
  };

  readonly #onEscTimeout = (): void => {
    const keys = endKeys(this.#rest);
    this.#rest = '';
    for (const key of keys) this.#listener.key(key);
  };

  readonly #onSignal = (signal: NodeJS.Signals): void => this.#listener.ended(exitCodeOf(signal));

  readonly #onHangup = (): void => this.#listener.ended(exitCodeOf('SIGHUP'));

  readonly #onResize = (): void => {
    this.#shown = null;
    this.#listener.resized(this.size());
  };

  readonly #onContinue = (): void => {
    clearTimeout(this.#suspendTimer);
    if (this.#isOpen) return;
    this.#enter();
    this.#onResize();
  };
}
