import type { Identity } from '../../src/processes/identity.ts';
import {
  indexSnapshot,
  type OpenFile,
  type ProcessDetails,
  type ProcessInfo,
  type Snapshot,
} from '../../src/processes/snapshot.ts';

export const BOOT = 'boot-1';
export const NAMESPACE = 'pid:[1]';

/** One process of a made-up process table. A field that is left out has the usual value. */
export interface Row {
  readonly pid: number;
  readonly ppid?: number;
  /** Default: the pid itself. */
  readonly pgid?: number;
  /** Default: the group. */
  readonly sid?: number;
  /** Start time in ticks. Default: the pid, so that higher numbers are younger. */
  readonly ticks?: number;
  readonly state?: string;
  readonly threads?: number;
  readonly kernelThread?: boolean;
  readonly rssBytes?: number;
  readonly cpuTicks?: number;
  readonly name?: string;
  readonly uid?: number;
  /** Default: the name. */
  readonly argv?: readonly string[] | string;
  readonly cwd?: string | null;
  /** Entries `NAME=value`, or the raw block. */
  readonly environ?: Readonly<Record<string, string>> | string | null;
  readonly files?: readonly OpenFile[];
  readonly controlGroup?: string;
  /** The id of its container. */
  readonly container?: string;
}

export function identity(pid: number, ticks: number = pid, bootId = BOOT): Identity {
  return { pid, startTicks: ticks, bootId, pidNamespace: NAMESPACE };
}

export function processOf(row: Row): ProcessInfo {
  const { pid, ppid = 1, pgid = pid, sid = pgid } = row;
  return {
    identity: identity(pid, row.ticks),
    ppid,
    pgid,
    sid,
    state: row.state ?? 'S',
    threads: row.threads ?? 1,
    kernelThread: row.kernelThread ?? false,
    rssBytes: row.rssBytes ?? 0,
    cpuTicks: row.cpuTicks ?? 0,
    name: row.name ?? 'node',
  };
}

/** The block of /proc/PID/environ: each entry is ended by NUL. */
export function environBlock(environ: Row['environ']): string | null {
  if (environ === null || environ === undefined) return environ === null ? null : '';
  if (typeof environ === 'string') return environ;
  return Object.entries(environ)
    .map(([name, value]) => `${name}=${value}\0`)
    .join('');
}

/** Makes a snapshot. Process 1 is always in it. */
export function snapshotOf(rows: readonly Row[], nowTicks = 1_000_000): Snapshot {
  const all: readonly Row[] = rows.some(({ pid }) => pid === 1)
    ? rows
    : [{ pid: 1, ppid: 0, ticks: 0, name: 'init', cwd: '/' }, ...rows];
  const byPid = new Map(all.map((row) => [row.pid, row]));
  const rowOf = ({ identity: { pid } }: ProcessInfo): Row | undefined => byPid.get(pid);
  const details: ProcessDetails = {
    uid: (process) => rowOf(process)?.uid ?? 1000,
    argv: (process) => argvOf(rowOf(process)),
    cwd: (process) => rowOf(process)?.cwd ?? null,
    environ: (process) => environBlock(rowOf(process)?.environ),
    openFiles: (process) => rowOf(process)?.files ?? [],
    controlGroup: (process) => rowOf(process)?.controlGroup ?? null,
    container: (process) => rowOf(process)?.container ?? null,
  };
  const moment = { takenAtMs: nowTicks * 10, nowTicks, bootId: BOOT, pidNamespace: NAMESPACE };
  return indexSnapshot({ ...moment, details }, all.map(processOf));
}

function argvOf(row: Row | undefined): readonly string[] {
  const argv = row?.argv ?? row?.name ?? 'node';
  return typeof argv === 'string' ? argv.split(' ') : argv;
}
