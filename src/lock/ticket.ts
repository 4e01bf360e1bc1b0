import { randomBytes } from 'node:crypto';
import { type BigIntStats, linkSync, lstatSync, rmSync, writeFileSync } from 'node:fs';
import { errnoOf } from '../errors.ts';
import type { Identity } from '../processes/identity.ts';
import { temporaryPath } from '../project/atomic-file.ts';
import { asObject, isOwnIdentity, isText, parseJson } from '../project/field-checks.ts';
import { otherOwner, readOwnFile } from '../project/safe-file.ts';

/** Who holds the lock of a project. */
export interface LockHolder {
  readonly identity: Identity;
  /** What it does, for people: `devctl stop web`. */
  readonly command: string;
  /** Since when, ISO 8601 in UTC, for people only. */
  readonly at: string;
}

/** One lock that lies there. Its token is its name: no other lock ever has it again. */
export interface LockTicket extends LockHolder {
  readonly token: string;
}

export type LockSeen =
  | { readonly kind: 'free' }
  | { readonly kind: 'held'; readonly token: string; readonly holder: LockTicket }
  | {
      /** Not a lock: garbage, a folder, a symbolic link, another user's file. */
      readonly kind: 'bad';
      readonly token: string;
      readonly reason: string;
      /** It is a file, last changed at this time; null for what no writer can be at work on. */
      readonly mtimeMs: number | null;
    }
  /** It was replaced while we looked. */
  | { readonly kind: 'changed' };

export function newTicket(holder: LockHolder): LockTicket {
  const { identity, command, at } = holder;
  return { identity, command, at, token: randomBytes(16).toString('hex') };
}

/**
 * Puts a ticket at `path`, if nothing is there. link(2) makes it appear with its whole content, so
 * nobody ever sees it half-written.
 *
 * @returns is it there now? False when the place is taken
 * @throws the error of the file system; ENOENT when the folder has gone
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
 * What lies at `path`? Changes nothing.
 *
 * @throws Error when the system will not say (EMFILE, EIO): then nobody may call it bad
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
  // Released while we looked. The number of its inode may be in use again already, by another lock,
  // so that to look once more at the node would prove nothing.
  if (file.kind === 'missing' || nodeAt(path)?.token !== token) return { kind: 'changed' };
  if (file.kind === 'refused' && file.errno && file.errno !== 'EACCES') {
    throw Object.assign(new Error(`${path}: ${file.reason}`), { code: file.errno });
  }
  const reason = file.kind === 'refused' ? file.reason : 'not a lock of devctl';
  return { kind: 'bad', token, reason, mtimeMs: Number(found.mtimeMs) };
}

/** Longer than any writer takes; a file that is no lock after this time will not become one. */
const WRITING_MS = 5_000;

/** May a writer still be at work on a file that was last changed then? */
export function isYoung(mtimeMs: number | null): boolean {
  // A time that lies ahead is no sign of youth either: a clock was set, or a file was forged.
  return mtimeMs !== null && Math.abs(Date.now() - mtimeMs) < WRITING_MS;
}

/** FAT, exFAT and some network file systems have no hard links: link(2). */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/** There it can be seen half-written, which is why a bad lock is given some seconds. */
function placeWithoutLink(path: string, content: string): boolean {
  try {
    writeFileSync(path, content, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Over NFS link(2) can succeed and report a failure, when only its answer was lost: open(2). */
function hasToken(path: string, token: string): boolean {
  const seen = lookAtTicket(path);
  return seen.kind === 'held' && seen.token === token;
}

/**
 * A name for what has no token of its own. It is unique for what is bad, because that is only ever
 * moved: it keeps its inode, and the number cannot be given out again.
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
  return isText(token) && /^[0-9a-f]{32}$/.test(token) ? { identity, command, at, token } : null;
}
