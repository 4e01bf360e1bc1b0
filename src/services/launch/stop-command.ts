import type { ChildProcess } from 'node:child_process';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { inWords } from '../../errors.ts';
import { COOKIE_VARIABLES, serviceCookie } from '../../ownership/cookie.ts';
import { noteChild } from '../../processes/own-children.ts';
import { appendFlags } from '../../project/atomic-file.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import { whyNotAppend } from '../../project/safe-file.ts';
import type { ServiceRecord } from '../../project/service-record.ts';
import type { Contain } from './launch.ts';

/** As `process.env` is; a variable that is undefined is not there. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** How a stop command ended: as waitpid(2) told it, or why it could not be run. */
export type CommandEnd =
  | { readonly kind: 'exited'; readonly code: number | null; readonly signal: string | null }
  | { readonly kind: 'failed'; readonly why: string };

/** A stop command that was run where what it leaves behind stays to be found. */
export interface ContainedCommand {
  /** Null: the service has none. */
  readonly end: CommandEnd | null;
  /** Did a subreaper or the control group of the run hold all that it started, from its birth on? */
  readonly held: boolean;
}

/** Runs the stop command of this service below a supervisor; null where none could be asked to. */
export type RunContained = (
  service: string,
  env: Environment,
  over: AbortSignal,
) => Promise<ContainedCommand | null>;

export interface CommandPlace {
  /** The whole environment, but for the service's cookie, which is put over whatever cookie is there. */
  readonly env: Environment;
  /** Aborted: its whole group is killed. */
  readonly over: AbortSignal;
  /** Where it is to be born; missing: where this process is. */
  readonly contain?: Contain | null;
}

/**
 * Runs the stop command of a service, with its output in the service's log, until it ends or `over`
 * is aborted; then its whole group is killed.
 *
 * It carries the service's cookie: should we die meanwhile, the next stop still finds it.
 *
 * @returns how it ended; null: the service has none. Never rejects.
 */
export async function runStopCommand(
  folder: ProjectFolder,
  record: ServiceRecord,
  place: CommandPlace,
): Promise<CommandEnd | null> {
  const { command } = record.stop;
  if (command === null) return null;
  const { over, contain } = place;
  const { spawn } = await import('node:child_process');
  const [file = '', ...args] = typeof command === 'string' ? ['/bin/sh', '-c', command] : command;
  const env: Record<string, string | undefined> = { ...place.env };
  for (const name of COOKIE_VARIABLES) delete env[name];
  Object.assign(env, serviceCookie(folder, record.service, record.runId));
  const log = openLog(record.log);
  let child: ChildProcess;
  try {
    const born = (): ChildProcess =>
      noteChild(
        spawn(file, args, { cwd: record.cwd, env, detached: true, stdio: ['ignore', log, log] }),
      );
    child = contain ? contain(born).child : born();
  } catch (error) {
    // Some refusals it throws (E2BIG, ENOMEM), others (EAGAIN, ENOENT) it tells as an event.
    return { kind: 'failed', why: inWords(error) };
  } finally {
    if (log !== 'ignore') closeSync(log);
  }

  return new Promise((resolve) => {
    const expire = (): void => {
      // A child of ours that has not been reaped cannot have lost its number to anybody.
      if (child.pid !== undefined && child.exitCode === null) killGroup(child.pid);
    };
    const settle = (end: CommandEnd): void => {
      over.removeEventListener('abort', expire);
      resolve(end);
    };
    over.addEventListener('abort', expire);
    child.once('error', (error) => settle({ kind: 'failed', why: inWords(error) }));
    child.once('exit', (code, signal) => settle({ kind: 'exited', code, signal }));
    if (over.aborted) expire();
  });
}

/**
 * What there is to report of a stop command; null when it did its work in time.
 *
 * @param late Did it take longer than the grace period?
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
    // A deleted folder or a full disk costs its output, not the command.
    return 'ignore';
  }
}

function killGroup(pgid: number): void {
  try {
    process.kill(-pgid, 'SIGKILL');
  } catch {
    // ESRCH: it has just ended by itself.
  }
}
