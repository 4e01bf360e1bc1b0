/*
 * The files of this folder, which read /proc and control groups:
 *
 *   table           the process table
 *   stat            one line of /proc/PID/stat
 *   details         arguments, environment, folder, user and open files of a process
 *   children        the children that the kernel lists
 *   shared-memory   memory, with each shared page counted once
 *   written-bytes   the output of a process so far
 *   sockets         listening sockets
 *   process-limits  limits on processes and files
 *   control-groups  makes, joins, freezes and kills control groups
 *   group-mounts    paths of control groups
 */
import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { linuxBootId } from '../boot-id.ts';
import { monotonicMs } from '../clock.ts';
import { readPidNamespace } from '../pid-namespace.ts';
import { listProcFolder, readProcFile, readProcLine } from '../proc-file.ts';
import {
  indexSnapshot,
  isGone,
  type ProcessDetails,
  type ProcessInfo,
  type Snapshot,
} from '../snapshot.ts';
import type { ProcessTable, Visit } from '../table.ts';
import { msToTicks } from '../ticks.ts';
import { createProcDetails, type EnvironMemo, forgetTheDead } from './details.ts';
import { parseStat } from './stat.ts';

/** Opens the process table of Linux, which is read from /proc without spawning anything. */
export function openProcTable(): ProcessTable {
  const bootId = linuxBootId();
  const pidNamespace = readPidNamespace();
  const pageBytes = readPageBytes();
  const environs: EnvironMemo = { byPid: new Map(), blocks: new Map() };
  const ownStartTicks = parseStat(readProcLine('/proc/self/stat') ?? '')?.startTicks ?? 0;

  function readProcess(pid: number | string): ProcessInfo | null {
    const text = readProcLine(`/proc/${pid}/stat`);
    const stat = text === null ? null : parseStat(text);
    if (stat === null) return null;
    return {
      identity: { pid: stat.pid, startTicks: stat.startTicks, bootId, pidNamespace },
      ppid: stat.ppid,
      pgid: stat.pgid,
      sid: stat.sid,
      state: stat.state,
      threads: stat.threads,
      kernelThread: stat.kernelThread,
      rssBytes: stat.rssPages * pageBytes,
      cpuTicks: stat.cpuTicks,
      childTicks: stat.childTicks,
      name: stat.name,
    };
  }

  function nowTicks(): number {
    const ticks = parseUptime(readProcLine('/proc/uptime') ?? '');
    // lxcfs shows the container's own uptime there, while field 22 of stat counts from the boot of
    // the host. A clock that is behind our own start is that of the container.
    if (ticks !== null && ticks >= ownStartTicks) return ticks;
    return ownStartTicks + Math.floor(msToTicks(monotonicMs()));
  }

  async function snapshot(): Promise<Snapshot> {
    const takenAtMs = monotonicMs();
    const moment = { takenAtMs, nowTicks: nowTicks(), bootId, pidNamespace };
    const details = createProcDetails(environs, moment);
    const processes: ProcessInfo[] = [];
    const read = new Set<string>();
    for (let round = 0; round < MAX_LISTINGS; round += 1) {
      let vanished = 0;
      for (const pid of listPids()) {
        if (read.has(pid)) continue;
        read.add(pid);
        if (read.size % READS_A_TURN === 0) await turnOfTheLoop();
        const process = readProcess(pid);
        const isYoung =
          process !== null && moment.nowTicks - process.identity.startTicks < YOUNG_TICKS;
        const isHere = process !== null && (!isYoung || showsItsMark(process, details));
        if (!isHere || isGone(process)) vanished += 1;
        if (process !== null) processes.push(process);
      }
      if (vanished === 0) break;
      await turnOfTheLoop();
    }
    const taken = indexSnapshot({ ...moment, details }, processes);
    forgetTheDead(environs, taken.byPid);
    return taken;
  }

  /**
   * Reads the environment of a young process at once. A process that forks and exits every 30 ms is dead before the
   * table has been read, and its environment with it. (For the cookie, every environment is read anyway.)
   *
   * @returns false when the process has died between the two reads
   */
  function showsItsMark(process: ProcessInfo, details: ProcessDetails): boolean {
    return details.environ(process) !== null || readProcess(process.identity.pid) !== null;
  }

  function readAgain(before: Snapshot, closely: ReadonlySet<number>): Snapshot {
    const moment = { takenAtMs: monotonicMs(), nowTicks: nowTicks(), bootId, pidNamespace };
    const processes = listPids().flatMap((name) => {
      const pid = Number(name);
      const known = closely.has(pid) ? null : before.byPid.get(pid);
      return known ?? readProcess(pid) ?? [];
    });
    return indexSnapshot({ ...moment, details: createProcDetails(environs, moment) }, processes);
  }

  async function scanDescending(visit: Visit): Promise<void> {
    const moment = { takenAtMs: monotonicMs(), nowTicks: nowTicks() };
    const details = createProcDetails(environs, moment);
    for (const pid of listPids()
      .map(Number)
      .sort((a, b) => b - a)) {
      const process = readProcess(pid);
      if (process !== null) await visit(process, details);
    }
  }

  return {
    kind: 'proc',
    bootId,
    pidNamespace,
    snapshot,
    read: async (pid) => readProcess(pid),
    scanDescending,
    changes: { forks: readForks, readAgain },
    nowTicks,
  };
}

