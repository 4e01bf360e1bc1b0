import type { Identity } from './identity.ts';
import type { ProcessDetails, ProcessInfo, Snapshot } from './snapshot.ts';

/** A callback for each process at the moment of its read. */
export type Visit = (process: ProcessInfo, details: ProcessDetails) => Promise<void> | void;

/**
 * The knowledge of an operating system about its processes. To support another system, write one file that
 * implements this and add a line to `openProcessTable`. `test/processes/table.test.ts` then runs
 * the same suite against it.
 */
export interface ProcessTable extends Pick<Identity, 'bootId' | 'pidNamespace'> {
  readonly kind: 'proc' | 'portable';
  /** Reads the whole table, without a process that ends during the read. */
  snapshot(): Promise<Snapshot>;
  /** Reads one process; null when no process has this number. */
  read(pid: number): Promise<ProcessInfo | null>;
  /** Reads once, from the highest pid down, and awaits `visit` before it reads the next process. */
  scanDescending(visit: Visit): Promise<void>;
  /** Missing where every look has to read everything. */
  readonly changes?: TableChanges;
  /** Reads the clock in units of `Identity.startTicks`. A process that starts later has no lower value. */
  nowTicks(): number;
}

/** Cheaper reads of a table in which little has changed. */
export interface TableChanges {
  /** Counts the forks on this machine since it was booted, threads included; null where that is not known. */
  forks(): number | null;
  /** Reads only the processes in `closely` and new ones, and takes the rest over from an earlier snapshot. */
  readAgain(before: Snapshot, closely: ReadonlySet<number>): Snapshot;
}
