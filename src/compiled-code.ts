import {
  closeSync,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, isAbsolute, join } from 'node:path';
import { setTimeout } from 'node:timers';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';

/** The commands that load without the parser of command lines. Each calls other functions, so each has code of its own. */
const QUICK = ['start', 'restart', 'status', 'stop'];
/** A process that still runs after this time saves what it has compiled; any other does it when it ends. In ms. */
const SAVE_MS = 10_000;
/** Code that was written longer ago is removed, because its devctl or its Node may be gone. In ms. */
const OLD_MS = 30 * 24 * 3_600_000;
/** Largest size of the cache, in bytes. One devctl has up to 10 MB there. */
const MOST_BYTES = 64 * 1024 * 1024;
/** The size of the pieces in which the second half of a cache is read, in bytes. */
const PIECE_BYTES = 64 * 1024;
/** The first line of each bundle names the build that it is a part of: see `scripts/build.mjs`. */
const BUILD = /^'use strict';'build \w+';/;

/** The code of one bundle, for one kind of process. */
interface Slot {
  /** Name of its file in the cache. Another installation at the same path takes the same one, so it replaces this code. */
  readonly name: string;
  /** First line of that file. */
  readonly identity: string;
}

const loaded = new Map<string, { exports: unknown }>();
/** The bundles that this process has compiled. */
const fresh = new Map<Slot, Script>();
let ownBuild: string | undefined;

/**
 * Does what `require` does for a bundle of `dist/`, and keeps what V8 makes of its text for the next command: without that
 * each command compiles 400 kB anew.
 *
 * The cache is `$XDG_CACHE_HOME/devctl/code` (by default below `~/.cache`). It is made in a folder of this user only, and used
 * only while no other user can write to it. Everything that is wrong with it costs time and nothing else. Programs that use the
 * library have none. NODE_DISABLE_COMPILE_CACHE=1, a variable of Node's, turns it off.
 *
 * @param file absolute path. It must not call `import()`.
 * @throws Error where the file belongs to another build, because bundles call each other by numbers
 */
export function loadCompiled(file: string): unknown {
  const known = loaded.get(file);
  if (known) return known.exports;
  const module = { exports: {} };
  loaded.set(file, module);
  try {
    const run = compile(file).runInThisContext();
    run.call(module.exports, module.exports, createRequire(file), module, file, dirname(file));
  } catch (error) {
    loaded.delete(file);
    throw error;
  }
  return module.exports;
}

function compile(file: string): Script {
  const fd = openSync(file, 'r');
  try {
    // The build leaves no other character in it.
    const text = readFileSync(fd, 'latin1');
    ownBuild ??= buildOf(readFileSync(fileURLToPath(import.meta.url), 'utf8'));
    if (buildOf(text) !== ownBuild) {
      throw new Error('devctl was replaced by another build while it ran: run the command again');
    }
    const slot = slotOf(file, fd);
    const cachedData = slot && readCache(slot);
    const script = new Script(
      `(function (exports, require, module, __filename, __dirname) { ${text}\n})`,
      { filename: file, ...(cachedData ? { cachedData } : {}) },
    );
    // V8 refuses what another version of it, or the same one with other flags, has made.
    if (slot && (!cachedData || script.cachedDataRejected)) saveLater(slot, script);
    return script;
  } finally {
    closeSync(fd);
  }
}

function buildOf(text: string): string {
  return BUILD.exec(text)?.[0] ?? '';
}

function slotOf(file: string, fd: number): Slot | null {
  const role = roleOf(process.argv);
  if (role === null) return null;
  const { version, arch, execPath } = process;
  // V8 itself compares no more than the length of the text. Any way of writing to a file changes one of these.
  const { dev, ino, size, mtimeMs, ctimeMs } = fstatSync(fd);
  const node = statSync(execPath);
  const name = [file, role, version, arch, execPath].join(' ');
  const made = [dev, ino, size, mtimeMs, ctimeMs, node.ino, node.size, node.mtimeMs].join(' ');
  return { name: hashOf(name), identity: `${name} ${made}` };
}

/** @returns null in a program that is not devctl, and only uses the library */
function roleOf([, script = '', command = '']: readonly string[]): string | null {
  if (script.endsWith('/supervisor/main.js')) return 'supervisor';
  if (!/\/devctl(\.js)?$/.test(script)) return null;
  return QUICK.includes(command) ? command : 'other';
}

/**
 * Reads what was compiled before.
 *
 * V8 ends the process when it is given damaged data (Node 20: a segmentation fault). So the data lie in the file twice, and
 * both halves must be equal. No checksum is as quick.
 *
 * @returns null where there is nothing, or something that does not belong to this file
 */
