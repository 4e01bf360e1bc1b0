import { type FSWatcher, watch } from 'node:fs';
import { dirname } from 'node:path';
import { inWords } from '../errors.ts';
import { monotonicMs } from '../processes/clock.ts';
import { type CutWay, findCutWay } from '../processes/native/cut-file.ts';
import type { ProjectFolder } from '../project/folder.ts';
import type { LogRotation } from '../project/service-record.ts';
import { beginTimeIndex, type RecordedLog, recordGrowth } from './record-growth.ts';
import { finishRotation, isRotationUnfinished, rotateLog } from './rotate.ts';

/** Notes when the logs of services grow, so that their lines have times. */
export interface LogRecorder {
  /**
   * From now on this log is watched, for as long as this process lives.
   *
   * @param rotation null: it grows
   */
  record(service: string, path: string, rotation: LogRotation | null): void;
  /**
   * Waits until nothing of this log is being moved, and keeps it so.
   *
   * @returns what ends that
   */
  pin(service: string): Promise<() => void>;
  stop(): void;
}

/** One log that is watched. */
interface Watched extends RecordedLog {
  quietLooks: number;
  /** Tells of the next change, while nothing is written. */
  watcher: FSWatcher | null;
  rotation: LogRotation | null;
  /** When it could not be rotated, on the monotonic clock: a full disk may have room again. */
  refusedAtMs: number;
  /** The rotation that is at work. */
  rotating: Promise<void> | null;
  /** How many keep it from being rotated. */
  holds: number;
}

/** While a log grows, it is looked at so often: so exact are the times of its lines. */
const LOOK_MS = 100;
/** After so many looks without anything new, the next look is when the system tells of a change. */
const QUIET_LOOKS = 5;

/** After one that has failed, the next rotation is tried no sooner than this. */
const REFUSED_MS = 60_000;

/**
 * A log that is quiet costs nothing: inotify(7) wakes us. One that is written to is looked at ten times a
 * second, however much is written.
 */
export function recordLogs(folder: ProjectFolder, log: (line: string) => void): LogRecorder {
  const logs = new Map<string, Watched>();
  const active = new Set<Watched>();
  let timer: NodeJS.Timeout | null = null;

  const begin = (target: Watched): void => {
    target.watcher?.close();
    target.watcher = null;
    target.quietLooks = 0;
    active.add(target);
    timer ??= setInterval(lookAtActive, LOOK_MS);
  };

  const rest = (target: Watched): void => {
    try {
      target.watcher = watch(target.path, { persistent: false }, () => {
        target.lookedAtMs = Math.max(target.lookedAtMs, Date.now() - LOOK_MS);
        begin(target);
        lookAt(target);
      });
      target.watcher.on('error', () => begin(target));
    } catch {
      // No watches left, or the log is not there: it stays among those that are looked at.
      return;
    }
    // What came while the watch was being set up would wake nobody.
    if (lookAt(target)) begin(target);
    else active.delete(target);
  };

  /** At most one at a time for each log; what has become too large meanwhile is moved by the next one. */
  const rotate = async (target: Watched, rotation: LogRotation): Promise<void> => {
    const { service, path } = target;
    try {
      const way = await cutWay(dirname(path));
      if (way.how === null) throw new Error(way.why);
      let more = true;
      while (more && target.holds === 0) {
        more = await rotateLog(folder, service, path, rotation, way);
      }
    } catch (error) {
      target.refusedAtMs = monotonicMs();
      log(`${service}: its log is not rotated, and grows: ${inWords(error)}`);
    }
  };
  const ways = new Map<string, Promise<CutWay>>();
  const cutWay = (at: string): Promise<CutWay> => {
    const known = ways.get(at) ?? findCutWay(at);
    ways.set(at, known);
    return known;
  };
  const finish = async (target: Watched): Promise<void> => {
    const { service, path } = target;
    try {
      const way = await cutWay(dirname(path));
      if (way.how !== null) await finishRotation(folder, service, path, way);
    } catch (error) {
      log(`${service}: finishing the rotation of its log: ${inWords(error)}`);
    } finally {
      target.rotating = null;
    }
    lookAt(target);
  };
  const beginRotation = (target: Watched, rotation: LogRotation): void => {
    target.rotating = rotate(target, rotation).finally(() => {
      target.rotating = null;
      lookAt(target);
    });
  };

  const lookAtActive = (): void => {
    for (const target of active) {
      if (lookAt(target)) target.quietLooks = 0;
      else target.quietLooks += 1;
      if (target.quietLooks >= QUIET_LOOKS) rest(target);
    }
    if (active.size > 0 || !timer) return;
    clearInterval(timer);
    timer = null;
  };

  /** @returns has it grown? */
  const lookAt = (target: Watched): boolean => {
    // What is being moved has no size that means anything.
    if (target.rotating) return true;
    try {
      const { grown, size } = recordGrowth(folder, target);
      const { rotation, refusedAtMs, holds } = target;
      const mayRotate = holds === 0 && monotonicMs() - refusedAtMs > REFUSED_MS;
      if (rotation && size > rotation.maxSize && mayRotate) beginRotation(target, rotation);
      return grown;
    } catch (error) {
      // A full disk: the lines are there all the same, without their times.
      log(`${target.service}: noting the times of its log: ${inWords(error)}`);
      return false;
    }
  };

  return {
    record(service, path, rotation) {
      const known = logs.get(service);
      if (known?.path === path) {
        known.rotation = rotation;
        begin(known);
        return;
      }
      if (known) {
        known.watcher?.close();
        active.delete(known);
      }
      const made: Watched = {
        ...beginTimeIndex(service, path),
        quietLooks: 0,
        watcher: null,
        rotation,
        refusedAtMs: Number.NEGATIVE_INFINITY,
        rotating: null,
        holds: 0,
      };
      logs.set(service, made);
      begin(made);
      // Without this, the positions of a rotation that was cut off would not be right.
      if (isRotationUnfinished(folder, service)) made.rotating = finish(made);
      else lookAt(made);
    },
    async pin(service) {
      const target = logs.get(service);
      if (!target) return () => {};
      target.holds += 1;
      await target.rotating;
      return () => {
        target.holds -= 1;
      };
    },
    stop() {
      if (timer) clearInterval(timer);
      for (const target of logs.values()) {
        lookAt(target);
        target.watcher?.close();
      }
    },
  };
}
