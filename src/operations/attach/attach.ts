/*
 * The files of this folder: a person at the terminal of a service.
 *
 *   attach  shows the terminal, and passes keys on
 *   running-service  finds a service that runs, and the FIFO that leads to it
 *   keys    finds the key that detaches
 *   modes   undoes what the service has done to the terminal of the person
 */

import { closeSync, constants, fstatSync, openSync, watch } from 'node:fs';
import { DevctlError } from '../../errors.ts';
import { openLogSource } from '../../logs/source.ts';
import { DEVCTL } from '../../own-command.ts';
import { whenEnded } from '../../processes/end-of-process.ts';
import type { Host } from '../../processes/host.ts';
import type { Identity } from '../../processes/identity.ts';
import { loadTerminals } from '../../processes/native/native.ts';
import type { TerminalSize, Terminals } from '../../processes/native/terminals.ts';
import { terminalNumber } from '../../processes/terminal.ts';
import type { OpenProject } from '../../project/open-project.ts';
import type { Exit, RecordedTerminal, ServiceRecord } from '../../project/service-record.ts';
import { writeToFifo } from '../../services/launch/write-stdin.ts';
import { cutAtDetach } from './keys.ts';
import { type ModeTracker, trackModes } from './modes.ts';
import { runningService, stdinOf } from './running-service.ts';

/** The terminal of a service that runs. */
export interface ServiceTerminal {
  readonly service: string;
  readonly leader: Identity;
  readonly record: ServiceRecord & { readonly terminal: RecordedTerminal };
  /** Path of the FIFO that leads to it. */
  readonly stdin: string;
  readonly terminals: Terminals;
}

/**
 * Finds the terminal of a service.
 *
 * @throws DevctlError 'service-unknown'; 'usage' where it has none; 'send-failed' when it does not run; 'tool-missing'
 */
export async function findTerminal(
  host: Pick<Host, 'snapshot'>,
  project: OpenProject,
  name: string,
): Promise<ServiceTerminal> {
  const record = await runningService(host, project, name);
  const { service, terminal, leader } = record;
  if (!terminal) {
    throw new DevctlError('usage', `${service} has no terminal to attach to`, {
      hint: `set "tty": true for it, then ${DEVCTL} restart ${service}; without a terminal: ${DEVCTL} logs -f ${service}`,
    });
  }
  const terminals = await loadTerminals();
  if ('why' in terminals) {
    throw new DevctlError('tool-missing', `nothing can be attached to: ${terminals.why}`);
  }
  const stdin = stdinOf(project, record);
  return { service, leader, record: { ...record, terminal }, stdin, terminals };
}

/** The terminal of the person. */
export interface OwnTerminal {
  /** The bytes that the person types. They end when the terminal is closed. */
  readonly typed: AsyncIterable<Buffer>;
  /** Resolves when the terminal has taken the bytes. */
  write(bytes: Buffer): Promise<void>;
  size(): TerminalSize;
  /** @returns a function that ends the subscription */
  onResize(resized: () => void): () => void;
  /** Aborted when this process is to end: then what is shown no longer matters. */
  readonly over: AbortSignal;
}

/** How an attachment ended. */
export interface Attachment {
  readonly end:
    | { readonly kind: 'detached' }
    | { readonly kind: 'ended'; readonly exit: Exit }
    /** The terminal of the person is closed. */
    | { readonly kind: 'closed' }
    /** It takes no keys. */
    | { readonly kind: 'refused'; readonly why: string };
  /** The text that undoes what the service has done to the terminal of the person. */
  readonly undo: string;
}

/** Time between two looks at the log where the system reports no changes, in ms. */
const LOOK_MS = 100;
/** How long the holder may take to write the last words of the service, in ms. */
const LAST_WORDS_MS = 1_000;
const CHUNK_BYTES = 64 * 1024;

/**
 * Puts the terminal of a service on that of a person, until the person detaches or one of the two ends. The output comes
 * from the log, and the keys go to the FIFO. So nothing of devctl stands between the service and its terminal, and any
 * number of people can attach.
 *
 * @param from position in the log
 * @param modes the modes that the service has set before
 */
