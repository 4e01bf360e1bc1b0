// A preload (NODE_OPTIONS=--require …/preload.cjs) that writes down when a process of devctl does what.
//
// It notes calls that say which phase the process is in: reads of /proc and of the project, signals, spawns.
// A note takes about 2 µs; all are written at the end of the process. Neither process.stdout is noted nor anything else that
// devctl loads late or never, because to wrap it would be to load it.
// DEVCTL_TRACE_FOLDER names the folder for them. No service inherits it.
//
// It is no strace(1), because that stops the process at each system call, of which devctl makes thousands, so the times
// would be those of strace. It is no trace point in the product either, because these would have to be kept up with each
// change of it, and the calls of Node that are noted here are made by any way of doing the same.
'use strict';

const childProcess = require('node:child_process');
const fs = require('node:fs');
const Module = require('node:module');
const path = require('node:path');

/** Between the two clocks of Node. `performance.now` takes 50 ns, and the other one 200. */
const originMs = Number(process.hrtime.bigint()) / 1e6 - performance.now();
const bootedAt = now();
const ROLES = { '/dist/supervisor/main.js': 'supervisor', '/bin/devctl.js': 'command' };
const role = Object.entries(ROLES).find(([end]) => (process.argv[1] ?? '').endsWith(end))?.[1];
const folder = process.env.DEVCTL_TRACE_FOLDER;
const inherited = { NODE_OPTIONS: process.env.NODE_OPTIONS, DEVCTL_TRACE_FOLDER: folder };
if (folder !== undefined) {
  delete process.env.NODE_OPTIONS;
  delete process.env.DEVCTL_TRACE_FOLDER;
}
/** Reads with no longer pause between them are one note, in ms. */
const READ_GAP_MS = 2;
if (role !== undefined && folder !== undefined) arm();

/** CLOCK_MONOTONIC in ms, the same in all processes. */
function now() {
  return originMs + performance.now();
}

function arm() {
  const project = fs.realpathSync(process.cwd());
  const { appendFileSync } = fs;
  /** [kind, begin, end, idle so far, how many] */
  const notes = [];
  let depth = 0;

  function note(kind, begin) {
    const end = now();
    const last = notes.at(-1);
    // Thousands of reads follow each other.
    if (kind === 'read' && last?.[0] === 'read' && begin - last[2] < READ_GAP_MS) {
      last[2] = end;
      last[3] = idleMs();
      last[4] += 1;
    } else {
      notes.push([kind, begin, end, idleMs(), 1]);
    }
  }

  function wrap(object, name, kindOf) {
    const original = object[name];
    if (typeof original !== 'function') return;
    object[name] = function wrapped(...args) {
      const kind = depth === 0 ? kindOf(...args) : null;
      if (kind === null) return original.apply(this, args);
      depth += 1;
      const begin = now();
      try {
        return original.apply(this, args);
      } finally {
        note(kind, begin);
        depth -= 1;
      }
    };
    Object.defineProperties(object[name], Object.getOwnPropertyDescriptors(original));
  }

  const ofFile = (target) => {
    const text = String(target);
    if (text === '/proc') return 'look';
    if (text.startsWith('/proc/')) return 'read';
    return text.startsWith(project) ? 'project' : null;
  };
  const FILES = ['open', 'readFile', 'readdir', 'readlink', 'stat', 'lstat', 'exists', 'realpath'];
  for (const name of [...FILES, 'mkdir', 'rename', 'writeFile']) wrap(fs, `${name}Sync`, ofFile);
  for (const name of FILES) wrap(fs.promises, name, ofFile);
  wrap(process, 'kill', (_, signal) => (signal === 0 ? null : 'signal'));
  wrap(childProcess.ChildProcess.prototype, 'kill', () => 'signal');

  const { spawn } = childProcess;
  childProcess.spawn = (file, args, options) => {
    const isOurs = Array.isArray(args) && args.some((word) => /\/supervisor\/main\.js$/.test(word));
    const env = isOurs ? { env: { ...(options?.env ?? process.env), ...inherited } } : {};
    const begin = now();
    const child = spawn(file, args, { ...options, ...env });
    note(isOurs ? 'spawn supervisor' : 'spawn', begin);
    return child;
  };

  // pidfd_send_signal(2) through koffi.
  const SYS_PIDFD_SEND_SIGNAL = 424;
  const loadAddon = Module._extensions['.node'];
  Module._extensions['.node'] = (module, filename) => {
    loadAddon(module, filename);
    const { load } = module.exports;
    if (!/koffi/.test(filename) || typeof load !== 'function') return;
    module.exports.load = (...args) => {
      const library = load(...args);
      const bind = library.func.bind(library);
      const func = (prototype, ...more) => {
        const holder = { call: bind(prototype, ...more) };
        const { call } = holder;
        if (!/\bsyscall\b/.test(String(prototype))) return call;
        wrap(holder, 'call', (number, _, signal) =>
          number === SYS_PIDFD_SEND_SIGNAL && signal !== 0 ? 'signal' : null,
        );
        return holder.call;
      };
      return new Proxy(library, {
        get: (target, key) => (key === 'func' ? func : Reflect.get(target, key)),
      });
    };
  };
  Module.syncBuiltinESMExports();

  process.once('exit', () => {
    note('exit', now());
    const line = { role, pid: process.pid, bootedAt, preloadedAt, notes };
    appendFileSync(path.join(folder, 'notes.ndjson'), `${JSON.stringify(line)}\n`);
  });
  const preloadedAt = now();
}

/** The time that the event loop has waited so far, in ms. */
function idleMs() {
  return performance.eventLoopUtilization().idle;
}
