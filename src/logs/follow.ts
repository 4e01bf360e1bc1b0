import { type FSWatcher, watch } from 'node:fs';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { monotonicMs } from '../processes/clock.ts';
import type { LogReader, ServiceLine } from './reader.ts';

/** The logs to follow, and the receiver of their lines. */
export interface FollowOptions {
  /** Lists the readers of the logs to follow. Called again each second, so that new logs are found. */
  readonly readers: () => readonly LogReader[];
  /** The folders of the logs. */
  readonly folders: readonly string[];
  /** Gets every line. Nothing more is read until its promise has resolved. */
  readonly emit: (lines: readonly ServiceLine[]) => Promise<void> | void;
}

/** Reads logs while they grow. */
export interface LogFollower {
  /** Resolves after `stop`, once every line that was there then is given out. */
  readonly done: Promise<void>;
  /** Reads soon, because new lines are likely. */
  wake(): void;
  /** Reads the lines that are there, gives out lines without a line end too, and ends. */
  stop(): void;
}

/** Time between two looks where the system reports no changes (a network file system, no watches left). */
const LOOK_MS = 500;
/** Time between two calls of `readers`. */
const ASK_MS = 1_000;
/** Shortest time between two looks while much is written: each takes in the lines of that time. */
const ROUND_MS = 20;
/** Time without growth after which a line without a line end is given out, because it may be a prompt. */
const QUIET_MS = 300;

/** Gives out the lines of logs as they are written. */
export function followLogs(options: FollowOptions): LogFollower {
  return new Follower(options);
}

class Follower implements LogFollower {
  readonly done: Promise<void>;
  readonly #options: FollowOptions;
  /** By folder. */
  readonly #watchers = new Map<string, FSWatcher>();
  #readers: readonly LogReader[];
  #askedAtMs = monotonicMs();
  #isStopping = false;
  /** True when `wake` was called since the last look. */
  #isWoken = false;
  #endRest = (): void => {};

  constructor(options: FollowOptions) {
    this.#options = options;
    this.#readers = options.readers();
    this.done = this.#follow().finally(() => {
      for (const watcher of this.#watchers.values()) watcher.close();
    });
  }

  wake(): void {
    this.#isWoken = true;
    this.#endRest();
  }

  stop(): void {
    this.#isStopping = true;
    this.#endRest();
  }

  async #follow(): Promise<void> {
    this.#subscribeToFolders();
    while (!this.#isStopping) {
      const beganAtMs = monotonicMs();
      this.#isWoken = false;
      this.#askForReaders(beganAtMs);
      const more = await this.#readOnce(QUIET_MS);
      // Signals and timers get their turn, however much there is to read.
      if (more) await nextTurn();
      else await this.#rest(beganAtMs);
    }
    this.#readers = this.#options.readers();
    while (await this.#readOnce(0)) {
      // Until nothing is left.
    }
  }

  /** Subscribes to changes in each folder that exists by now. */
  #subscribeToFolders(): void {
    for (const folder of this.#options.folders) {
      if (this.#watchers.has(folder)) continue;
      try {
        const watcher = watch(folder, () => this.wake());
        watcher.on('error', () => {
          watcher.close();
          this.#watchers.delete(folder);
        });
        this.#watchers.set(folder, watcher);
      } catch {
        // The folder does not exist yet, or no watches are left: its logs are looked at now and again.
      }
    }
  }

  #askForReaders(nowMs: number): void {
    if (nowMs - this.#askedAtMs < ASK_MS) return;
    this.#readers = this.#options.readers();
    this.#askedAtMs = nowMs;
    this.#subscribeToFolders();
  }

  /**
   * Reads each log once.
   *
   * @param quietMs time without growth after which a line without a line end is given out
   * @returns true when there is more to read
   */
  async #readOnce(quietMs: number): Promise<boolean> {
    let more = false;
    for (const reader of this.#readers) {
      const nowMs = Date.now();
      const read = reader.next(nowMs);
      more ||= read.more;
      const flushed = read.more ? null : reader.flush(nowMs, quietMs);
      const lines = flushed ? [...read.lines, flushed] : read.lines;
      if (lines.length > 0) await this.#options.emit(lines);
    }
    return more;
  }

  /** Waits until new lines are likely, or it is time to look. */
  async #rest(beganAtMs: number): Promise<void> {
    const spentMs = monotonicMs() - beganAtMs;
    if (spentMs < ROUND_MS && this.#isWoken) await delay(ROUND_MS - spentMs);
    const hasPartialLine = this.#readers.some((reader) => reader.hasPartialLine());
    const ms = hasPartialLine ? QUIET_MS / 2 : LOOK_MS;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#endRest = () => {
        clearTimeout(timer);
        resolve();
      };
      if (this.#isWoken || this.#isStopping) this.#endRest();
    });
  }
}
