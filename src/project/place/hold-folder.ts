import { closeSync, constants, fstatSync, openSync, readlinkSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { DevctlError, errnoOf } from '../../errors.ts';
import { DEVCTL } from '../../own-command.ts';
import type { ProjectFolder } from '../folder.ts';
import { isInside } from '../inside.ts';
import { USUAL_MANIFEST } from '../names.ts';
import { type FolderIdentity, identityOf } from './folder-identity.ts';

/** Where a folder is now: its path, or that it was removed; null where nobody can tell. */
export type HeldPlace = { readonly path: string } | 'removed' | null;

/** Keeps the identity of a project folder while a command is at work, so that the command notices a move. */
export interface FolderHold {
  isAt(path: string): boolean;
  /** Finds the folder. */
  where(): HeldPlace;
  /**
   * Makes sure that a path still leads to the folder. Passes where the folder was removed and nothing is at the path.
   *
   * @throws DevctlError 'folder-moved'
   */
  require(folder: ProjectFolder): void;
  release(): void;
}

/**
 * Does some work with a project folder that tells, before each step that matters, when another folder or none is at
 * its path by then. A supervisor follows its folder by itself.
 */
export async function holdingFolder<T>(
  folder: ProjectFolder,
  work: (held: ProjectFolder) => Promise<T>,
): Promise<T> {
  const { held, release } = holdProject(folder);
  try {
    return await work(held);
  } finally {
    release();
  }
}

/** Does the same for a caller that releases the folder itself. */
export function holdProject(folder: ProjectFolder): {
  readonly held: ProjectFolder;
  readonly release: () => void;
} {
  // The folder was removed before, and what is at its path is known to be none of ours.
  const isKnown = folder.isReplaced || folder.requireHere || folder.requireWritable;
  if (isKnown) return { held: folder, release: () => {} };
  const hold = openHold(folder.root, folder.identity);
  const held = { ...folder, requireHere: () => hold.require(held) };
  return { held, release: hold.release };
}

/**
 * Holds a folder by an open descriptor, which the kernel takes along when the folder is moved. Without /proc the working
 * directory of this process tells where the folder is, if it is inside.
 *
 * @param identity the identity that the folder had when the project was found; null: it was not there
 */
export function openHold(root: string, identity = identityOf(root)): FolderHold {
  const begun = workingFolder();
  const below = begun !== null && isInside(root, begun) ? relative(root, begun) : null;
  let fd = identity && openFolder(root, identity);
  return { isAt, where, require, release };

  function isAt(path: string): boolean {
    return lookAt(path, identity) === 'same';
  }

  function where(): HeldPlace {
    if (identity === null) return 'removed';
    const found = fd === null ? null : placeOf(fd);
    if (found === 'removed') return found;
    const path = found?.path ?? pathAbove(workingFolder(), below);
    return path !== null && isAt(path) ? { path } : null;
  }

  function require(folder: ProjectFolder): void {
    const atPath = lookAt(folder.root, identity);
    if (atPath === 'same') return;
    const place = where();
    if (!mayGoOn(atPath, place)) throw movedAway(folder, place);
  }

  function release(): void {
    if (fd !== null) closeSync(fd);
    fd = null;
  }
}

/** The folder at a path, as one look finds it. 'unknown': the system does not say (ESTALE, EIO, EACCES). */
export type FoundAtPath = 'same' | 'another' | 'missing' | 'unknown';

/** Decides whether a command may go on at a path. The path of a removed folder is nobody else's while nothing is there. */
export function mayGoOn(atPath: FoundAtPath, place: HeldPlace): boolean {
  if (atPath === 'missing') return place === 'removed';
  return atPath !== 'another';
}

function lookAt(path: string, identity: FolderIdentity | null): FoundAtPath {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    const found = { device: String(dev), inode: String(ino) };
    return isSame(identity, found) ? 'same' : 'another';
  } catch (error) {
    return ['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '') ? 'missing' : 'unknown';
  }
}

function isSame(a: FolderIdentity | null, b: FolderIdentity): boolean {
  return a?.device === b.device && a.inode === b.inode;
}

/** @returns null where the folder may not be read, or is another one by now */
function openFolder(root: string, identity: FolderIdentity): number | null {
  try {
    const fd = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
    const { dev, ino } = fstatSync(fd, { bigint: true });
    if (isSame(identity, { device: String(dev), inode: String(ino) })) return fd;
    closeSync(fd);
  } catch {
    // Then its path alone must do.
  }
  return null;
}

/** The kernel writes " (deleted)" behind the path of a removed folder (proc_pid_fd(5)). */
function placeOf(fd: number): HeldPlace {
  try {
    if (fstatSync(fd).nlink === 0) return 'removed';
    const path = readlinkSync(`/proc/self/fd/${fd}`);
    return path.endsWith(' (deleted)') ? 'removed' : { path };
  } catch {
    return null;
  }
}

/** The working directory of this process, which the kernel takes along; null where it was removed. */
export function workingFolder(): string | null {
  try {
    // Node remembers its working directory until it is set again.
    process.chdir('.');
    return process.cwd();
  } catch {
    return null;
  }
}

function pathAbove(path: string | null, below: string | null): string | null {
  const suffix = below === '' ? '' : `/${below}`;
  return below !== null && path?.endsWith(suffix)
    ? path.slice(0, path.length - suffix.length)
    : null;
}

/** The failure of a step at a path where the folder is no more. */
export function movedAway({ root, manifestName }: ProjectFolder, place: HeldPlace): DevctlError {
  const to = place !== null && place !== 'removed' ? place.path : null;
  const what =
    to !== null
      ? `${root} was moved to ${to}`
      : place === 'removed'
        ? `${root} was removed, and another folder is there now`
        : `${root} was moved or removed`;
  const config = to !== null && manifestName !== USUAL_MANIFEST ? join(to, manifestName) : to;
  return new DevctlError(
    'folder-moved',
    `${what} while devctl was at work, so it went no further`,
    {
      hint:
        config === null
          ? `${DEVCTL} status --all shows where something of the project still runs`
          : `see what still runs there, and go on: ${DEVCTL} status --config ${config}`,
    },
  );
}
