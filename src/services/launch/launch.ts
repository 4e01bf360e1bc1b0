/*
 * The files of this folder, which start the commands of services:
 *
 *   launch           a service, as the leader of a session of its own
 *   attach           the command of `devctl run`, with our own standard files
 *   stop-command     the stop command of a service, and its hook for `stopped`
 *   run-command      runs such a command to its end
 *   default-variables  variables that devctl adds to the environment of a service
 *   command-line     a command as arguments, and in words
 *   stdin-fifo       the FIFO that is a service's stdin
 *   write-stdin      text for that FIFO
 *   resource-limits  limits that a shell sets before the command
 *   terminal         the pseudo-terminal of a service, and the processes that keep it
 *   inherited-files  descriptors that must not reach a service
 *   spawn-failure    the reason why a command did not start, in words
 *   unknown-program  programs that are not on PATH, and those that are meant
 */
import type { ChildProcess } from 'node:child_process';
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { DevctlError, errnoOf } from '../../errors.ts';
import type { ResolvedService, ResourceLimits } from '../../manifest/resolved.ts';
import type { PseudoTerminal } from '../../processes/native/terminals.ts';
import { loadSpawn, type SpawnChild } from '../../processes/spawn.ts';
import { whyNotAppend } from '../../project/safe-file.ts';
import type { Exit } from '../../project/service-record.ts';
import { closeInheritedFiles } from './inherited-files.ts';
import { limitedArgv, whyNotLimited } from './resource-limits.ts';
import { missingProgram, spawnFailure } from './spawn-failure.ts';
import { type MakeFifo, openFifo } from './stdin-fifo.ts';
import { openServiceTerminal, type SpawnedProcess, spawnOnTerminal } from './terminal.ts';

/** The part of a service that a launch needs. */
export type Launched = Pick<ResolvedService, 'command' | 'cwd'> &
  Partial<Pick<ResolvedService, 'resources' | 'tty'>>;

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
      /** The number of the leader. Without a terminal also that of its group and of its session. */
      readonly pid: number;
      /** Size of the log in bytes before the service could write to it. */
      readonly logOffset: number;
      /** The reason why `contain` failed; null when the service is contained, or need not be. */
      readonly uncontained: string | null;
      /** Resolves when the leader has ended, even if its descendants live on. Never rejects. */
      readonly exited: Promise<Exit>;
      /** Null: it has no terminal. */
      readonly terminal: LaunchedTerminal | null;
    }
  /** Nothing runs; `reason` is for the user. */
  | { readonly kind: 'failed'; readonly reason: string };

/** The terminal of a service that was just launched, and the processes that keep it. Both end with code 0 after the service. */
export interface LaunchedTerminal {
  readonly path: string;
  readonly session: SpawnedProcess;
  readonly holder: SpawnedProcess;
}

/**
 * Spawns a service as the leader of a session of its own. It gets nothing of ours but three files: its
 * FIFO as stdin, its log as stdout and stderr. So it outlives us, and no process waits for it by accident.
 * With `tty` it gets a terminal of its own, and a holder gets these files.
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
    const terminal = service.tty ? await openServiceTerminal() : null;
    if (terminal) files.push(terminal.master, terminal.slave);
    return await spawnLeader(service, place, { stdin, log, terminal });
  } catch (error) {
    return { kind: 'failed', reason: error instanceof Error ? error.message : String(error) };
  } finally {
    for (const fd of files) closeSync(fd);
  }
}

/** The open files of a service. */
interface Files {
  readonly stdin: number | 'ignore';
  readonly log: Log;
  readonly terminal: PseudoTerminal | null;
}

async function spawnLeader(
  service: Launched,
  { env, contain }: LaunchPlace,
  { stdin, log, terminal }: Files,
): Promise<Launch> {
  const { cwd, resources = UNLIMITED } = service;
  const [file = '', ...args] = limitedArgv(service.command, resources, env);
  if (resources.openFiles !== null || resources.core !== null) {
    // The shell in between would notice too, but could only tell us an exit code.
    const why = whyNotLimited(resources) ?? missingProgram(service.command, { cwd, env });
    if (why !== null) return { kind: 'failed', reason: why };
  }
  const spawnChild = await loadSpawn();
  closeInheritedFiles();
  let uncontained: string | null = null;
  const spawnContained: SpawnChild = (...given) => {
    const { child, why } = contain?.(() => spawnChild(...given)) ?? {
      child: spawnChild(...given),
      why: null,
    };
    uncontained ??= why;
    return child;
  };
  const reasonOf = (error: unknown) => spawnFailure(error, service.command, { cwd, env });
  if (terminal && stdin === 'ignore') return { kind: 'failed', reason: 'a terminal needs a stdin' };
  if (terminal && stdin !== 'ignore') {
    const on = { file, args, cwd, env, terminal, log: log.fd, stdin, spawnChild: spawnContained };
    const spawned = await spawnOnTerminal(on);
    if (spawned.kind === 'failed') return { kind: 'failed', reason: reasonOf(spawned.error) };
    const { pid, exited, session, holder } = spawned;
    const held = { path: terminal.path, session, holder };
    return { ...launchedAt(pid, log, uncontained), exited, terminal: held };
  }
  const leader = spawnContained(file, args, { cwd, env, stdio: [stdin, log.fd, log.fd] });
  if (leader.child === null) return { kind: 'failed', reason: reasonOf(await leader.failure) };
  const { child, pid } = leader;
  return { ...launchedAt(pid, log, uncontained), exited: exitOf(child), terminal: null };
}

function launchedAt(pid: number, { offset }: Log, uncontained: string | null) {
  return { kind: 'launched' as const, pid, logOffset: offset, uncontained };
}

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
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
