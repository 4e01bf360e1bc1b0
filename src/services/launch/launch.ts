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

/** What is launched, and where. */
export type Launched = Pick<ResolvedService, 'command' | 'cwd'> &
  Partial<Pick<ResolvedService, 'resources'>>;

export interface LaunchPlace {
  /** The whole environment of the service, exactly: nothing of ours is added. */
  readonly env: Readonly<Record<string, string>>;
  /** Absolute path; created with mode 0600, appended to when it is there. */
  readonly logFile: string;
  /** Absolute path of the stdin FIFO; null for /dev/null. */
  readonly stdinPath: string | null;
  /** How to make a FIFO; without it the command `mkfifo` is spawned. */
  readonly makeFifo?: MakeFifo;
  /**
   * Calls `spawn` where what it spawns is contained from its birth on, or tells `why` it is not.
   *
   * @throws DevctlError where nothing may be spawned without
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
      /** The leader: process, group and session have this number. */
      readonly pid: number;
      /** Size of the log in bytes before the service could write to it. */
      readonly logOffset: number;
      /** Why it is not contained as `contain` was to do it; null when it is, or was not to be. */
      readonly uncontained: string | null;
      /** Resolves when the leader has ended, whatever it leaves behind. Never rejects. */
      readonly exited: Promise<Exit>;
    }
  /** Nothing runs; `reason` is for the user. */
  | { readonly kind: 'failed'; readonly reason: string };

/**
 * Spawns a service as the leader of a session of its own, with nothing of ours but three files: its
 * FIFO as stdin, its log as stdout and stderr. So it outlives us, and nobody waits for it by accident.
 *
 * Does not throw for what a user or the system can cause. Its caller has the intent on disk already.
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
    // The shell in between would find out too, but only its exit code could tell us.
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

/** @throws DevctlError 'start-failed' for a link, a folder, a FIFO: only a file can be a log */
function openLog(path: string): Log {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  let fd: number;
  try {
    // O_NONBLOCK: a FIFO in its place must fail, not wait for a reader. Of a file it changes nothing.
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
