import {
  closeSync,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, isAbsolute, join } from 'node:path';
import { Script } from 'node:vm';

/** The commands that load without the parser of command lines. Each has compiled code of its own, because each calls other functions. */
const QUICK = ['start', 'status', 'stop'];
/** A process that still runs after this time saves what it has compiled; any other does it when it ends. In ms. */
const SAVE_MS = 10_000;
/** Compiled code that was written longer ago is removed, because its devctl or its Node may be gone. In ms. */
const OLD_MS = 30 * 24 * 3_600_000;

const loaded = new Map<string, { exports: unknown }>();
/** The bundles that this process has compiled, by their identity. */
const fresh = new Map<string, Script>();

/**
 * Does what `require` does for a bundle of `dist/`, and keeps what V8 makes of its text for the next command: without that
 * each command compiles 400 kB anew.
 *
 * The cache is `$XDG_CACHE_HOME/devctl/code` (by default below `~/.cache`). It is made in a folder of this user only, and used
 * only while no other user can write to it. Everything that is wrong with it costs time and nothing else.
 * NODE_DISABLE_COMPILE_CACHE=1, a variable of Node's, turns it off.
 *
 * @param file absolute path. It must not call `import()`.
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
    const { dev, ino, size, mtimeMs, ctimeMs } = fstatSync(fd);
    const { version, arch } = process;
    // V8 itself compares no more than the length. Any way of writing to a file changes one of these.
    const identity = [file, role(), version, arch, dev, ino, size, mtimeMs, ctimeMs].join(' ');
    const text = readFileSync(fd, 'utf8');
    const cachedData = readCache(identity);
    const script = new Script(
      `(function (exports, require, module, __filename, __dirname) { ${text}\n})`,
      { filename: file, ...(cachedData ? { cachedData } : {}) },
    );
    // V8 refuses what another version of it, or the same one with other flags, has made.
    if (!cachedData || script.cachedDataRejected) saveLater(identity, script);
    return script;
  } finally {
    closeSync(fd);
  }
}

function role(): string {
  const [, script = '', command = ''] = process.argv;
  if (script.endsWith('/supervisor/main.js')) return 'supervisor';
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
function readCache(identity: string): Buffer | null {
  try {
    const folder = cacheFolder();
    if (folder === null || !isPrivate(folder)) return null;
    const content = readFileSync(join(folder, nameOf(identity)));
    const head = headOf(identity);
    const half = (content.length - head.length) / 2;
    const data = content.subarray(head.length, head.length + half);
    const isWhole =
      Number.isInteger(half) &&
      half > 0 &&
      head.equals(content.subarray(0, head.length)) &&
      data.equals(content.subarray(head.length + half));
    return isWhole ? data : null;
  } catch {
    return null;
  }
}

function saveLater(identity: string, script: Script): void {
  if (fresh.size === 0) {
    process.once('exit', save);
    setTimeout(save, SAVE_MS).unref();
  }
  fresh.set(identity, script);
}

/** Writes what V8 has compiled by now, functions that were called included. */
function save(): void {
  try {
    const folder = fresh.size === 0 ? null : cacheFolder();
    // With sudo, HOME may still be that of the user, who could not remove what root makes there.
    if (folder === null || !isOurs(nearestFolder(folder))) return;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (!isPrivate(folder)) return;
    removeOld(folder);
    for (const [identity, script] of fresh) write(join(folder, nameOf(identity)), identity, script);
  } catch {
    // The disk is full or read-only: the next command compiles again.
  } finally {
    fresh.clear();
  }
}

function write(path: string, identity: string, script: Script): void {
  const draft = `${path}.${process.pid}`;
  // Opened first, because V8 need not work for a disk that takes nothing.
  const fd = openSync(draft, 'wx', 0o600);
  try {
    const data = script.createCachedData();
    writeFileSync(fd, Buffer.concat([headOf(identity), data, data]));
  } finally {
    closeSync(fd);
  }
  renameSync(draft, path);
}

function removeOld(folder: string): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (Date.now() - lstatSync(path).mtimeMs > OLD_MS) rmSync(path, { force: true });
  }
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

function nearestFolder(path: string): string {
  return existsSync(path) ? path : nearestFolder(dirname(path));
}

function headOf(identity: string): Buffer {
  return Buffer.from(`${identity}\n`);
}

/** Makes a short name (FNV-1a). Where two are the same, the identity in the file tells them apart. */
function nameOf(identity: string): string {
  let hash = 0x811c9dc5;
  for (const char of identity) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  return (hash >>> 0).toString(16);
}
