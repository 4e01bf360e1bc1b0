import type { ChildProcess } from 'node:child_process';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DevctlError, errnoOf } from '../errors.ts';
import { COOKIE_VARIABLES, guardCookie, supervisorCookie } from '../ownership/cookie.ts';
import { ownVersion, packageRoot } from '../package-root.ts';
import type { Host } from '../processes/host.ts';
import { whyNoNative } from '../processes/native/native.ts';
import { noteChild } from '../processes/own-children.ts';
import type { ProcessInfo } from '../processes/snapshot.ts';
import { appendFlags, unwritable } from '../project/atomic-file.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { USUAL_MANIFEST } from '../project/names.ts';
import { whyNotAppend } from '../project/safe-file.ts';
import { prepareSocketPath } from '../project/socket-path.ts';
import { readSupervisor } from '../project/supervisor-record.ts';
import { connectTo } from './client.ts';
import { ANSWER_MS, findSupervisorPatiently, type ReachedSupervisor } from './connect.ts';
import { endSupervisors } from './end-supervisor.ts';
import { guardedProgram } from './guard-program.ts';
import { CERTIFICATES, INHERITS, MANIFEST_NAME, READY_FD, SUPERVISOR_FLAGS } from './protocol.ts';
import { loadHttp } from './transport.ts';

/** The time that a new supervisor has to become ready: an overloaded machine takes long to start a Node process. */
const READY_MS = 30_000;
/** The number of lines of its log that the error of a failed supervisor quotes. */
const LOG_LINES = 5;

/**
 * Finds the supervisor of this project, or starts one.
 *
 * A supervisor is kept when it answers, has our own version, is the only one, and listens on the recorded socket. Any
 * other is ended, which its services survive, and a new supervisor adopts them.
 *
 * Call it with the project lock held.
 *
 * @param running the living supervisors of this project
 * @throws DevctlError 'supervisor-failed' with the last lines of the supervisor's log; 'folder-moved'
 */
export async function connectToSupervisor(
  host: Host,
  folder: ProjectFolder,
  running: readonly ProcessInfo[],
  recordedSocket: string | null,
): Promise<ReachedSupervisor> {
  let inherits = false;
  if (running.length > 0) {
    const found = await findSupervisorPatiently(host, folder, running, recordedSocket);
    const fits = found && found.hello.version === ownVersion() && running.length === 1;
    if (fits && recordedSocket === found.client.socket) return found;
    // Processes that no record names may be below it, and go to process 1 when it ends.
    inherits = (await found?.client.hasChildren(ANSWER_MS)) !== false;
    await endSupervisors(host, running, await host.self());
  }
  // The supervisor prepares the path too, but here an error reaches the user, with a hint.
  const usual = prepareSocketPath(folder);
  await spawnSupervisor(folder, inherits);
  // Else it would start our services in the folder that is at our path by now.
  folder.requireHere?.();
  // It writes its record before it says "ready".
  const read = readSupervisor(folder);
  const client = connectTo(read.kind === 'record' ? read.record.socket : usual);
  const hello = await client.hello(READY_MS);
  // The supervisor of another manifest of this folder may listen at the same path.
  const isIt = read.kind !== 'record' || hello?.pid === read.record.identity.pid;
  if (hello && isIt) return { client, hello };
  throw new DevctlError('supervisor-failed', 'the supervisor has begun, but does not answer', {
    hint: `its log is ${join(folder.pidsDir, 'supervisor.log')}`,
  });
}

/**
 * Starts a supervisor below a guard, or alone where there are no native functions, and waits until it is ready.
 *
 * @throws DevctlError 'supervisor-failed' with the last lines of its log; 'unsafe', 'records-unwritable'
 */