export async function attachTerminal(
  project: OpenProject,
  target: ServiceTerminal,
  own: OwnTerminal,
  from: number,
  modes: ModeTracker,
): Promise<Attachment> {
  await own.write(Buffer.from(modes.redo()));
  const shown = showLog(project, target, { ...own, push: modes.push }, from);
  const resize = () => onSlave(target, (fd) => target.terminals.setSize(fd, own.size()));
  redraw(target, own.size());
  // Programs that read whole lines leave the echo to the terminal. `send` needs none.
  onSlave(target, (fd) => target.terminals.setEcho(fd, true));
  const unsubscribe = own.onResize(resize);
  const aborted = new Promise<Attachment['end']>((resolve) => {
    own.over.addEventListener('abort', () => resolve({ kind: 'closed' }), { once: true });
  });
  const ended = whenEnded(target.leader).then((exit) => ({ kind: 'ended' as const, exit }));
  const end = await Promise.race([passKeys(target, own.typed), ended, aborted]);
  unsubscribe();
  onSlave(target, (fd) => target.terminals.setEcho(fd, false));
  if (end.kind === 'ended') {
    const late = new Promise((resolve) => setTimeout(resolve, LAST_WORDS_MS).unref());
    await Promise.race([whenEnded(target.record.terminal.holder), late, aborted]);
  }
  await shown.stop();
  return { end, undo: modes.undo() };
}

/** The longest part of the log, in bytes, that is searched for modes of the terminal. */
const MODES_BYTES = 1024 * 1024;

/** Finds the modes that the service has set before a position in its log. */
export function readModes(project: OpenProject, target: ServiceTerminal, to: number): ModeTracker {
  const modes = trackModes();
  for (const bytes of writtenBefore(project, target, to)) modes.push(bytes);
  return modes;
}

/** Reads the end of what this run has written before. */
function* writtenBefore(
  { folder }: OpenProject,
  { service, record: { log, logFrom = 0 } }: ServiceTerminal,
  to: number,
): Generator<Buffer> {
  const source = openLogSource(folder, service, log);
  const room = Buffer.alloc(CHUNK_BYTES);
  for (let position = Math.max(logFrom, to - MODES_BYTES); position < to; ) {
    const read = source.read(position, room.subarray(0, to - position));
    if (!read || read.position >= to) return;
    yield read.bytes;
    position = read.position + read.bytes.length;
  }
}

/** Writes what is typed to the FIFO, until the key that detaches. */
async function passKeys(
  { stdin }: ServiceTerminal,
  typed: AsyncIterable<Buffer>,
): Promise<Attachment['end']> {
  let detached = false;
  const keys = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of typed) {
      const read = cutAtDetach(chunk);
      if (read.keys.length > 0) yield read.keys;
      detached = read.detach;
      if (detached) return;
    }
  };
  const written = await writeToFifo(stdin, keys());
  if (written.kind === 'refused') return { kind: 'refused', why: written.why };
  return detached ? { kind: 'detached' } : { kind: 'closed' };
}

/** Shows the log from a position on, as it grows. */
function showLog(
  { folder }: OpenProject,
  { service, record: { log } }: ServiceTerminal,
  own: Pick<OwnTerminal, 'write' | 'over'> & { push(bytes: Buffer): void },
  from: number,
): { stop(): Promise<void> } {
  const source = openLogSource(folder, service, log);
  const room = Buffer.alloc(CHUNK_BYTES);
  let position = from;
  let isStopped = false;
  let wake = (): void => {};
  const readAll = async (): Promise<void> => {
    for (;;) {
      const read = own.over.aborted ? null : source.read(position, room);
      if (!read) return;
      position = read.position + read.bytes.length;
      own.push(read.bytes);
      await own.write(read.bytes);
    }
  };
  const watcher = watchFile(log, () => wake());
  const shown = (async () => {
    while (!isStopped) {
      await readAll();
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, LOOK_MS);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
        if (isStopped) wake();
      });
    }
    await readAll();
  })();
  return {
    async stop() {
      isStopped = true;
      wake();
      await shown;
      watcher?.close();
    },
  };
}

function watchFile(path: string, changed: () => void) {
  try {
    return watch(path, changed).on('error', () => {});
  } catch {
    // No watches are left: the timer looks.
    return null;
  }
}

/**
 * Gives the terminal our size. A program on the whole screen draws it anew when its size changes, so the size changes in
 * any case.
 */
function redraw(target: ServiceTerminal, size: TerminalSize): void {
  onSlave(target, (fd) => {
    const { terminals } = target;
    const before = terminals.size(fd);
    if (before?.rows === size.rows && before.columns === size.columns) {
      terminals.setSize(fd, { ...size, rows: size.rows + 1 });
    }
    terminals.setSize(fd, size);
  });
}

/**
 * Does something with the slave, if it is still the terminal of the service. It is open for a moment only, because its
 * holder waits until no process has it open.
 */
function onSlave(
  { leader, record: { terminal } }: ServiceTerminal,
  act: (fd: number) => void,
): void {
  let fd: number;
  try {
    fd = openSync(terminal.path, constants.O_RDWR | constants.O_NOCTTY);
  } catch {
    // The service has ended.
    return;
  }
  try {
    if (fstatSync(fd).rdev === terminalNumber(leader.pid)) act(fd);
  } finally {
    closeSync(fd);
  }
}
