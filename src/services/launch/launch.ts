/*
 * The files of this folder, which start the commands of services:
 *
 *   launch           a service, as the leader of a session of its own
 *   attach           the command of `devctl run`, with our own standard files
 *   stop-command     the stop command of a service
 *   default-variables  variables that devctl adds to the environment of a service
 *   command-line     a command as arguments, and in words
 *   stdin-fifo       the FIFO that is a service's stdin
 *   write-stdin      text for that FIFO
 *   resource-limits  limits that a shell sets before the command
 *   inherited-files  descriptors that must not reach a service
 *   spawn-failure    the reason why a command did not start, in words
 */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { DevctlError, errnoOf } from '../../errors.ts';
import type { ResolvedService, ResourceLimits } from '../../manifest/resolved.ts';
import { loadSpawn } from '../../processes/spawn.ts';
import { whyNotAppend } from '../../project/safe-file.ts';
import type { Exit } from '../../project/service-record.ts';
import { closeInheritedFiles } from './inherited-files.ts';
import { limitedArgv, whyNotLimited } from './resource-limits.ts';
import { missingProgram, spawnFailure } from './spawn-failure.ts';
import { type MakeFifo, openFifo } from './stdin-fifo.ts';

/** The part of a service that a launch needs. */
export type Launched = Pick<ResolvedService, 'command' | 'cwd'> &
  Partial<Pick<ResolvedService, 'resources'>>;

export interface LaunchPlace {
  /** The whole environment of the service, exactly: nothing of ours is added. */
  readonly env: Readonly<Record<string, string>>;
  /** Absolute path; created with mode 0600, appended to when it is there. */
  readonly logFile: string;
  /** Absolute path of the stdin FIFO; null for /dev/null. */
  readonly stdinPath: string | null;
  /** Makes a FIFO. Without it, the command `mkfifo` does. */
  readonly makeFifo?: MakeFifo;
  /**
   * Calls `spawn` in such a way that the child is contained from its birth on, or tells `why` it is not.
   *
   * @throws DevctlError where the child must be contained and cannot be
   */
  readonly contain?: Contain;
}

export type Contain = <Child>(spawn: () => Child) => {
  readonly child: Child;
  readonly why: string | null;
};

export type Launch =
  | {
      readonly kind: 'launched';
      /** The number of the leader, of its group and of its session. */
      readonly pid: number;
      /** Size of the log in bytes before the service could write to it. */
      readonly logOffset: number;
      /** The reason why `contain` failed; null when the service is contained, or need not be. */
      readonly uncontained: string | null;
      /** Resolves when the leader has ended, even if its descendants live on. Never rejects. */
      readonly exited: Promise<Exit>;
    }
  /** Nothing runs; `reason` is for the user. */
  | { readonly kind: 'failed'; readonly reason: string };

/**
 * Spawns a service as the leader of a session of its own. It gets nothing of ours but three files: its
 * FIFO as stdin, its log as stdout and stderr. So it outlives us, and no process waits for it by accident.
 *
 * Does not throw for a failure that a user or the system can cause. The caller has written the record before.
 */
export async function launch(service: Launched, place: LaunchPlace): Promise<Launch> {
  const files: number[] = [];
  try {
    const log = openLog(place.logFile);
    files.push(log.fd);
    let stdin: number | 'ignore' = 'ignore';
    if (place.stdinPath !== null) {
      stdin = await openFifo(place.stdinPath, place.makeFifo);
      files.push(stdin);
    }
    return await spawnLeader(service, place, stdin, log);
  } catch (error) {
    return { kind: 'failed', reason: error instanceof Error ? error.message : String(error) };
  } finally {
    for (const fd of files) closeSync(fd);
  }
}

async function spawnLeader(
  service: Launched,
  { env, contain }: LaunchPlace,
  stdin: number | 'ignore',
  log: Log,
): Promise<Launch> {
  const { resources = UNLIMITED } = service;
  const [file = '', ...args] = limitedArgv(service.command, resources, env);
  if (resources.openFiles !== null || resources.core !== null) {
    // The shell in between would notice too, but could only tell us an exit code.
    const place = { cwd: service.cwd, env };
    const why = whyNotLimited(resources) ?? missingProgram(service.command, place);
    if (why !== null) return { kind: 'failed', reason: why };
  }
  const { cwd } = service;
  const spawnChild = await loadSpawn();
  closeInheritedFiles();
  const born = () => spawnChild(file, args, { cwd, env, stdio: [stdin, log.fd, log.fd] });
  const { child: leader, why: uncontained } = contain?.(born) ?? { child: born(), why: null };
  if (leader.child === null) {
    const reason = spawnFailure(await leader.failure, service.command, { cwd, env });
    return { kind: 'failed', reason };
  }
  const { child, pid } = leader;
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  return { kind: 'launched', pid, logOffset: log.offset, uncontained, exited };
}

const UNLIMITED: ResourceLimits = { openFiles: null, core: null };

interface Log {
  readonly fd: number;
  readonly offset: number;
}

/** @throws DevctlError 'start-failed' for a link, a folder or a FIFO, because only a file can be a log */
function openLog(path: string): Log {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  let fd: number;
  try {
    // O_NONBLOCK, because a FIFO in its place must fail and not wait for a reader. For a file it changes nothing.
    fd = openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
  } catch (error) {
    const link = errnoOf(error) === 'ELOOP' ? 'it is a symbolic link' : errnoOf(error);
    throw new DevctlError('start-failed', `the log ${path} cannot be opened: ${link}`, {
      cause: error,
    });
  }
  const stat = fstatSync(fd);
  const why = whyNotAppend(stat);
  if (why === null) return { fd, offset: stat.size };
  closeSync(fd);
  throw new DevctlError('start-failed', `the log ${path} cannot be used: ${why}`);
}
