import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cleanEnvironment } from './clean-environment.ts';
import { signalExactly } from './end-processes.ts';
import { BYSTANDER_MARK } from './oracle.ts';
import { fixture } from './paths.ts';
import { readProcesses } from './read-processes.ts';
import { until } from './until.ts';

export interface Bystander extends AsyncDisposable {
  readonly pid: number;
  /** True while exactly this process is alive. */
  alive(): boolean;
}

/**
 * Starts an innocent program with any command line, in any folder: `bystander('vim vite.config.ts', project.root)`.
 * Ended on disposal.
 *
 * It starts as from another terminal: in a session of its own, with no mark but that of the test run, and below no
 * process that is above devctl too, because a rule spares the processes that run devctl.
 *
 * @param port the port on which it listens, if any
 */
export async function bystander(
  commandLine: string,
  cwd: string,
  port?: number,
): Promise<Bystander> {
  const [mark = '', value = ''] = BYSTANDER_MARK.split('=');
  const shell = spawn(
    '/bin/sh',
    ['-c', '"$0" "$@" &', ...fixture('bystander', ...commandLine.split(' '))],
    {
      cwd,
      env: {
        ...cleanEnvironment(),
        [mark]: value,
        ...(port === undefined ? {} : { BYSTANDER_PORT: String(port) }),
      },
      detached: true,
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  const [line] = await once(shell.stdout, 'data');
  const find = () => readProcesses().find(({ pid }) => pid === Number(line));
  const itself = find();
  if (!itself) throw new Error(`The bystander "${commandLine}" did not start`);
  // A zombie is dead: process 1 may take seconds to reap it.
  const alive = () => {
    const found = find();
    return found?.started === itself.started && !found.zombie;
  };
  await until(() => (find()?.ppid ?? shell.pid) !== shell.pid);

  return {
    pid: itself.pid,
    alive,
    async [Symbol.asyncDispose]() {
      signalExactly(itself, 'SIGKILL');
      await until(() => !alive());
    },
  };
}
