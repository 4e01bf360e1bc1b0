import { spawn } from 'node:child_process';
import { accessSync, closeSync, constants, realpathSync } from 'node:fs';
import { constants as osConstants } from 'node:os';
import { basename, join } from 'node:path';
import type { Writable } from 'node:stream';
import { MANIFEST_NAME, READY_FD, SUPERVISOR_FLAGS } from '../client/protocol.ts';
import { inWords } from '../errors.ts';
import { supervisorCookie } from '../ownership/cookie.ts';
import { packageRoot } from '../package-root.ts';
import { loadNative } from '../processes/native/native.ts';
import { projectFolder } from '../project/folder.ts';
import { closeInheritedFiles } from '../services/launch/inherited-files.ts';
import { GUARDED, HELD } from './await-guard.ts';

/**
 * Starts a supervisor and becomes its guard: the process that adopts everything below the supervisor when that dies.
 *
 * Without a guard, the orphans of a killed supervisor go to process 1, and a daemon that has cleared its
 * environment cannot be found. A guard starts the supervisor, becomes a child subreaper, and goes on as `sleep`:
 * less than 2 MB that do nothing and can hardly fail. It ends when its supervisor ends and leaves nothing, or with
 * the next stop. Without native calls or `sleep`, a supervisor has no guard.
 */
async function main(root: string, pidsDir: string, rest: readonly string[]): Promise<void> {
  const named = rest.find((word) => word.startsWith(MANIFEST_NAME));
  const folder = projectFolder(root, pidsDir, named?.slice(MANIFEST_NAME.length));
  const script = join(packageRoot(), 'dist', 'supervisor', 'main.js');
  const argv = [...SUPERVISOR_FLAGS, script, root, pidsDir, ...rest, GUARDED];
  const child = spawn(process.execPath, argv, {
    env: { ...process.env, ...supervisorCookie(folder) },
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit', READY_FD, 'pipe'],
  });
  closeSync(READY_FD);
  const channel = child.stdio[4] as Writable;
  // The supervisor may end meanwhile; then the command that starts it says why.
  channel.on('error', () => {});
  child.on('error', (error) => process.stderr.write(`starting the supervisor: ${error.message}\n`));

  const native = await loadNative();
  const held = native.available ? native.becomeSubreaper() : { held: false, why: native.why };
  const sleep = findSleep();
  if (!native.available || !held.held || sleep === null) {
    channel.end(`${held.why ?? 'there is no sleep in /bin or /usr/bin'}\n`);
    child.unref();
    return;
  }
  // The guard keeps no pipe of a caller in use. It stays in the project folder: once the supervisor was killed, its
  // working directory is the kernel's word for where the project is.
  process.chdir(folder.root);
  closeInheritedFiles();
  channel.write(`${HELD} ${process.pid}\n`, (error) => {
    // The supervisor has not waited so long, or is dead.
    if (error) process.exit(0);
    for (const fd of [0, 1, 2]) closeSync(fd);
    // This environment has the cookie of a guard, from the command that started us.
    const env = Object.entries(process.env).map(([name, value]) => `${name}=${value}`);
    // The kernel reaps its children.
    const ignored = [osConstants.signals.SIGCHLD];
    const why = native.become(sleep, [nameFor(sleep), FOR_EVER], env, ignored, []);
    channel.end(`${why}\n`);
    child.unref();
  });
}

/** The longest time that every `sleep` understands, in seconds: 68 years. */
const FOR_EVER = '2147483647';

/** Finds `sleep`, but not in PATH, where a project may have put a program of the same name. */
function findSleep(): string | null {
  const places = ['/bin/sleep', '/usr/bin/sleep', '/run/current-system/sw/bin/sleep'];
  return places.find(isExecutable) ?? null;
}

/** Chooses argv[0], which `ps` shows. BusyBox is many programs in one and needs argv[0] to know which. */
function nameFor(sleep: string): string {
  return basename(realpathSync(sleep)) === 'sleep' ? 'devctl-guard' : 'sleep';
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const [root = '', pidsDir = '', ...rest] = process.argv.slice(2);
main(root, pidsDir, rest).catch((error: unknown) => {
  process.stderr.write(`${inWords(error)}\n`);
  process.exit(1);
});
