import { readlinkSync } from 'node:fs';
import { DevctlError } from '../errors.ts';
import type { Identity } from './identity.ts';
import { openProcTable } from './linux/table.ts';
import { openPortableTable } from './portable/table.ts';
import type { ProcessDetails, ProcessInfo, Snapshot } from './snapshot.ts';

/** Called for each process in the moment in which it was read. */
export type Visit = (process: ProcessInfo, details: ProcessDetails) => Promise<void> | void;

/**
 * What one operating system knows about its processes. To support another, write one file that
 * implements this and add a line to `openProcessTable`; `test/processes/table.test.ts` then runs
 * the same suite against it.
 */
export interface ProcessTable extends Pick<Identity, 'bootId' | 'pidNamespace'> {
  readonly kind: 'proc' | 'portable';
  /** The whole table. A process that ends during the read is left out. */
  snapshot(): Promise<Snapshot>;
  /** One process, null when there is none with this number. */
  read(pid: number): Promise<ProcessInfo | null>;
  /** Reads once, from the highest pid down; `visit` is awaited before the next process is read. */
  scanDescending(visit: Visit): Promise<void>;
  /** Missing: every look has to read everything. */
  readonly changes?: TableChanges;
  /** The clock in units of `Identity.startTicks`: nothing that starts later has a lower value. */
  nowTicks(): number;
}

/** For looks at a table in which little has changed. */
export interface TableChanges {
  /** How often was forked on this machine since it was booted, threads included; null: that is not known. */
  forks(): number | null;
  /** A snapshot in which all but `closely`, and what is new, is taken over from an earlier one. */
  readAgain(before: Snapshot, closely: ReadonlySet<number>): Snapshot;
}

/**
 * The process table of this machine: /proc on Linux, `ps` elsewhere. DEVCTL_PROCESS_TABLE=portable
 * forces the second, so that it is tested where most of us work.
 *
 * @throws DevctlError 'unsafe' when /proc is missing or shows another PID namespace than ours
 */
export function openProcessTable(env: NodeJS.ProcessEnv = process.env): ProcessTable {
  if (process.platform !== 'linux') return openPortableTable();
  requireOwnProc();
  return env.DEVCTL_PROCESS_TABLE === 'portable' ? openPortableTable() : openProcTable();
}

/** In `unshare -p` without a /proc of its own, each pid read there names somebody else's process. */
function requireOwnProc(): void {
  const self = ownNumberInProc();
  if (self === String(process.pid)) return;
  const problem =
    self === null
      ? 'there is no /proc, so no process can be recognised'
      : `/proc belongs to another PID namespace (it calls this process ${self}, not ${process.pid})`;
  throw new DevctlError('unsafe', problem, {
    hint: 'mount a /proc of this namespace: mount -t proc proc /proc, or unshare --mount-proc',
  });
}

function ownNumberInProc(): string | null {
  try {
    return readlinkSync('/proc/self');
  } catch {
    return null;
  }
}
