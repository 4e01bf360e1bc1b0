import { stripVTControlCharacters } from 'node:util';
import type { ProbeCheck } from '../../manifest/resolved.ts';
import { loadSpawn } from '../../processes/spawn.ts';
import { commandLine, toArgv } from '../launch/command-line.ts';
import { spawnFailure } from '../launch/spawn-failure.ts';
import type { Probe, ProbeAnswer, ProbeContext } from './probe.ts';

/** How long the last output of a command that has ended may take to come, in ms. */
const LAST_OUTPUT_MS = 100;

/** Output that is kept, in characters: enough for the last line of an error message. */
const MAX_STDERR = 4 * 1024;

/**
 * Makes a probe that is ready when a command ends with code 0.
 *
 * The command runs in the folder and with the whole environment of the service, cookie included, so that
 * devctl finds what it leaves behind as the service's. It leads a group of its own, and when its time
 * is up, the whole group is killed.
 */
export function execProbe(
  check: Extract<ProbeCheck, { kind: 'exec' }>,
  context: Pick<ProbeContext, 'cwd' | 'env' | 'contain' | 'onProgram'>,
): Probe {
  const [file = '', ...args] = toArgv(check.command);
  const shown = `"${commandLine(check.command)}"`;
  return {
    // A check may be a whole program with its own start-up, so it gets longer than a connection.
    attemptMs: 30_000,
    attempt: async (signal) => {
      const spawnChild = await loadSpawn();
      if (signal.aborted) return { kind: 'cut', reason: `${shown} was not run` };
      const { cwd, env } = context;
      const born = () => spawnChild(file, args, { cwd, env, stdio: ['ignore', 'ignore', 'pipe'] });
      const { child: spawned } = context.contain?.(born) ?? { child: born() };
      if (spawned.child === null) {
        const reason = spawnFailure(await spawned.failure, check.command, context);
        return { kind: 'not-yet', reason };
      }
      const { child, pid } = spawned;
      const forget = context.onProgram?.(pid);
      child.once('exit', () => forget?.());
      let stderr = '';
      child.stderr?.on('data', (chunk: Buffer) => {
        stderr = (stderr + chunk.toString('utf8')).slice(-MAX_STDERR);
      });
      return new Promise<ProbeAnswer>((resolve) => {
        const answer = (result: ProbeAnswer) => {
          signal.removeEventListener('abort', cut);
          child.stderr?.destroy();
          resolve(result);
        };
        const cut = () => {
          // Node has reported no end yet, so the pid still belongs to the command and names its group.
          if (child.exitCode === null && child.signalCode === null) killGroup(pid);
          answer({ kind: 'cut', reason: `${shown} has not ended` });
        };
        signal.addEventListener('abort', cut);
        if (signal.aborted) cut();
        // Not 'close', because a child of the command may hold stderr open for any time.
        child.once('exit', (code, by) => {
          if (code === 0) return answer({ kind: 'ok' });
          const tell = () => {
            const ending = by === null ? `exited with code ${code}` : `was ended by ${by}`;
            const last = stripVTControlCharacters(stderr.trimEnd().split('\n').at(-1) ?? '');
            answer({ kind: 'not-yet', reason: `${shown} ${ending}${last ? `: ${last}` : ''}` });
          };
          // The last output of the command may still be in the pipe, which a child of it may hold open.
          const timer = setTimeout(tell, LAST_OUTPUT_MS);
          child.once('close', () => {
            clearTimeout(timer);
            tell();
          });
        });
      });
    },
  };
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // Gone in this moment (ESRCH), or another user's by now (EPERM): devctl cannot end it.
  }
}
