import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DevctlError } from '../errors.ts';
import { COOKIE_VARIABLES, guardCookie, supervisorCookie } from '../ownership/cookie.ts';
import { ownVersion, packageRoot } from '../package-root.ts';
import type { Host } from '../processes/host.ts';
import { whyNoNative } from '../processes/native/native.ts';
import type { ProcessInfo } from '../processes/snapshot.ts';
import { isStarvedOfCpu } from '../processes/starvation.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { prepareSocketPath, socketPaths, whyUnsafeSocket } from '../project/socket-path.ts';
import { lookAtProject } from '../tracking/look.ts';
import { connectTo, type SupervisorClient } from './client.ts';
import { endSupervisors } from './end-supervisor.ts';
import { type Hello, INHERITS, SUPERVISOR_FLAGS } from './protocol.ts';

const HELLO_MS = 1_000;
/** The same for one that has only not been let run: ended, it would take the exit codes of its services with it. */
const STARVED_MS = 15_000;
/** A machine on its knees may take long to start a Node process. */
const START_MS = 30_000;

/**
 * The supervisor of this project that answers, is of our own version, and would be found again.
 * Whichever fails, it is ended (services outlive it) and a new one takes over what runs.
 *
 * To be called with the project lock held.
 *
 * @param running  the living supervisors of this project
 * @throws DevctlError 'supervisor-failed' with the last lines of its log
 */
export async function connectToSupervisor(
  host: Host,
  folder: ProjectFolder,
  running: readonly ProcessInfo[],
  recordedSocket: string | null,
): Promise<Reached> {
  let inherits = false;
  if (running.length > 0) {
    const found = await findPatiently(host, folder, running, recordedSocket);
    const fits = found && found.hello.version === ownVersion() && running.length === 1;
    if (fits && recordedSocket === found.client.socket) return found;
    // Below it may be what no record tells of, which then goes to process 1.
    inherits = (await found?.client.hasChildren(HELLO_MS)) !== false;
    await endSupervisors(host, running, await host.self());
  }
  // Before it tries for itself: here what is wrong reaches the person, with what to do.
  const socket = prepareSocketPath(folder);
  await spawnSupervisor(folder, inherits);
  const client = connectTo(socket);
  const hello = await client.hello(START_MS);
  if (hello) return { client, hello };
  throw new DevctlError('supervisor-failed', 'the supervisor has begun, but does not answer', {
    hint: `its log is ${join(folder.pidsDir, 'supervisor.log')}`,
  });
}

/** The supervisors of a project that can be asked. */
export interface Living {
  /** The supervisors of this project that live. */
  readonly running: readonly ProcessInfo[];
  /** The path of the socket, as the record of the supervisor says. */
  readonly socket: string | null;
}

/** Looks for the supervisors of a project. */
export async function livingSupervisors(host: Host, folder: ProjectFolder): Promise<Living> {
  const { state, latest } = await lookAtProject(host, folder);
  return { running: latest.supervisors, socket: state.supervisor?.socket ?? null };
}

/** A supervisor that answers, and what it said of itself. */
export interface Reached {
  readonly client: SupervisorClient;
  readonly hello: Hello;
}

/**
 * The first supervisor of this project that answers on one of the sockets it may have, and is one of
 * those that run. What else answers there is not spoken to: it would be told the environment of services,
 * and be believed when it says that nothing is left.
 */
export async function findSupervisor(
  folder: ProjectFolder,
  running: readonly ProcessInfo[],
  recordedSocket: string | null,
  timeoutMs = HELLO_MS,
): Promise<Reached | null> {
  const recorded = recordedSocket !== null && whyUnsafeSocket(recordedSocket) === null;
  const paths = new Set([...(recorded ? [recordedSocket] : []), ...socketPaths(folder)]);
  for (const path of paths) {
    const client = connectTo(path);
    const hello = await client.hello(timeoutMs);
    const isOne = running.some(({ identity }) => identity.pid === hello?.pid);
    if (hello?.projectId === folder.projectId && isOne) return { client, hello };
  }
  return null;
}

/** As `findSupervisor`, for who would do without one that does not answer. */
export async function findPatiently(
  host: Host,
  folder: ProjectFolder,
  running: readonly ProcessInfo[],
  recordedSocket: string | null,
): Promise<Reached | null> {
  const before = await host.snapshot();
  const deadline = host.nowMs() + STARVED_MS;
  for (;;) {
    const askedMs = host.nowMs();
    const found = await findSupervisor(folder, running, recordedSocket);
    if (found || host.nowMs() >= deadline) return found;
    // Nobody listens, or somebody else has answered.
    if (host.nowMs() - askedMs < HELLO_MS) return null;
    const now = await host.snapshot();
    if (!running.some(({ identity }) => isStarvedOfCpu(identity, before, now))) return null;
  }
}

async function spawnSupervisor(folder: ProjectFolder, inherits: boolean): Promise<void> {
  const logPath = join(folder.pidsDir, 'supervisor.log');
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW } = constants;
  const log = openSync(logPath, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600);
  // What is in it already is of earlier ones.
  const from = fstatSync(log).size;
  const env: NodeJS.ProcessEnv = { ...process.env };
  for (const name of COOKIE_VARIABLES) delete env[name];
  const { spawn } = await import('node:child_process');
  const guarded = whyNoNative() === null;
  const script = join(packageRoot(), 'dist', 'supervisor', guarded ? 'guard.cjs' : 'main.js');
  const flags = guarded ? [] : SUPERVISOR_FLAGS;
  const cookie = guarded ? guardCookie : supervisorCookie;
  const place = [folder.root, folder.pidsDir, ...(inherits ? [INHERITS] : [])];
  const child = spawn(process.execPath, [...flags, script, ...place], {
    cwd: folder.root,
    env: { ...env, ...cookie(folder.projectId) },
    // A session of its own: neither Ctrl-C nor a closing terminal reaches it. Nothing of ours is
    // inherited but its log and, until it has said "ready", one pipe.
    detached: true,
    stdio: ['ignore', log, log, 'pipe'],
  });
  closeSync(log);
  const ready = child.stdio[3];
  const outcome = await new Promise<'ready' | 'ended' | 'timeout'>((resolve) => {
    const timer = setTimeout(() => resolve('timeout'), START_MS);
    const settle = (answer: 'ready' | 'ended'): void => {
      clearTimeout(timer);
      resolve(answer);
    };
    // Whoever holds the other end: a guard hands it on to the supervisor.
    ready?.once('data', () => settle('ready'));
    ready?.once('close', () => settle('ended'));
    child.once('error', () => settle('ended'));
  });
  child.unref();
  ready?.destroy();
  if (outcome === 'ready') return;
  // Without a supervisor it would stay; a late one holds everything by itself.
  if (guarded) child.kill('SIGKILL');
  const { tailLog } = await import('../logs/tail.ts');
  const lines = await tailLog(logPath, 5, from);
  const seconds = START_MS / 1_000;
  const what = outcome === 'ended' ? 'ended at once' : `did not answer within ${seconds} s`;
  const said =
    lines.length > 0 ? [`the supervisor ${what}:`, ...lines] : [`the supervisor ${what}`];
  throw new DevctlError('supervisor-failed', said.join('\n'), {
    hint: `its whole log is ${logPath}`,
  });
}
