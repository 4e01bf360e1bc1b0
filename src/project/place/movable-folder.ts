import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DevctlError } from '../../errors.ts';
import { DEVCTL } from '../../own-command.ts';
import type { ProjectFolder } from '../folder.ts';
import { type FolderIdentity, identityOf } from './folder-identity.ts';
import { movedAway, workingFolder } from './hold-folder.ts';
import type { FolderStanding } from './standing.ts';

/**
 * The folder of a supervisor, which outlives a move of the project: everybody who has it sees where the project is
 * now.
 *
 * A supervisor writes without being asked, so it writes only where the project still is, and makes no folder: a
 * removal of the project must succeed while the supervisor runs.
 */
export class MovableFolder implements ProjectFolder {
  /** False for a project that never had a manifest. */
  readonly #hadManifest: boolean;
  #current: ProjectFolder;
  #identity: FolderIdentity | null;

  constructor(folder: ProjectFolder) {
    this.#current = folder;
    this.#identity = identityOf(folder.root);
    this.#hadManifest = existsSync(join(folder.root, folder.manifestName));
  }

  /** Null where the folder could not be looked at when the supervisor began. */
  get identity(): FolderIdentity | null {
    return this.#identity;
  }
  get root(): string {
    return this.#current.root;
  }
  get pidsDir(): string {
    return this.#current.pidsDir;
  }
  get mark(): string {
    return this.#current.mark;
  }
  get marks(): readonly string[] {
    return this.#current.marks;
  }
  get paths(): readonly string[] {
    return this.#current.paths;
  }
  get id(): string | null {
    return this.#current.id;
  }
  get manifestName(): string {
    return this.#current.manifestName;
  }
  get protection(): ProjectFolder['protection'] {
    return this.#current.protection;
  }
  get standing(): FolderStanding {
    return this.#current.standing;
  }

  moveTo(folder: ProjectFolder): void {
    this.#current = folder;
    // On another file system it is another folder.
    this.#identity = identityOf(folder.root) ?? this.#identity;
  }

  /** Tells whether a path leads to this very folder. */
  isAt(path: string): boolean {
    const found = identityOf(path);
    if (!found || !this.identity) return false;
    return found.device === this.identity.device && found.inode === this.identity.inode;
  }

  /**
   * The folder as it is now, for one stop. It does not move: a step of the stop fails where the folder was moved
   * meanwhile. A removed folder fails nothing, because its processes must end.
   */
  forStop(): ProjectFolder {
    const current = this.#current;
    const requireHere = (): void => {
      const path = this.isAt(current.root) ? null : workingFolder();
      if (path !== null && this.isAt(path)) throw movedAway(current, { path });
    };
    return { ...current, requireWritable: () => this.requireWritable(), requireHere };
  }

  /** @throws DevctlError 'records-unwritable' where nothing may be written now */
  requireWritable(): void {
    const { root, pidsDir, manifestName } = this;
    if (!this.isAt(root)) throw gone(`the project folder ${root} was moved or removed`);
    if (this.#hadManifest && !existsSync(join(root, manifestName))) {
      throw gone(`${manifestName} is missing in ${root}`);
    }
    if (!existsSync(pidsDir)) throw gone(`the records folder ${pidsDir} was removed`);
  }
}

function gone(message: string): DevctlError {
  return new DevctlError('records-unwritable', message, {
    hint: `the supervisor writes nothing there; ${DEVCTL} start makes the records again`,
  });
}
