import { type FSWatcher, watch } from 'node:fs';
import { dirname } from 'node:path';
import { inWords } from '../errors.ts';
import { monotonicMs } from '../processes/clock.ts';
import { type CutWay, findCutWay } from '../processes/native/cut-file.ts';
import type { ProjectFolder } from '../project/folder.ts';
import type { LogRotation } from '../project/service-record.ts';
import { beginTimeIndex, type RecordedLog, recordGrowth } from './record-growth.ts';
import { finishRotation, isRotationUnfinished, rotateLog } from './rotate.ts';

/** Records when the logs of services grow, so that their lines have times, and rotates the logs. */
export interface LogRecorder {
  /**
   * Records this log from now on, for as long as this process lives.
   *
   * @param rotation null: the log is not rotated
   */
  record(service: string, path: string, rotation: LogRotation | null): void;
  /**
   * Pins a log: waits until it is not being rotated, and keeps it from being rotated.
   *
   * @returns unpins the log
   */
  pin(service: string): Promise<() => void>;
  /** Looks at every log once more, and ends. */
  stop(): void;
}

/** A log, and what the recorder does with it. */
interface Target extends RecordedLog {
  /** Looks in a row that found no growth. */
  quietLooks: number;
  /** Subscription to the next change, while the log is quiet. */
  watcher: FSWatcher | null;
  rotation: LogRotation | null;
  /** Monotonic time of the last rotation that failed, in ms. A full disk may have room again later. */
  refusedAtMs: number;
  /** The rotation that is at work. */
  rotating: Promise<void> | null;
  /** How many callers keep the log from being rotated. */
  pins: number;
}

/** Time between two looks at a log that grows: its lines have times as exact as this. */
const LOOK_MS = 100;
/** Looks without growth after which the recorder waits until the system reports a change. */
const QUIET_LOOKS = 5;
/** Time after a failed rotation before the next one is tried. */
const REFUSED_MS = 60_000;

/**
 * Records the logs of a project.
 *
 * A quiet log costs nothing, because inotify(7) wakes us. A log that grows is looked at ten times a second,
 * however much is written.
 *
 * @param log writes a line of the supervisor's own log
 */
export function recordLogs(folder: ProjectFolder, log: (line: string) => void): LogRecorder {
  return new Recorder(folder, log);
}

class Recorder implements LogRecorder {
  readonly #folder: ProjectFolder;
  readonly #log: (line: string) => void;
  /** By service. */
  readonly #targets = new Map<string, Target>();
  /** The logs that the timer looks at. */
  readonly #active = new Set<Target>();
  #timer: NodeJS.Timeout | null = null;
  /** How the file system of a folder lets devctl shorten a log, by folder. */
  readonly #cutWays = new Map<string, Promise<CutWay>>();

  constructor(folder: ProjectFolder, log: (line: string) => void) {
    this.#folder = folder;
    this.#log = log;
  }

  record(service: string, path: string, rotation: LogRotation | null): void {
    const known = this.#targets.get(service);
    if (known?.path === path) {
      known.rotation = rotation;
      this.#activate(known);
      return;
    }
    if (known) {
      known.watcher?.close();
      this.#active.delete(known);
    }
    const target: Target = {
      ...beginTimeIndex(service, path),
      quietLooks: 0,
      watcher: null,
      rotation,
      refusedAtMs: Number.NEGATIVE_INFINITY,
      rotating: null,
      pins: 0,
    };
    this.#targets.set(service, target);
    this.#activate(target);
    // A rotation that was killed is finished first: until then the positions would be wrong.
    if (isRotationUnfinished(this.#folder, service)) target.rotating = this.#finish(target);
    else this.#lookAt(target);
  }

  async pin(service: string): Promise<() => void> {
    const target = this.#targets.get(service);
    if (!target) return () => {};
    target.pins += 1;
    await target.rotating;
    return () => {
      target.pins -= 1;
    };
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
    for (const target of this.#targets.values()) {
      this.#lookAt(target);
      target.watcher?.close();
    }
  }

  /** Lets the timer look at a log. */
  #activate(target: Target): void {
    target.watcher?.close();
    target.watcher = null;
    target.quietLooks = 0;
    this.#active.add(target);
    this.#timer ??= setInterval(() => this.#lookAtActive(), LOOK_MS);
  }

  #lookAtActive(): void {
    for (const target of this.#active) {
      if (this.#lookAt(target)) target.quietLooks = 0;
      else target.quietLooks += 1;
      if (target.quietLooks >= QUIET_LOOKS) this.#awaitChange(target);
    }
    if (this.#active.size > 0 || !this.#timer) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Subscribes to the next change of a quiet log, so that the timer need not look at it. */
  #awaitChange(target: Target): void {
    try {
      target.watcher = watch(target.path, { persistent: false }, () => {
        target.lookedAtMs = Math.max(target.lookedAtMs, Date.now() - LOOK_MS);
        this.#activate(target);
        this.#lookAt(target);
      });
      target.watcher.on('error', () => this.#activate(target));
    } catch {
      // No watches are left, or the log does not exist: the timer goes on to look at it.
      return;
    }
    // A change before the subscription wakes nobody, so look once more.
    if (this.#lookAt(target)) this.#activate(target);
    else this.#active.delete(target);
  }

  /** @returns true when the log has grown, or is being rotated */
  #lookAt(target: Target): boolean {
    // During a rotation the size of the file means nothing.
    if (target.rotating) return true;
    try {
      const { grown, size } = recordGrowth(this.#folder, target);
      this.#rotateIfTooLarge(target, size);
      return grown;
    } catch (error) {
      // On a full disk the lines are there all the same, but without their times.
      this.#log(`${target.service}: noting the times of its log: ${inWords(error)}`);
      return false;
    }
  }

  /** Begins at most one rotation at a time for each log. The next one moves the bytes that came meanwhile. */
  #rotateIfTooLarge(target: Target, size: number): void {
    const { rotation, refusedAtMs, pins } = target;
    const mayRotate = pins === 0 && monotonicMs() - refusedAtMs > REFUSED_MS;
    if (!rotation || size <= rotation.maxSize || !mayRotate) return;
    target.rotating = this.#rotate(target, rotation).finally(() => {
      target.rotating = null;
      this.#lookAt(target);
    });
  }

  async #rotate(target: Target, rotation: LogRotation): Promise<void> {
    const { service, path } = target;
    try {
      const way = await this.#cutWay(path);
      if (way.how === null) throw new Error(way.why);
      let more = true;
      while (more && target.pins === 0) {
        more = await rotateLog(this.#folder, service, path, rotation, way);
      }
    } catch (error) {
      target.refusedAtMs = monotonicMs();
      this.#log(`${service}: its log is not rotated, and grows: ${inWords(error)}`);
    }
  }

  /** Finishes a rotation in the middle of which an earlier supervisor was killed. */
  async #finish(target: Target): Promise<void> {
    const { service, path } = target;
    try {
      const way = await this.#cutWay(path);
      if (way.how !== null) await finishRotation(this.#folder, service, path, way);
    } catch (error) {
      this.#log(`${service}: finishing the rotation of its log: ${inWords(error)}`);
    } finally {
      target.rotating = null;
    }
    this.#lookAt(target);
  }

  #cutWay(path: string): Promise<CutWay> {
    const folder = dirname(path);
    const known = this.#cutWays.get(folder) ?? findCutWay(folder);
    this.#cutWays.set(folder, known);
    return known;
  }
}
