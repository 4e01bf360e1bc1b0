import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DevctlError } from '../errors.ts';
import { COOKIE_VARIABLES, guardCookie, supervisorCookie } from '../ownership/cookie.ts';
import { ownVersion, packageRoot } from '../package-root.ts';
import type { Host } from '../processes/host.ts';
import { whyNoNative } from '../processes/native/native.ts';
import type { ProcessInfo } from '../processes/snapshot.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { prepareSocketPath } from '../project/socket-path.ts';
import { connectTo } from './client.ts';
import { findPatiently, HELLO_MS, type Reached } from './connect.ts';
import { endSupervisors } from './end-supervisor.ts';
import { INHERITS, SUPERVISOR_FLAGS } from './protocol.ts';

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
