import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { findSleep } from '../client/guard-program.ts';
import { GUARDED, READY_FD, SPAWNED, SUPERVISOR_FLAGS } from '../client/protocol.ts';
import { inWords } from '../errors.ts';
import { OF_SUPERVISOR } from '../ownership/cookie.ts';
import { packageRoot } from '../package-root.ts';
import { loadNative } from '../processes/native/native.ts';
import { closeInheritedFiles } from '../services/launch/inherited-files.ts';

/**
 * Becomes the guard of the supervisor that was born below it: the process that adopts everything below the supervisor
 * when that dies.
 *
 * Without a guard, the orphans of a killed supervisor go to process 1, and a daemon that has cleared its
 * environment cannot be found. A guard becomes a child subreaper, and goes on as `sleep`: less than 2 MB that do
 * nothing and can hardly fail. It ends when its supervisor ends and leaves nothing, or with the next stop. Without
 * native calls or `sleep`, a supervisor has no guard.
 *
 * Where there is Perl, it becomes the guard instead, because it boots in 2 ms (`client/guard-program.ts`).
 */
async function main(root: string, args: readonly string[]): Promise<void> {
  if (!args.includes(SPAWNED)) spawnSupervisor(args);
  const native = await loadNative();
  const held = native.available ? native.becomeSubreaper() : { held: false, why: native.why };
  const sleep = findSleep();
  if (!native.available || !held.held || sleep === null) {
    const why = held.why ?? 'there is no sleep in /bin or /usr/bin';
    process.stderr.write(`there is no guard: ${why}\n`);
    return;
  }
  // The guard keeps no pipe of a caller in use. It stays in the project folder: once the supervisor was killed, its
  // working directory is the kernel's word for where the project is.
  process.chdir(root);
  closeInheritedFiles();
  // This environment has the cookie of a guard, from the command that started us.
  const env = Object.entries(process.env).map(([name, value]) => `${name}=${value}`);
  // The kernel reaps its children.
  const ignored = [constants.signals.SIGCHLD];
  // Node has marked its three standard files to be closed by execve(2).
  const why = native.become(sleep.program, sleep.argv, env, ignored, []);
  process.stderr.write(`there is no guard: ${why}\n`);
}

/** Starts the supervisor, where no shell has done that (`client/start-supervisor.ts`). */
function spawnSupervisor(args: readonly string[]): void {
  const script = join(packageRoot(), 'dist', 'supervisor', 'main.js');
  const all = [...SUPERVISOR_FLAGS, script, ...args, `${GUARDED}${process.pid}`];
  const child = spawn(process.execPath, all, {
    env: { ...process.env, ...OF_SUPERVISOR },
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit', READY_FD],
  });
  closeSync(READY_FD);
  child.on('error', (error) => process.stderr.write(`starting the supervisor: ${error.message}\n`));
  child.unref();
}

const args = process.argv.slice(2);
main(args[0] ?? '', args).catch((error: unknown) => {
  process.stderr.write(`${inWords(error)}\n`);
  process.exit(1);
});
