import { constants, lstatSync, statSync } from 'node:fs';
import { monotonicMs } from '../clock.ts';
import { listProcFolder, quietly, readProcFile, readProcLine, readProcLink } from '../proc-file.ts';
import type { OpenFile, ProcessDetails, ProcessInfo, Snapshot } from '../snapshot.ts';
import { msToTicks } from '../ticks.ts';
import { parseContainerId, parseGroupPath } from './group-mounts.ts';

/**
 * The environment blocks that earlier snapshots read, by pid. A block never changes between two execs,
 * and reading all of them again took 10 ms instead of 2.6 ms at 75 processes.
 */
export interface EnvironMemo {
  readonly byPid: Map<number, KeptEnviron>;
  /** Each block once: dozens of workers share one, and with npm's variables a block has many kilobytes. */
  readonly blocks: Map<string, string>;
}

export interface KeptEnviron {
  readonly startTicks: number;
  /** An exec gives the process a new block and, nearly always, a new name. */
  readonly name: string;
  readonly block: string;
}

/** Age from which a block is kept. Between fork and exec a process still shows its parent's block. */
const SETTLED_TICKS = 200;

/**
 * Makes the details of one snapshot. Each is read when it is first asked for.
 *
 * A pid may have been given to a stranger since the snapshot. Then the answers are the stranger's,
 * but they stand under the identity of the dead process, which no signal reaches any more.
 */
export function createProcDetails(
  environs: EnvironMemo,
  moment: Pick<Snapshot, 'takenAtMs' | 'nowTicks'>,
): ProcessDetails {
  const groups = oncePerProcess(readGroups);
  return {
    uid: oncePerProcess(readUid),
    argv: oncePerProcess(readArgv),
    cwd: oncePerProcess(readCwd),
    openFiles: oncePerProcess(readOpenFiles),
    controlGroup: oncePerProcess((process) => parseGroupPath(groups(process))),
    container: oncePerProcess((process) => containerOf(process, groups(process))),
    environ: oncePerProcess((process) => {
      const { pid, startTicks } = process.identity;
      const kept = environs.byPid.get(pid);
      if (kept && kept.startTicks === startTicks && kept.name === process.name) return kept.block;
      const nowTicks = moment.nowTicks + msToTicks(monotonicMs() - moment.takenAtMs);
      const block = keptOnce(environs, readEnviron(process));
      if (block && nowTicks - startTicks >= SETTLED_TICKS) {
        environs.byPid.set(pid, { startTicks, name: process.name, block });
      }
      return block;
    }),
  };
}

/** Forgets the blocks of all processes but these. */
export function forgetTheDead({ byPid, blocks }: EnvironMemo, living: Snapshot['byPid']): void {
  const used = new Set<string>();
  for (const [pid, { startTicks, block }] of byPid) {
    if (living.get(pid)?.identity.startTicks === startTicks) used.add(block);
    else byPid.delete(pid);
  }
  for (const block of blocks.keys()) if (!used.has(block)) blocks.delete(block);
}

function keptOnce({ blocks }: EnvironMemo, block: string | null): string | null {
  if (!block) return block;
  const known = blocks.get(block);
  if (known === undefined) blocks.set(block, block);
  return known ?? block;
}

function oncePerProcess<Answer>(
  read: (process: ProcessInfo) => Answer,
): (process: ProcessInfo) => Answer {
  const answers = new Map<ProcessInfo, Answer>();
  return (process) => {
    const known = answers.get(process);
    if (known !== undefined) return known;
    const answer = read(process);
    answers.set(process, answer);
    return answer;
  };
}

function readUid(process: ProcessInfo): number | null {
  // The folder belongs to the effective user even where its files were given to root, as they are
  // for a process that is not dumpable (proc(5)).
  const uid = quietly(() => statSync(`/proc/${process.identity.pid}`).uid);
  return uid;
}

function readArgv(process: ProcessInfo): readonly string[] | null {
  if (process.kernelThread) return [];
  const text = firstAnswer(process, (folder) => readProcFile(`${folder}/cmdline`));
  if (text === null) return null;
  // A process that rewrote its title may leave any number of NULs behind it.
  const words = text.replace(/\0+$/, '');
  return words === '' ? [] : words.split('\0');
}

/** The kernel's mark behind the path of a removed folder (proc_pid_cwd(5)). */
const DELETED = ' (deleted)';

function readCwd(process: ProcessInfo): string | null {
  return firstAnswer(process, (folder) => {
    const link = readProcLink(`${folder}/cwd`);
    if (!link?.endsWith(DELETED))
      return link !== null && isOtherFile(folder, 'cwd', link) ? null : link;
    // A living folder may have a name that ends so.
    const isNamedSo = quietly(() => statSync(`${folder}/cwd`).nlink) !== 0;
    return isNamedSo ? link : link.slice(0, -DELETED.length);
  });
}

