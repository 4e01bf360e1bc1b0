import type { Identity } from './identity.ts';
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
