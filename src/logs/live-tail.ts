import { followLogs, type LogFollower } from './follow.ts';
import type { LogLine } from './line-cutter.ts';
import { type LogReader, readLog, type ServiceLine } from './reader.ts';
import type { LogSource } from './source.ts';
import { tolerantReader } from './tolerant-reader.ts';

/** A log that is shown on a screen while it grows. */
export interface LiveTail {
  stop(): void;
}

/** The log, and the screen that shows it. */
export interface LiveTailOptions {
  readonly source: LogSource;
  /** Most lines that the screen has room for. */
  readonly lines: number;
  /** `anew`: these lines replace all lines before them, because others were left out in between. */
  readonly onLines: (lines: readonly LogLine[], anew: boolean) => void;
}

const LOOK_MS = 250;
/** Pause after many lines at once, which nobody reads as fast. */
const CALM_MS = 400;
/** Pause after more lines than one read takes, so that a flood costs us little beside its own cost. */
const FLOOD_MS = 1_000;
const MANY_LINES = 200;

/**
 * Shows the last lines of a log and then new ones, without falling behind: when more lines come than one read
 * takes, it begins again with the last lines.
 */
export function openLiveTail(options: LiveTailOptions): LiveTail {
  return new Tail(options);
}

class Tail implements LiveTail {
  readonly #options: LiveTailOptions;
  readonly #follower: LogFollower;
  readonly #timer: NodeJS.Timeout;
  /** Failures to read the log, which a screen can only show among the lines. */
  readonly #failures: ServiceLine[] = [];
  #reader: LogReader;
  /** No reads before this time, since the epoch, in ms. */
  #calmUntilMs = 0;
  #isStopped = false;

  constructor(options: LiveTailOptions) {
    this.#options = options;
    this.#reader = this.#openReader();
    options.onLines(this.#lastLines(), true);
    const reader = this.#pacedReader();
    this.#follower = followLogs({
      readers: () => [reader],
      // A timer looks instead: in a flood of writes the file system would report a flood of changes.
      folders: [],
      emit: (lines) => this.#show(lines, false),
    });
    this.#timer = setInterval(() => this.#follower.wake(), LOOK_MS);
  }

  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
    this.#follower.stop();
    // It reads once more, but nobody is shown the result.
    this.#follower.done.catch(() => {});
  }

  #openReader(): LogReader {
    const { source } = this.#options;
    return tolerantReader(readLog(source), (why) => {
      const line = { text: `devctl: ${why}`, position: 0, continues: false, partial: false };
      this.#failures.push({ ...line, service: source.service, time: null });
    });
  }

  #lastLines(): readonly LogLine[] {
    const { lines } = this.#options;
    const last = this.#reader.history({ lines, sinceMs: null }, false);
    return [...last, ...this.#failures.splice(0)];
  }

  #show(lines: readonly LogLine[], anew: boolean): void {
    if (!this.#isStopped) this.#options.onLines(lines, anew);
  }

  /** Builds a reader that pauses after many lines, and leaves lines out in a flood. */
  #pacedReader(): LogReader {
    return {
      service: this.#reader.service,
      history: (range, toEnd) => this.#reader.history(range, toEnd),
      skip: () => this.#reader.skip(),
      next: (nowMs) => ({ lines: this.#nextLines(nowMs), more: false }),
      flush: (nowMs, ms) => this.#reader.flush(nowMs, ms),
      hasPartialLine: () => this.#reader.hasPartialLine(),
    };
  }

  #nextLines(nowMs: number): readonly ServiceLine[] {
    if (nowMs < this.#calmUntilMs) return [];
    const { lines, more } = this.#reader.next(nowMs);
    if (lines.length > MANY_LINES) this.#calmUntilMs = nowMs + CALM_MS;
    if (!more) return [...lines, ...this.#failures.splice(0)];
    this.#calmUntilMs = nowMs + FLOOD_MS;
    this.#reader = this.#openReader();
    this.#show(this.#lastLines(), true);
    return [];
  }
}
