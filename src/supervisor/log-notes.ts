import { type FSWatcher, statSync, watch } from 'node:fs';
import { inWords } from '../errors.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { type LogNote, thinned } from '../project/log-notes.ts';
import {
  appendNote,
  fileKey,
  NOTES_THIN_BYTES,
  readLogMap,
  readNotes,
  writeNotes,
} from '../project/log-notes-file.ts';

/** Notes when the logs of services grow, so that their lines have times. */
export interface LogNotes {
  /** From now on this log is watched, for as long as this process lives. */
  watch(service: string, path: string): void;
  /** Notes what has grown, now. */
  look(): void;
  stop(): void;
}

/** One log that is watched. */
interface Watched {
  readonly service: string;
  readonly path: string;
  file: string | null;
  /** Up to here there is a note. */
  position: number;
  lookedAtMs: number;
  /** Size of the notes. */
  bytes: number;
  quietLooks: number;
  /** Tells of the next change, while nothing is written. */
  watcher: FSWatcher | null;
}

/** While a log grows, it is looked at so often: so exact are the times of its lines. */
const LOOK_MS = 100;
/** After so many looks without anything new, the next look is when the system tells of a change. */
const QUIET_LOOKS = 5;

/**
 * A log that is quiet costs nothing: inotify(7) wakes us. One that is written to is looked at ten times a
 * second, however much is written.
 */
export function noteLogs(
  folder: ProjectFolder,
  log: (line: string) => void,
  grown: (service: string, path: string) => void = () => {},
): LogNotes {
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
    try {
      return note(folder, target, grown);
    } catch (error) {
      // A full disk: the lines are there all the same, without their times.
      log(`${target.service}: noting the times of its log: ${inWords(error)}`);
      return false;
    }
  };

  return {
    watch(service, path) {
      const known = logs.get(service);
      if (known?.path === path) {
        begin(known);
        return;
      }
      if (known) {
        known.watcher?.close();
        active.delete(known);
      }
      const made: Watched = {
        service,
        path,
        file: null,
        position: 0,
        lookedAtMs: 0,
        bytes: 0,
        quietLooks: 0,
        watcher: null,
      };
      logs.set(service, made);
      begin(made);
      lookAt(made);
    },
    look() {
      for (const target of logs.values()) lookAt(target);
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

/** Where there is no log, or something else in its place. */
const NO_FILE = '';

function note(
  folder: ProjectFolder,
  target: Watched,
  grown: (service: string, path: string) => void,
): boolean {
  const found = statSync(target.path, { bigint: true, throwIfNoEntry: false });
  const { service } = target;
  const now = Date.now();
  if (!found?.isFile()) {
    // When it comes, all that is in it will be younger than this.
    target.file = NO_FILE;
    target.position = 0;
    target.lookedAtMs = now;
    return false;
  }
  const file = fileKey(found);
  const map = readMapOf(folder, service, file);
  const end = map.base + Number(found.size);
  const isOther = target.file !== file || end < target.position;
  if (isOther) takeUp(folder, target, file, end);
  const { lookedAtMs } = target;
  target.lookedAtMs = now;
  if (end <= target.position) return isOther;
  // The time of the last write, which is earlier than now; unless somebody has set it.
  const modified = Math.ceil(Number(found.mtimeNs) / 1e6);
  const atMs = modified <= now && modified >= lookedAtMs ? modified : now;
  const withinMs = lookedAtMs === 0 ? null : Math.max(0, atMs - lookedAtMs);
  const fresh: LogNote = {
    position: end,
    atMs: lookedAtMs === 0 ? Math.min(modified, now) : atMs,
    withinMs,
  };
  if (target.bytes >= NOTES_THIN_BYTES) {
    const notes = thinned(readNotes(folder, service, file), map.start);
    target.bytes = writeNotes(folder, service, file, notes);
  }
  target.bytes += appendNote(folder, service, fresh);
  target.position = end;
  grown(service, target.path);
  return true;
}

/** A log that this process has not looked at so far, or another one in its place, or one that was cut. */
function takeUp(folder: ProjectFolder, target: Watched, file: string, end: number): void {
  const notes = readNotes(folder, target.service, file).filter(({ position }) => position <= end);
  target.bytes = writeNotes(folder, target.service, file, notes);
  target.position = notes.at(-1)?.position ?? 0;
  // A new file had nothing in it when we last looked; of any other nobody has looked since its last note.
  if (target.file === null || notes.length > 0) target.lookedAtMs = 0;
  target.file = file;
}

function readMapOf(
  folder: ProjectFolder,
  service: string,
  file: string,
): { readonly base: number; readonly start: number } {
  const map = readLogMap(folder, service);
  return map?.file === file ? map : { base: 0, start: 0 };
}
