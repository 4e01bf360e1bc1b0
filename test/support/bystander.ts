import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cleanEnvironment } from './clean-environment.ts';
import { signalExactly } from './end-processes.ts';
import { BYSTANDER_MARK } from './oracle.ts';
import { fixture } from './paths.ts';
import { readProcesses } from './read-processes.ts';

export interface Bystander extends AsyncDisposable {
  readonly pid: number;
  /** Is this very process still alive? */
  alive(): boolean;
}

/**
 * Starts an innocent program whose command line reads as you like, in a folder of your choice:
 * `bystander('vim vite.config.ts', project.root)`. Ended on disposal.
 *
 * It starts in a session of its own, as from another terminal, and with no mark but the test run's.
 */
export async function bystander(commandLine: string, cwd: string): Promise<Bystander> {
  const [command = process.execPath, ...args] = fixture('bystander', ...commandLine.split(' '));
  const [mark = '', value = ''] = BYSTANDER_MARK.split('=');
  const child = spawn(command, args, {
    cwd,
    env: { ...cleanEnvironment(), [mark]: value },
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(child.stdout, 'data');
  const itself = readProcesses().find((sighting) => sighting.pid === child.pid);
  if (!itself) throw new Error(`The bystander "${commandLine}" did not start`);
  const exited = once(child, 'exit');

  return {
    pid: itself.pid,
    alive: () => child.exitCode === null && child.signalCode === null,
    async [Symbol.asyncDispose]() {
      signalExactly(itself, 'SIGKILL');
      await exited;
    },
  };
}