/**
 * Most listings for one snapshot. A process that forks and exits between the listing and the read leaves a child that
 * is on no list, so the table is listed again. On a busy machine, four scans in a row missed a process that did
 * this every 30 ms.
 */
const MAX_LISTINGS = 8;

/**
 * Reads after which the event loop gets a turn, as it does between two listings. In a fork storm a subreaper has to reap
 * meanwhile: else its own dead make the next listing longer, and that one leaves even more of them. Beside four busy
 * loops a subreaper that reaped after 256 reads had 230 dead at a time, and one that reaps after 32 reads has 115.
 */
const READS_A_TURN = 32;

/** Age below which a process may be dead before its environment is read: one second. */
const YOUNG_TICKS = 100;

function listPids(): string[] {
  const names = listProcFolder('/proc') ?? [];
  return names.filter((name) => name.charCodeAt(0) >= 0x31 && name.charCodeAt(0) <= 0x39);
}

/** The usual count of pids. With fewer, a number comes round too soon for the count of forks to tell. */
const USUAL_PIDS = 32_768;

/** Reads the number of forks since boot, proc_stat(5). */
function readForks(): number | null {
  if (Number(readProcLine('/proc/sys/kernel/pid_max') ?? 0) < USUAL_PIDS) return null;
  const [, forks] = /^processes (\d+)$/m.exec(readProcFile('/proc/stat') ?? '') ?? [];
  return forks === undefined ? null : Number(forks);
}

/**
 * Reads seconds since boot with two decimals as ticks. The text is cut and not multiplied, because 4.35 × 100 is
 * 434.99999999999994.
 */
function parseUptime(text: string): number | null {
  const match = /^(\d+)\.(\d\d)/.exec(text);
  return match ? Number(match[1]) * 100 + Number(match[2]) : null;
}

/** The entry with the page size in the auxiliary vector, getauxval(3). */
const AT_PAGESZ = 6;

/** Reads the unit of `rss` in stat from the auxiliary vector: 4 KiB, on some ARM machines 16 or 64. */
function readPageBytes(): number {
  const vector = Buffer.from(readProcFile('/proc/self/auxv', 'latin1') ?? '', 'latin1');
  const wordBytes = process.arch === 'arm' || process.arch === 'ia32' ? 4 : 8;
  const word = (offset: number) =>
    wordBytes === 8 ? Number(vector.readBigUInt64LE(offset)) : vector.readUInt32LE(offset);
  for (let offset = 0; offset + 2 * wordBytes <= vector.length; offset += 2 * wordBytes) {
    if (word(offset) === AT_PAGESZ) return word(offset + wordBytes);
  }
  return 4096;
}