function readCache({ name, identity }: Slot): Buffer | null {
  try {
    const folder = cacheFolder();
    if (folder === null || !isPrivate(dirname(folder)) || !isPrivate(folder)) return null;
    const fd = openSync(join(folder, name), 'r');
    try {
      return dataIn(fd, Buffer.from(`${identity}\n`));
    } finally {
      closeSync(fd);
    }
  } catch {
    return null;
  }
}

/** Reads the second half in pieces, because to give it memory takes longer than to read it. */
function dataIn(fd: number, head: Buffer): Buffer | null {
  const size = (fstatSync(fd).size - head.length) / 2;
  if (!Number.isInteger(size) || size <= 0) return null;
  const first = Buffer.allocUnsafe(head.length + size);
  if (readSync(fd, first) < first.length || !first.subarray(0, head.length).equals(head)) {
    return null;
  }
  const data = first.subarray(head.length);
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  for (let at = 0; at < size; ) {
    const length = readSync(fd, piece);
    if (length === 0 || !piece.subarray(0, length).equals(data.subarray(at, at + length))) {
      return null;
    }
    at += length;
  }
  return data;
}

function saveLater(slot: Slot, script: Script): void {
  if (fresh.size === 0) {
    process.once('exit', save);
    setTimeout(save, SAVE_MS).unref();
  }
  fresh.set(slot, script);
}

/** Writes what V8 has compiled by now, functions that were called included. */
function save(): void {
  try {
    const folder = fresh.size === 0 ? null : cacheFolder();
    if (folder === null || !prepare(folder)) return;
    for (const [slot, script] of fresh) write(folder, slot, script);
    removeOld(folder);
  } catch {
    // The disk is full or read-only, or another devctl removes at the same moment: the next command compiles again.
  } finally {
    fresh.clear();
  }
}

/** Makes the folder one level at a time, because a recursive mkdir of Node never ends below /proc. */
function prepare(folder: string): boolean {
  const own = dirname(folder);
  const base = dirname(own);
  // With sudo, HOME may still be that of the user, who could not remove what root makes there.
  if (!isOurs(existsSync(base) ? base : dirname(base))) return false;
  for (const path of [base, own, folder]) {
    if (!existsSync(path)) mkdirSync(path, { mode: 0o700 });
  }
  return isPrivate(own) && isPrivate(folder);
}

function write(folder: string, { name, identity }: Slot, script: Script): void {
  const draft = join(folder, `${name}.${process.pid}`);
  // Opened first, because V8 need not work for a disk that takes nothing.
  const fd = openSync(draft, 'w', 0o600);
  try {
    const data = script.createCachedData();
    writeFileSync(fd, Buffer.concat([Buffer.from(`${identity}\n`), data, data]));
    renameSync(draft, join(folder, name));
  } catch (error) {
    // A full disk needs this room for records.
    rmSync(draft, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
}

function removeOld(folder: string): void {
  const names = readdirSync(folder).filter((name) => /^[0-9a-f]{1,8}(\.\d+)?$/.test(name));
  const files = names.map((name) => ({ path: join(folder, name), ...sizeAndAge(folder, name) }));
  let bytes = 0;
  for (const { path, size, ageMs } of files.sort((a, b) => a.ageMs - b.ageMs)) {
    bytes += size;
    if (ageMs > OLD_MS || bytes > MOST_BYTES) rmSync(path, { force: true });
  }
}

function sizeAndAge(folder: string, name: string): { size: number; ageMs: number } {
  const { size, mtimeMs } = lstatSync(join(folder, name));
  return { size, ageMs: Date.now() - mtimeMs };
}

function cacheFolder(): string | null {
  const { XDG_CACHE_HOME: cache, HOME: home, NODE_DISABLE_COMPILE_CACHE: off } = process.env;
  const base = cache || (home && join(home, '.cache'));
  return off || !base || !isAbsolute(base) ? null : join(base, 'devctl', 'code');
}

function isPrivate(folder: string): boolean {
  const found = lstatSync(folder);
  return found.isDirectory() && (found.mode & 0o077) === 0 && isOurs(folder);
}

function isOurs(path: string): boolean {
  return lstatSync(path).uid === process.geteuid?.();
}

/** Makes a short name (FNV-1a). Where two are the same, the identity in the file tells them apart. */
function hashOf(text: string): string {
  let hash = 0x811c9dc5;
  for (const char of text) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  return (hash >>> 0).toString(16);
}