async function spawnSupervisor(folder: ProjectFolder, inherits: boolean): Promise<void> {
  const logPath = join(folder.pidsDir, 'supervisor.log');
  const log = openLog(logPath);
  // The lines before this position are of earlier supervisors.
  const from = fstatSync(log).size;
  const { spawn } = await import('node:child_process');
  const guarded = whyNoNative() === null;
  const { program, env } = supervisorProgram(folder, guarded, inherits);
  folder.requireHere?.();
  const [file = '', ...args] = program;
  const child = spawn(file, args, {
    cwd: folder.root,
    env,
    // A session of its own, so that neither Ctrl-C nor a closing terminal reaches it. It inherits only its log and,
    // until it has said "ready", one pipe.
    detached: true,
    stdio: ['ignore', log, log, 'pipe'],
  });
  noteChild(child);
  closeSync(log);
  const ready = awaitReady(child);
  // While the other process comes up.
  await loadHttp();
  const outcome = await ready;
  child.unref();
  if (outcome === 'ready') return;
  // A guard without a supervisor would stay. A supervisor that comes up late contains its services without a guard.
  if (guarded) child.kill('SIGKILL');
  const { tailLog } = await import('../logs/tail.ts');
  const { endOfLines } = await import('../logs/quote.ts');
  const lines = endOfLines(await tailLog(logPath, LOG_LINES, from));
  throw supervisorFailed(outcome, lines, logPath);
}

/** Opens the log of the supervisor. A link, a folder or a FIFO in its place is refused by its name. */
function openLog(path: string): number {
  try {
    const fd = openSync(path, appendFlags, 0o600);
    const refused = whyNotAppend(fstatSync(fd));
    if (refused === null) return fd;
    closeSync(fd);
    throw notOurLog(path, refused);
  } catch (error) {
    const refused = NO_FILE[errnoOf(error) ?? ''];
    throw refused === undefined ? unwritable(path, error) : notOurLog(path, refused);
  }
}

/** Things in the place of a file, by the error of open(2). ENXIO: a FIFO without a reader, or a socket. */
const NO_FILE: Readonly<Record<string, string>> = {
  ELOOP: 'a symbolic link',
  EISDIR: 'a folder',
  ENXIO: 'not a regular file',
};

function notOurLog(path: string, why: string): DevctlError {
  return new DevctlError('unsafe', `${path} is not safe to use: ${why}`, {
    hint: 'look at what it is, move it away and try again; devctl makes a new one',
  });
}

/** The program and the environment of a supervisor, or of the guard above it. */
function supervisorProgram(
  folder: ProjectFolder,
  guarded: boolean,
  inherits: boolean,
): { readonly program: readonly string[]; readonly env: NodeJS.ProcessEnv } {
  const main = [...SUPERVISOR_FLAGS, join(packageRoot(), 'dist', 'supervisor', 'main.js')];
  const { root, pidsDir, manifestName } = folder;
  const named = manifestName === USUAL_MANIFEST ? [] : [`${MANIFEST_NAME}${manifestName}`];
  const { NODE_EXTRA_CA_CERTS: path } = process.env;
  const certificates = path ? [`${CERTIFICATES}${path}`] : [];
  const args = [root, pidsDir, ...named, ...certificates, ...(inherits ? [INHERITS] : [])];
  const env: NodeJS.ProcessEnv = { ...process.env };
  for (const name of [...COOKIE_VARIABLES, 'NODE_EXTRA_CA_CERTS']) delete env[name];
  const cookie = guarded ? guardCookie : supervisorCookie;
  const program = guarded ? guardedProgram(main, args) : [process.execPath, ...main, ...args];
  return { program, env: { ...env, ...cookie(folder) } };
}

/** Waits until the supervisor says on READY_FD that it is ready. A guard passes the pipe on to its supervisor. */
async function awaitReady(child: ChildProcess): Promise<'ready' | 'ended' | 'timeout'> {
  const pipe = child.stdio[READY_FD];
  const outcome = await new Promise<'ready' | 'ended' | 'timeout'>((resolve) => {
    const timer = setTimeout(() => resolve('timeout'), READY_MS);
    const settle = (answer: 'ready' | 'ended'): void => {
      clearTimeout(timer);
      resolve(answer);
    };
    pipe?.once('data', () => settle('ready'));
    pipe?.once('close', () => settle('ended'));
    child.once('error', () => settle('ended'));
  });
  pipe?.destroy();
  return outcome;
}

function supervisorFailed(
  outcome: 'ended' | 'timeout',
  lines: readonly string[],
  logPath: string,
): DevctlError {
  const seconds = READY_MS / 1_000;
  const what = outcome === 'ended' ? 'ended at once' : `did not answer within ${seconds} s`;
  const message =
    lines.length > 0 ? [`the supervisor ${what}:`, ...lines] : [`the supervisor ${what}`];
  return new DevctlError('supervisor-failed', message.join('\n'), {
    hint: `its whole log is ${logPath}`,
  });
}
