import { randomBytes } from 'node:crypto';
import { type BigIntStats, linkSync, lstatSync, rmSync, writeFileSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import type { Identity } from '../processes/identity.ts';
import { temporaryPath } from '../project/atomic-file.ts';
import { asObject, isOwnIdentity, isText, parseJson } from '../project/field-checks.ts';
import { otherOwner, readOwnFile } from '../project/safe-file.ts';

/** The process that holds the lock of a project. */
export interface LockHolder {
  readonly identity: Identity;
  /** The command that it runs, for people: `stop`. */
  readonly command: string;
  /** The time at which it asked for the lock, ISO 8601 in UTC, for people only. */
  readonly at: string;
  /** The project folder in which it works. Missing in locks of early versions. */
  readonly folder?: TicketFolder;
}

/** A project folder, with its device and inode number in decimal digits (stat(2)). */
export interface TicketFolder {
  readonly path: string;
  readonly device: string;
  readonly inode: string;
  /** Real path of its records folder. Missing in locks of early versions. */
  readonly pidsDir?: string;
  /** File name of the manifest. Missing in locks of early versions. */
  readonly manifest?: string;
}

/** The content of one lock file. Its token identifies it: no other lock ever has the same token. */
export interface LockTicket extends LockHolder {
  readonly token: string;
}

/** The state of the lock file at one moment. */
export type LockSeen =
  | { readonly kind: 'free' }
  | { readonly kind: 'held'; readonly token: string; readonly holder: LockTicket }
  | {
      /** Not a lock: garbage, a folder, a symbolic link, another user's file. */
      readonly kind: 'bad';
      readonly token: string;
      readonly reason: string;
      /** The mtime of a regular file; null where no writer can be at work, as on a folder. */
      readonly mtimeMs: number | null;
    }
  /** The file was replaced while we read it. */
  | { readonly kind: 'changed' };

/** Makes a ticket with a token of its own. */
export function newTicket(holder: LockHolder): LockTicket {
  const { identity, command, at, folder } = holder;
  return {
    identity,
    command,
    at,
    ...(folder && { folder }),
    token: randomBytes(16).toString('hex'),
  };
}

/**
 * Puts a ticket at `path` if nothing is there. The file appears with its whole content (link(2)), so no process ever
 * reads half of it.
 *
 * @returns true when the ticket is there now, false when the place is taken
 * @throws the error of the file system; ENOENT when the folder is gone
 */
export function placeTicket(path: string, ticket: LockTicket): boolean {
  const content = `${JSON.stringify({ schema: 1, ...ticket }, null, 2)}\n`;
  const temporary = temporaryPath(path);
  try {
    writeFileSync(temporary, content, { flag: 'wx', mode: 0o600 });
    linkSync(temporary, path);
    return true;
  } catch (error) {
    const errno = errnoOf(error) ?? '';
    if (errno === 'EEXIST') return hasToken(path, ticket.token);
    if (NO_LINKS.has(errno)) return placeWithoutLink(path, content);
    throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
}

/**
 * Tells what is at `path`. Changes nothing.
 *
 * @throws Error when the file cannot be read for a passing reason (EMFILE, EIO), so that nobody takes it for garbage
 */
export function lookAtTicket(path: string): LockSeen {
  const before = nodeAt(path);
  if (!before) return { kind: 'free' };
  const { token, found } = before;
  const refused = reasonToRefuse(found);
  if (refused) return { kind: 'bad', token, reason: refused, mtimeMs: null };

  const file = readOwnFile(path);
  const ticket = file.kind === 'content' ? toTicket(parseJson(file.bytes)) : null;
  if (ticket) return { kind: 'held', token: ticket.token, holder: ticket };
  // A missing file was released while we read it. To compare the inode again would prove nothing then, because
  // another lock may have its number by now.
  if (file.kind === 'missing' || nodeAt(path)?.token !== token) return { kind: 'changed' };
  if (file.kind === 'refused' && file.errno && file.errno !== 'EACCES') {
    throw Object.assign(new Error(`${path}: ${file.reason}`), { code: file.errno });
  }
  const reason = file.kind === 'refused' ? file.reason : 'not a lock of devctl';
  return { kind: 'bad', token, reason, mtimeMs: Number(found.mtimeMs) };
}

/** A time longer than any writer takes, in ms. A file that is no lock after this time will not become one. */
const WRITING_MS = 5_000;

/** Tells whether a writer may still be at work on a file with this mtime. */
export function isYoung(mtimeMs: number | null): boolean {
  // An mtime far in the future does not count as young, because a clock was set or a file was forged.
  return mtimeMs !== null && Math.abs(Date.now() - mtimeMs) < WRITING_MS;
}

/** The errors of file systems without hard links: FAT, exFAT and some network file systems (link(2)). */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/** Writes the file in place. Other processes may read half of it, which is why a bad lock gets WRITING_MS. */
function placeWithoutLink(path: string, content: string): boolean {
  try {
    writeFileSync(path, content, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Tells whether this ticket is at `path` although link(2) failed. Over NFS the call can succeed and only its answer
 * be lost (open(2)).
 */
function hasToken(path: string, token: string): boolean {
  const seen = lookAtTicket(path);
  return seen.kind === 'held' && seen.token === token;
}

/**
 * Makes a token for a file that has none, from its inode. The token is unique among bad files: they are moved and
 * never deleted, so the kernel cannot give their inode numbers to other files.
 */
function nodeAt(path: string): { readonly token: string; readonly found: BigIntStats } | null {
  const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return found ? { token: `node-${found.dev}-${found.ino}`, found } : null;
}

function reasonToRefuse(found: BigIntStats): string | null {
  if (found.isSymbolicLink()) return 'a symbolic link';
  return found.isFile() ? otherOwner(Number(found.uid)) : 'not a regular file';
}

function toTicket(value: unknown): LockTicket | null {
  const fields = asObject(value);
  if (!fields) return null;
  const { schema, identity, command, at, token } = fields;
  if (schema !== 1 || !isOwnIdentity(identity) || !isText(command) || !isText(at)) return null;
  if (!isText(token) || !/^[0-9a-f]{32}$/.test(token)) return null;
  const folder = toFolder(fields.folder);
  return { identity, command, at, ...(folder && { folder }), token };
}

function toFolder(value: unknown): TicketFolder | null {
  const { path, device, inode, pidsDir, manifest } = asObject(value) ?? {};
  if (!isText(path) || !isText(device) || !isText(inode)) return null;
  const later = { ...(isText(pidsDir) && { pidsDir }), ...(isText(manifest) && { manifest }) };
  return { path, device, inode, ...later };
}
