import { setTimeout as pass } from 'node:timers/promises';
import type { SupervisedStopRequest } from '../../client/protocol.ts';
import { DevctlError, inWords } from '../../errors.ts';
import {
  evaluateLeases,
  type LeaseMoment,
  type LeaseVerdict,
  withLease,
} from '../../leases/evaluate.ts';
import {
  type Lease,
  type LeaseRecord,
  readLeases,
  removeLeases,
  writeLeases,
} from '../../leases/file.ts';
import { stopEverythingRequest } from '../../operations/stop/unattended.ts';
import type { Identity } from '../../processes/identity.ts';
import type { EndWatch } from '../../processes/native/end-watch.ts';
import { livesIn } from '../../processes/snapshot.ts';
import type { ProcessTable } from '../../processes/table.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import type { StopReport } from '../../stopping/report.ts';

export interface LeaseKeeperContext {
  readonly folder: ProjectFolder;
  readonly table: ProcessTable;
  /** The leases that an earlier supervisor had. */
  readonly initialRecord: LeaseRecord | null;
  /** Stops services in this process, without a command that asked for it. */
  readonly stop: (
    request: SupervisedStopRequest,
    why: string,
  ) => Promise<Pick<StopReport, 'processes' | 'survivors'>>;
  /** Reports the end of a process; null when the platform cannot, so that only polling notices it. */
  readonly endWatch: EndWatch | null;
  /** Called once, before anything is stopped. */
  readonly onEnded: (why: string) => void;
  readonly log: (line: string) => void;
}

/** Keeps the leases of the project, which say for how long it runs. */
export interface LeaseKeeper {
  /**
   * Adds a lease, or renews one; it is on disk when this returns.
   *
   * @throws DevctlError 'records-unwritable', 'unsafe'
   */
  take(lease: Lease, manifest: string): Promise<void>;
  /**
   * Checks whether the last lease is over. Call it every few seconds, because time may have passed in
   * which no timer ran (suspend).
   */
  check(): void;
  /** Call it after a stop of everything, whichever process carried it out: it may have removed the record. */
  reread(): void;
  /** Drops all leases, because no service runs any more that they could end. */
  drop(): void;
  close(): void;
}

/**
 * Pauses before the next attempt to stop: another command is at work, or anything else is wrong, which
 * does not go away as soon.
 */
const LOCKED_MS = 1_000;
const FAILED_MS = 30_000;
/** Longest time of a Node timer, in ms. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Stops everything when the last lease is over. */
export function createLeaseKeeper(context: LeaseKeeperContext): LeaseKeeper {
  const { folder, table, log } = context;
  let record = context.initialRecord;
  let timer: NodeJS.Timeout | null = null;
  let honouring = false;
  let closed = false;

  const judge = async (): Promise<LeaseVerdict> =>
    evaluateLeases(record, await momentFor(table, record));

  let watches: readonly (() => void)[] = [];
  const disarm = (): void => {
    if (timer) clearTimeout(timer);
    timer = null;
    for (const release of watches) release();
    watches = [];
  };
  const arm = async (): Promise<void> => {
    const verdict = await judge();
    disarm();
    if (closed || verdict.kind !== 'lasts') return;
    const processes = verdict.leases.flatMap((lease) => lease.processes);
    watches = processes.flatMap(
      ({ identity: { pid } }) => context.endWatch?.watch(pid, look) ?? [],
    );
    const ends = verdict.leases.map(({ endsInMs }) => endsInMs ?? Number.POSITIVE_INFINITY);
    const nextMs = Math.min(...ends);
    if (nextMs <= LONGEST_TIMER_MS) timer = setTimeout(look, nextMs);
  };

  const look = (): void => {
    if (!record || honouring) return;
    void judge()
      .then((verdict) => (verdict.kind === 'ended' ? honour(verdict.why) : undefined))
      .catch((error: unknown) => log(`looking at the lease: ${inWords(error)}`));
  };

  const honour = async (why: string): Promise<void> => {
    if (honouring || closed) return;
    honouring = true;
    log(`${why}: stopping everything`);
    context.onEnded(why);
    try {
      // Until everything is stopped, by this or by another process, or a lease has been renewed
      // meanwhile.
      while (record && !closed && (await judge()).kind === 'ended') {
        await pass(await tryToStop(record, why));
      }
    } finally {
      honouring = false;
      void arm();
    }
  };

  /** @returns how long to wait before the next check, in ms */
  const tryToStop = async (ended: LeaseRecord, why: string): Promise<number> => {
    try {
      const request = stopEverythingRequest(folder, ended.manifest);
      const { processes, survivors } = await context.stop(request, why);
      log(`${why}: ${processes.length} ended, ${survivors.length} left`);
      // A start may have brought a new lease as soon as the stop had released the lock.
      if (record === ended) record = null;
      return 0;
    } catch (error) {
      log(`stopping because ${why}: ${inWords(error)}`);
      return error instanceof DevctlError && error.code === 'locked' ? LOCKED_MS : FAILED_MS;
    }
  };

  void arm();
  return {
    async take(lease, manifest) {
      const moment = await momentFor(table, record);
      const before = record?.bootId === moment.bootId ? record.leases : [];
      const next: LeaseRecord = {
        schema: 1,
        project: folder.root,
        bootId: moment.bootId,
        manifest,
        leases: withLease(before, lease, moment),
      };
      writeLeases(folder, next);
      record = next;
      await arm();
    },
    check: look,
    reread() {
      const read = readLeases(folder);
      if (read.kind !== 'missing') return;
      record = null;
      disarm();
    },
    drop() {
      if (!record) return;
      record = null;
      disarm();
      try {
        removeLeases(folder);
      } catch (error) {
        log(`removing the lease: ${inWords(error)}`);
      }
    },
    close() {
      closed = true;
      disarm();
    },
  };
}

/** Reads the clock and the processes of the leases, and nothing else. */
async function momentFor(table: ProcessTable, record: LeaseRecord | null): Promise<LeaseMoment> {
  const pids = new Set(
    record?.leases.flatMap(({ processes }) => processes.map(({ identity }) => identity.pid)),
  );
  const rows = await Promise.all([...pids].map((pid) => table.read(pid)));
  const byPid = new Map(rows.flatMap((row) => (row ? [[row.identity.pid, row] as const] : [])));
  return {
    nowTicks: table.nowTicks(),
    bootId: table.bootId,
    pidNamespace: table.pidNamespace,
    isAlive: (identity: Identity) => livesIn({ byPid }, identity),
  };
}
