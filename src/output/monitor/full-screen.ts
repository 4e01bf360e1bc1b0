import { writeSync } from 'node:fs';
import { exitCodeOf } from '../../errors.ts';
import { endKeys, type Key, readKeys } from './keys.ts';
import type { Size } from './model.ts';
import { repaint } from './repaint.ts';
import { RESTORE, startTerminalRestorer } from './terminal-restorer.ts';

/** The other screen, without wrapping (a character that is wider than we think must not move everything). */
const ENTER = '\u001B[?1049h\u001B[?25l\u001B[?7l\u001B[?2004h';
/** What follows an ESC in a sequence comes at once; a person who has pressed Esc is slower. */
const ESC_MS = 40;

/** Who is suspended does not get here before it goes on. */
const NOT_SUSPENDED_MS = 100;

export interface FullScreenListener {
  key(key: Key): void;
  resized(size: Size): void;
  /** SIGINT, SIGTERM, SIGHUP, or the terminal has gone: with the exit code that says so. */
  ended(code: number): void;
}

/** The whole terminal, until `close`. */
export interface FullScreen {
  size(): Size;
  draw(frame: readonly string[]): void;
  /** The next frame is drawn as a whole. */
  forget(): void;
  /** Ctrl-Z: gives the terminal back until somebody says `fg`. */
  suspend(): void;
  close(): void;
}

/**
 * Takes the terminal over: raw keys, the alternate screen, no cursor. It is as it was afterwards, however this
 * process ends: by `close`, an uncaught error, `process.exit`, a signal, or SIGKILL (`terminal-restorer`).
 */
export function openFullScreen(listener: FullScreenListener): FullScreen {
  const { stdin, stdout } = process;
  const restorer = startTerminalRestorer();
  let shown: readonly string[] | null = null;
  let isOpen = false;
  let rest = '';
  let pending: NodeJS.Timeout | undefined;
  let comingBack: NodeJS.Timeout | undefined;

  const enter = (): void => {
    stdin.setRawMode(true);
    stdin.resume();
    restorer.arm();
    stdout.write(ENTER);
    shown = null;
    isOpen = true;
  };
  const leave = (): void => {
    if (!isOpen) return;
    isOpen = false;
    try {
      // Not through the stream: it is to be out before the process ends.
      writeSync(1, RESTORE);
      stdin.setRawMode(false);
    } catch {
      // The terminal has gone.
    }
    restorer.disarm();
    stdin.pause();
  };
  const take = (text: string): void => {
    clearTimeout(pending);
    const read = readKeys(rest + text);
    rest = read.rest;
    for (const key of read.keys) listener.key(key);
    if (rest === '') return;
    pending = setTimeout(() => {
      const keys = endKeys(rest);
      rest = '';
      for (const key of keys) listener.key(key);
    }, ESC_MS);
  };
  const gone = (): void => listener.ended(exitCodeOf('SIGHUP'));
  const resized = (): void => {
    shown = null;
    listener.resized(sizeOf(stdout));
  };
  const resumed = (): void => {
    clearTimeout(comingBack);
    if (isOpen) return;
    enter();
    resized();
  };
  const ends = (['SIGINT', 'SIGTERM', 'SIGHUP'] as const).map((signal) => {
    const hear = (): void => listener.ended(exitCodeOf(signal));
    process.on(signal, hear);
    return () => process.off(signal, hear);
  });
  stdin.setEncoding('utf8').on('data', take).on('end', gone).on('error', gone);
  stdout.on('resize', resized);
  process.on('SIGCONT', resumed);
  process.on('exit', leave);
  // Before its stack is printed, which belongs on the screen that stays.
  process.on('uncaughtExceptionMonitor', leave);
  enter();

  return {
    size: () => sizeOf(stdout),
    draw(frame) {
      if (!isOpen) return;
      const text = repaint(shown, frame, sizeOf(stdout).columns);
      shown = frame;
      if (text !== '') stdout.write(text);
    },
    forget() {
      shown = null;
    },
    suspend() {
      leave();
      // The whole job, as the key does elsewhere: npx is part of it.
      process.kill(0, 'SIGTSTP');
      // Where no shell could go on with it, nothing is suspended (setpgid(2): an orphaned group): it comes back.
      comingBack = setTimeout(resumed, NOT_SUSPENDED_MS);
    },
    close() {
      clearTimeout(pending);
      clearTimeout(comingBack);
      leave();
      restorer.dismiss();
      for (const off of ends) off();
      stdin.off('data', take).off('end', gone).off('error', gone);
      stdout.off('resize', resized);
      process.off('SIGCONT', resumed);
      process.off('exit', leave);
      process.off('uncaughtExceptionMonitor', leave);
    },
  };
}

function sizeOf(stdout: NodeJS.WriteStream): Size {
  return { columns: Math.max(1, stdout.columns ?? 1), rows: Math.max(1, stdout.rows ?? 1) };
}
