import { inWords } from '../../errors.ts';
import { takeLockToRestart } from '../../lock/for-restart.ts';
import { monotonicMs } from '../../processes/clock.ts';
import type { Host } from '../../processes/host.ts';
import type { Identity } from '../../processes/identity.ts';
import { type ProjectFolder, projectFolder } from '../../project/folder.ts';
import type { MovableFolder } from '../../project/place/movable-folder.ts';
import { rebasePath } from '../../project/place/rebase-path.ts';
import { settleProject } from '../../project/place/settle-project.ts';
import { findRegistered } from '../../project/place/standing.ts';
import { folderIdOf } from '../../project/project-id.ts';
import { judgePlace, lookAtPlace, type PlaceVerdict } from './place.ts';

export interface PlaceWatchContext {
  readonly host: Host;
  readonly self: Identity;
  readonly folder: MovableFolder;
  /** Called when the folder has another path: `folder` says which. */
  readonly onMoved: (from: string) => void;
  /** Called when the folder, or all that is in it, was removed, in two looks. */
  readonly onRemoved: (why: string) => void;
  readonly log: (line: string) => void;
}

/** Watches where the project is, while services run. */
export interface PlaceWatch {
  /** Looks now, for a caller that holds the project lock at the new place. */
  checkLocked(): void;
  close(): void;
}

/** Time between two looks, in ms: a move is noticed within two of them. */
const LOOK_MS = 1_000;
/** Time for which the project must be gone before everything is stopped: a checkout replaces files one by one. */
const REMOVED_MS = 2_000;

export function watchPlace(context: PlaceWatchContext): PlaceWatch {
  return new Watch(context);
}

class Watch implements PlaceWatch {
  readonly #context: PlaceWatchContext;
  readonly #timer: NodeJS.Timeout;
  /** When the project was first seen to be gone; null while it is there. */
  #goneSinceMs: number | null = null;
  #lastUnknown: string | null = null;
  #isMoving = false;
  #closed = false;

  constructor(context: PlaceWatchContext) {
    this.#context = context;
    this.#timer = setInterval(() => void this.#look(), LOOK_MS);
  }

  checkLocked(): void {
    const verdict = this.#judge();
    if (verdict?.kind === 'moved') this.#move(verdict.to);
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
  }

  #judge(): PlaceVerdict | null {
    const { folder } = this.#context;
    if (!folder.identity) return null;
    const verdict = judgePlace(lookAtPlace(folder, folder.identity));
    const to = verdict.kind === 'removed' ? this.#registeredPath() : null;
    return to === null ? verdict : { kind: 'moved', to };
  }

  /**
   * For the kernel a move to another file system is a copy and a removal. Then the first command at the new place
   * proves that the copy is the project, and notes it in the registry.
   */
  #registeredPath(): string | null {
    const { id, root } = this.#context.folder;
    const entry = id === null ? null : findRegistered(folderIdOf(id));
    return entry && entry.path !== root ? entry.path : null;
  }

  async #look(): Promise<void> {
    const verdict = this.#judge();
    if (this.#closed || !verdict) return;
    if (verdict.kind !== 'removed') this.#goneSinceMs = null;
    if (verdict.kind === 'moved') await this.#moveWithLock(verdict.to);
    if (verdict.kind === 'removed') this.#onGone(verdict.why);
    const unknown = verdict.kind === 'unknown' ? verdict.why : null;
    if (unknown !== null && unknown !== this.#lastUnknown) this.#context.log(unknown);
    this.#lastUnknown = unknown;
  }

  #onGone(why: string): void {
    this.#goneSinceMs ??= monotonicMs();
    if (monotonicMs() - this.#goneSinceMs < REMOVED_MS) return;
    this.close();
    this.#context.onRemoved(why);
  }

  /** While another command is at work at the new place, the next look tries again. */
  async #moveWithLock(to: string): Promise<void> {
    if (this.#isMoving) return;
    this.#isMoving = true;
    const { host, self, log } = this.#context;
    try {
      const release = await takeLockToRestart(host, this.#folderAt(to), self);
      if (release === null) return;
      try {
        this.#move(to);
      } finally {
        release();
      }
    } catch (error) {
      log(`going on at ${to}: ${inWords(error)}`);
    } finally {
      this.#isMoving = false;
    }
  }

  #move(to: string): void {
    const { folder, onMoved, log } = this.#context;
    const from = folder.root;
    process.chdir(to);
    const { id } = folder;
    const formerPaths = [...folder.paths].reverse();
    const known = id === null ? undefined : { id: folderIdOf(id), formerPaths };
    folder.moveTo(settleProject(this.#folderAt(to), known));
    log(`the project was moved from ${from} to ${to}`);
    onMoved(from);
  }

  #folderAt(to: string): ProjectFolder {
    const { root, pidsDir, manifestName } = this.#context.folder;
    return projectFolder(to, rebasePath(pidsDir, root, to), manifestName);
  }
}
