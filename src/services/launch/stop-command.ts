import { closeSync, fstatSync, openSync } from 'node:fs';
import { inWords } from '../../errors.ts';
import { COOKIE_VARIABLES, inheritedEnvironment, serviceCookie } from '../../ownership/cookie.ts';
import { loadSpawn, type Spawned } from '../../processes/spawn.ts';
import { appendFlags } from '../../project/atomic-file.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import { whyNotAppend } from '../../project/safe-file.ts';
import type { ServiceRecord } from '../../project/service-record.ts';
import type { Contain } from './launch.ts';

/** An environment like `process.env`. A variable that is undefined is not set. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The end of a stop command, as waitpid(2) told it, or the reason why it could not be run. */
export type CommandEnd =
  | { readonly kind: 'exited'; readonly code: number | null; readonly signal: string | null }
  | { readonly kind: 'failed'; readonly why: string };

/** A stop command that was run where the processes that it leaves behind can be found. */
export interface ContainedCommand {
  /** Null when the service has no stop command. */
  readonly end: CommandEnd | null;
  /** True when a subreaper or the control group of the run contained all that it started, from its birth on. */
  readonly held: boolean;
}

/** Runs the stop command of this service below a supervisor; null where no supervisor could be asked. */
export type RunContained = (
  service: string,
  env: Environment,
  over: AbortSignal,
) => Promise<ContainedCommand | null>;

export interface CommandPlace {
  /** The whole environment but the service's cookie, which replaces any other cookie. */
  readonly env: Environment;
  /** When this is aborted, the whole group of the command is killed. */
  readonly over: AbortSignal;
  /** Contains the command from its birth on; missing where the command needs no containment. */
  readonly contain?: Contain | null;
}

/**
 * Runs the stop command of a service, with its output in the service's log, until it ends. When `over`
 * is aborted before, its whole group is killed.
 *
 * The command has the service's cookie, so the next stop finds it even if we die meanwhile.
 *
 * @returns its end; null when the service has no stop command. Never rejects.
 */
export async function runStopCommand(
  folder: ProjectFolder,
  record: ServiceRecord,
  place: CommandPlace,
): Promise<CommandEnd | null> {
  const { command } = record.stop;
  if (command === null) return null;
  const { over, contain } = place;
  const [file = '', ...args] = typeof command === 'string' ? ['/bin/sh', '-c', command] : command;
  const env: Record<string, string | undefined> = inheritedEnvironment(place.env);
  for (const name of COOKIE_VARIABLES) delete env[name];
  Object.assign(env, serviceCookie(folder, record.service, record.runId));
  const spawnChild = await loadSpawn();
  const log = openLog(record.log);
  const born = () => spawnChild(file, args, { cwd: record.cwd, env, stdio: ['ignore', log, log] });
  let spawned: Spawned;
  try {
    spawned = contain ? contain(born).child : born();
  } catch (error) {
    return { kind: 'failed', why: inWords(error) };
  } finally {
    if (log !== 'ignore') closeSync(log);
  }
  if (spawned.child === null) return { kind: 'failed', why: inWords(await spawned.failure) };

  const { child, pid } = spawned;
  return new Promise((resolve) => {
    const expire = (): void => {
      // A child of ours that has not been reaped cannot have lost its number to another process.
      if (child.exitCode === null && child.signalCode === null) killGroup(pid);
    };
    over.addEventListener('abort', expire);
    child.once('exit', (code, signal) => {
      over.removeEventListener('abort', expire);
      resolve({ kind: 'exited', code, signal });
    });
    if (over.aborted) expire();
  });
}

/**
 * Words the problem of a stop command; null when it did its work in time.
 *
 * @param late true when it took longer than the grace period
 */
export function commandProblem(service: string, end: CommandEnd, late: boolean): string | null {
  const its = `${service}: its stop command`;
  if (end.kind === 'failed') return `${its} could not be run: ${end.why}`;
  const { code, signal } = end;
  if (late) return `${its} took longer than the grace period${signal ? `: ${signal}` : ''}`;
  if (signal) return `${its} was ended by ${signal}`;
  return code === 0 ? null : `${its} exited with code ${code}`;
}

function openLog(path: string): number | 'ignore' {
  try {
    const fd = openSync(path, appendFlags, 0o600);
    if (whyNotAppend(fstatSync(fd)) === null) return fd;
    closeSync(fd);
    return 'ignore';
  } catch {
    // Where the folder is deleted or the disk is full, the command runs without its output.
    return 'ignore';
  }
}

function killGroup(pgid: number): void {
  try {
    process.kill(-pgid, 'SIGKILL');
  } catch {
    // ESRCH: the group has just ended by itself.
  }
}
