import type { ChildProcess } from 'node:child_process';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { COOKIE_VARIABLES, serviceCookie } from '../ownership/cookie.ts';
import { appendFlags } from '../project/atomic-file.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { whyNotAppend } from '../project/own-file.ts';
import type { ServiceRecord } from '../project/service-record.ts';

/**
 * Runs the stop command of a service, with its output in the service's log, until it ends or `over`
 * is aborted; then its whole group is killed.
 *
 * It carries the service's cookie: should we die meanwhile, the next stop still finds it.
 *
 * @returns what went wrong, for the report; null when it ended with code 0
 */
export async function runStopCommand(
  folder: ProjectFolder,
  record: ServiceRecord,
  over: AbortSignal,
): Promise<string | null> {
  const { command } = record.stop;
  if (command === null) return null;
  const { spawn } = await import('node:child_process');
  const [file = '', ...args] = typeof command === 'string' ? ['/bin/sh', '-c', command] : command;
  const env: NodeJS.ProcessEnv = { ...process.env };
  for (const name of COOKIE_VARIABLES) delete env[name];
  Object.assign(env, serviceCookie(folder.projectId, record.service, record.runId));
  const log = openLog(record.log);
  let child: ChildProcess;
  try {
    child = spawn(file, args, {
      cwd: record.cwd,
      env,
      detached: true,
      stdio: ['ignore', log, log],
    });
  } catch (error) {
    // Some refusals it throws (E2BIG, ENOMEM), others (EAGAIN, ENOENT) it tells as an event.
    return cannotRun(record, error);
  } finally {
    if (log !== 'ignore') closeSync(log);
  }

  return new Promise((resolve) => {
    let expired = false;
    const expire = (): void => {
      expired = true;
      // A child of ours that has not been reaped cannot have lost its number to anybody.
      if (child.pid !== undefined && child.exitCode === null) killGroup(child.pid);
    };
    over.addEventListener('abort', expire);
    const settle = (problem: string | null): void => {
      over.removeEventListener('abort', expire);
      resolve(problem && `${record.service}: its stop command ${problem}`);
    };
    child.once('error', (error) => {
      over.removeEventListener('abort', expire);
      resolve(cannotRun(record, error));
    });
    child.once('exit', (code, signal) => {
      if (expired) settle('was killed, it took longer than the grace period');
      else if (signal) settle(`was ended by ${signal}`);
      else settle(code === 0 ? null : `exited with code ${code}`);
    });
  });
}

function cannotRun({ service }: ServiceRecord, error: unknown): string {
  const why = error instanceof Error ? error.message : String(error);
  return `${service}: its stop command could not be run: ${why}`;
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