/**
 * Tells whether a process of another mount namespace (mount_namespaces(7)) sees another file at this path: then the
 * path says nothing here. Containers that share our PID namespace have such processes.
 */
function isOtherFile(folder: string, name: string, path: string): boolean {
  if (!hasOtherMounts(folder)) return false;
  const [there, here] = [`${folder}/${name}`, path].map((file) => quietly(() => statSync(file)));
  return !there || !here || there.dev !== here.dev || there.ino !== here.ino;
}

function hasOtherMounts(folder: string): boolean {
  const namespace = readProcLink(`${folder}/ns/mnt`);
  return namespace !== null && namespace !== ownNamespace('mnt');
}

const namespaces = new Map<string, string | null>();

/** A namespace of ours. It is read once, because this process never changes it. */
function ownNamespace(name: 'mnt' | 'pid'): string | null {
  const known = namespaces.get(name) ?? readProcLink(`/proc/self/ns/${name}`);
  namespaces.set(name, known);
  return known;
}

function readEnviron(process: ProcessInfo): string | null {
  return firstAnswer(process, (folder) => readProcFile(`${folder}/environ`, 'latin1'));
}

function readGroups({ identity }: ProcessInfo): string {
  return readProcLine(`/proc/${identity.pid}/cgroup`) ?? '';
}

/**
 * Finds the container of a process. Two signs together make it certain: another PID or mount namespace (namespaces(7)),
 * and a control group that a container engine has named. Docker, containerd, CRI-O and podman name it by 64 hex digits.
 * The group comes first, because it is read once for each claim in any case.
 */
function containerOf({ identity: { pid } }: ProcessInfo, groups: string): string | null {
  const container = parseContainerId(groups);
  const isElsewhere = (name: (typeof NAMESPACES)[number]): boolean => {
    const there = readProcLink(`/proc/${pid}/ns/${name}`);
    return there !== null && there !== ownNamespace(name);
  };
  return container !== null && NAMESPACES.some(isElsewhere) ? container : null;
}

const NAMESPACES = ['pid', 'mnt'] as const;

function readOpenFiles(process: ProcessInfo): readonly OpenFile[] | null {
  return firstAnswer(process, (folder) => {
    const names = listProcFolder(`${folder}/fd`);
    if (names === null) return null;
    const files = names.flatMap((name) => readOpenFile(folder, Number(name)) ?? []);
    if (!hasOtherMounts(folder)) return files;
    return files.filter(({ fd, target }) => !isOtherFile(folder, `fd/${fd}`, target));
  });
}

function readOpenFile(folder: string, fd: number): OpenFile | null {
  const target = readProcLink(`${folder}/fd/${fd}`);
  if (target === null) return null;
  // Only a file can be a log, and most descriptors are /dev/null, a terminal, a pipe or a socket.
  if (!target.startsWith('/') || target === '/dev/null')
    return { fd, target, readable: true, writable: true, appends: null };
  // The permissions of the link are those with which the descriptor was opened (proc_pid_fd(5)).
  const mode = quietly(() => lstatSync(`${folder}/fd/${fd}`).mode);
  if (mode === null) return null;
  const [readable, writable] = [(mode & 0o400) !== 0, (mode & 0o200) !== 0];
  if (target.startsWith('/dev/pts/')) return { fd, target, readable, writable, appends: null };
  const appends = writable ? readAppends(`${folder}/fdinfo/${fd}`) : false;
  return { fd, target, readable, writable, appends };
}

/** Reads O_APPEND from the flags of open(2), which stand there in octal (proc_pid_fdinfo(5)). */
function readAppends(path: string): boolean | null {
  const flags = /^flags:\s*([0-7]+)/m.exec(readProcFile(path) ?? '')?.[1];
  return flags === undefined ? null : (Number.parseInt(flags, 8) & constants.O_APPEND) !== 0;
}

/**
 * Asks the process, or one of its threads where the leader is a zombie but others run on: then
 * /proc/PID answers ESRCH or nothing, and /proc/PID/task/TID the truth.
 */
function firstAnswer<Answer extends { readonly length: number }>(
  process: ProcessInfo,
  read: (folder: string) => Answer | null,
): Answer | null {
  const folder = `/proc/${process.identity.pid}`;
  if (process.state !== 'Z' || process.threads <= 1) return read(folder);
  for (const thread of listProcFolder(`${folder}/task`) ?? []) {
    if (Number(thread) === process.identity.pid) continue;
    const answer = read(`${folder}/task/${thread}`);
    if (answer !== null && answer.length > 0) return answer;
  }
  return null;
}
