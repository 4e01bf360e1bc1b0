import { type FSWatcher, watch } from 'node:fs';
import { monotonicMs } from '../processes/clock.ts';
import type { LogReader, ServiceLine } from './reader.ts';

export interface FollowOptions {
  /** The logs to follow; asked again each second, so that new ones are found. */
  readonly readers: () => readonly LogReader[];
  /** The folders that they are in. */
  readonly folders: readonly string[];
  /** Gets every line. Nothing more is read until what it returns has resolved. */
  readonly emit: (lines: readonly ServiceLine[]) => Promise<void> | void;
}

export interface LogFollower {
  /** Resolves when `stop` was called, with everything given out that was there then. */
  readonly done: Promise<void>;
  /** Looks soon: there is likely something new. */
  wake(): void;
  /** Reads what there is, gives out lines without an end too, and ends. */
  stop(): void;
}

/** Where no news of changes come (a network file system, no watches left), logs are looked at so often. */
const LOOK_MS = 500;
const ASK_MS = 1_000;
/** While much is written, one look takes in what came in this time. */
const ROUND_MS = 20;
/** A line without an end that has not grown for so long is shown: it may be a prompt. */
const QUIET_MS = 300;

/** Gives out what is written to logs, as it is written. */
export function followLogs({ readers, folders, emit }: FollowOptions): LogFollower {
  let current = readers();
  let askedAt = monotonicMs();
  let stopping = false;
  let wakeUp = (): void => {};
  let woken = false;
  const watchers = new Map<string, FSWatcher>();

  const wake = (): void => {
    woken = true;
    wakeUp();
  };
  const watchFolders = (): void => {
    for (const folder of folders) {
      if (watchers.has(folder)) continue;
      try {
        const watcher = watch(folder, wake);
        watcher.on('error', () => {
          watcher.close();
          watchers.delete(folder);
        });
        watchers.set(folder, watcher);
      } catch {
        // Not there yet, or no watches left: then it is looked at now and again.
      }
    }
  };
  const rest = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
      if (woken || stopping) wakeUp();
    });

  const round = async (quietMs: number): Promise<boolean> => {
    let more = false;
    for (const reader of current) {
      const now = Date.now();
      const read = reader.next(now);
      more ||= read.more;
      const flushed = read.more ? null : reader.flush(now, quietMs);
      const lines = flushed ? [...read.lines, flushed] : read.lines;
      if (lines.length > 0) await emit(lines);
    }
    return more;
  };

  const follow = async (): Promise<void> => {
    watchFolders();
    while (!stopping) {
      const beganAt = monotonicMs();
      woken = false;
      if (beganAt - askedAt >= ASK_MS) {
        current = readers();
        askedAt = beganAt;
        watchFolders();
      }
      const more = await round(QUIET_MS);
      // Signals and timers have their turn, however much there is to read.
      if (more) await new Promise((resolve) => setImmediate(resolve));
      else {
        const spent = monotonicMs() - beganAt;
        if (spent < ROUND_MS && woken) await new Promise((go) => setTimeout(go, ROUND_MS - spent));
        await rest(current.some((reader) => reader.hasPartialLine()) ? QUIET_MS / 2 : LOOK_MS);
      }
    }
    current = readers();
    while (await round(0)) {
      // Until nothing is left.
    }
  };

  const done = follow().finally(() => {
    for (const watcher of watchers.values()) watcher.close();
  });
  return {
    done,
    wake,
    stop() {
      stopping = true;
      wakeUp();
    },
  };
}
