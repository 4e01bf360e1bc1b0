import { type ChildProcess, spawn } from 'node:child_process';
import { constants as fileConstants, openSync, readFileSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { errnoOf, inWords } from '../errors.ts';
import { loadNative } from '../processes/native/native.ts';
import {
  REPORT_FD,
  SPEC_FD,
  type TerminalReport,
  type TerminalSpec,
} from '../services/launch/terminal.ts';

/**
 * Begins a session on a pseudo-terminal, spawns a service in it, and becomes `cat`, which waits for the holder of the
 * terminal and ends with it.
 *
 * The session needs a leader that outlives the service. When the leader of a session ends, the kernel sends SIGHUP to the
 * programs on its terminal, and SIGTERM ends a shell or npm before the server below it. That server would be cut off in
 * the middle of its work.
 *
 * It is `cat` for a megabyte instead of 40, and because a shell would reap the service. `cat` does not, so the kernel keeps
 * the exit of the service for every supervisor, also for one that comes later, until this process ends (`exitOfZombie`).
 */
async function main(): Promise<void> {
  const spec = JSON.parse(readFileSync(SPEC_FD, 'utf8')) as TerminalSpec;
  const native = await loadNative();
  if (!native.available) return report({ error: native.why });
  // The first terminal that a session leader opens becomes the controlling terminal of its session (open(2)).
  const slave = openSync(spec.terminal, fileConstants.O_RDWR);
  const { pid, error } = await spawnOn(slave, spec);
  if (pid === undefined) {
    return report({ error: inWords(error), errno: errnoOf(error) ?? null });
  }
  report({ pid });
  const env = Object.entries(process.env).map(([name, value]) => `${name}=${value}`);
  // SIGCHLD is not ignored: then the kernel would keep no exit.
  const why = native.become(spec.cat, [spec.name], env, IGNORED, [0, 1, 2]);
  throw new Error(`${spec.cat}: ${why}`);
}

/** Every signal that a stop or a key may send to the whole session. */
const IGNORED = [
  constants.signals.SIGHUP,
  constants.signals.SIGINT,
  constants.signals.SIGQUIT,
  constants.signals.SIGTERM,
  constants.signals.SIGUSR1,
  constants.signals.SIGUSR2,
  constants.signals.SIGALRM,
  constants.signals.SIGABRT,
  constants.signals.SIGPIPE,
  constants.signals.SIGTSTP,
  constants.signals.SIGTTIN,
  constants.signals.SIGTTOU,
];

/** The service is in our session and group, which has the keys of the terminal. */
function spawnOn(
  slave: number,
  { file, args, cwd, env }: TerminalSpec,
): Promise<{ readonly pid?: number; readonly error?: unknown }> {
  return new Promise((resolve) => {
    let child: ChildProcess;
    try {
      child = spawn(file, args, { cwd, env, stdio: [slave, slave, slave] });
    } catch (error) {
      // Node throws some failures (E2BIG, ENOMEM), and emits the others as an event.
      resolve({ error });
      return;
    }
    child.once('error', (error) => resolve({ error }));
    if (child.pid !== undefined) resolve({ pid: child.pid });
  });
}

function report(what: TerminalReport): void {
  writeSync(REPORT_FD, `${JSON.stringify(what)}\n`);
}

main().catch((error: unknown) => {
  report({ error: inWords(error) });
  process.exit(1);
});
