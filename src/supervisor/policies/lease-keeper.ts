import { setTimeout as delay } from 'node:timers/promises';
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
import { rebasePath } from '../../project/place/rebase-path.ts';
import { recordedProject } from '../../project/recorded-project.ts';
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
  /** Follows a move of the project folder. */
  relocate(from: string, to: string): void;
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
  return new Keeper(context);
}

class Keeper implements LeaseKeeper {
  readonly #context: LeaseKeeperContext;
  #record: LeaseRecord | null;
  #timer: NodeJS.Timeout | null = null;
  #endWatches: readonly (() => void)[] = [];
  #stopping = false;
  #closed = false;

  constructor(context: LeaseKeeperContext) {
    this.#context = context;
    this.#record = context.initialRecord;
    void this.#arm();
  }

  async take(lease: Lease, manifest: string): Promise<void> {
    const { folder, table } = this.#context;
    const moment = await momentFor(table, this.#record);
    const before = this.#record?.bootId === moment.bootId ? this.#record.leases : [];
    const next: LeaseRecord = {
      schema: 1,
      ...recordedProject(folder),
      bootId: moment.bootId,
      manifest,
      leases: withLease(before, lease, moment),
    };
    writeLeases(folder, next);
    this.#record = next;
    await this.#arm();
    // On a busy machine it may be over before it is armed.
    this.check();
  }

  check(): void {
    if (!this.#record || this.#stopping) return;
    void this.#evaluate()
      .then((verdict) => (verdict.kind === 'ended' ? this.#stopEverything(verdict.why) : undefined))
      .catch((error: unknown) => this.#context.log(`looking at the lease: ${inWords(error)}`));
  }

  reread(): void {
    const read = readLeases(this.#context.folder);
    if (read.kind !== 'missing') return;
    this.#record = null;
    this.#disarm();
  }

  relocate(from: string, to: string): void {
    if (!this.#record) return;
    const { folder, log } = this.#context;
    const manifest = rebasePath(this.#record.manifest, from, to);
    this.#record = { ...this.#record, ...recordedProject(folder), manifest };
    try {
      writeLeases(folder, this.#record);
    } catch (error) {
      log(`the lease after the move: ${inWords(error)}`);
    }
  }

  drop(): void {
    if (!this.#record) return;
    this.#record = null;
    this.#disarm();
    try {
      removeLeases(this.#context.folder);
    } catch (error) {
      this.#context.log(`removing the lease: ${inWords(error)}`);
    }
  }

  close(): void {
    this.#closed = true;
    this.#disarm();
  }

  async #evaluate(): Promise<LeaseVerdict> {
    return evaluateLeases(this.#record, await momentFor(this.#context.table, this.#record));
  }

  /** Has `check` called when the last lease may be over: after its time, or when one of its processes ends. */
  async #arm(): Promise<void> {
    const verdict = await this.#evaluate();
    this.#disarm();
    if (this.#closed || verdict.kind !== 'lasts') return;
    const check = (): void => this.check();
    const processes = verdict.leases.flatMap((lease) => lease.processes);
    this.#endWatches = processes.flatMap(
      ({ identity: { pid } }) => this.#context.endWatch?.watch(pid, check) ?? [],
    );
    const ends = verdict.leases.map(({ endsInMs }) => endsInMs ?? Number.POSITIVE_INFINITY);
    const nextMs = Math.min(...ends);
    if (nextMs <= LONGEST_TIMER_MS) this.#timer = setTimeout(check, nextMs);
  }

  #disarm(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    for (const release of this.#endWatches) release();
    this.#endWatches = [];
  }

  async #stopEverything(why: string): Promise<void> {
    if (this.#stopping || this.#closed) return;
    this.#stopping = true;
    this.#context.log(`${why}: stopping everything`);
    this.#context.onEnded(why);
    try {
      // Until everything is stopped, by this or by another process, or a lease has been renewed
      // meanwhile.
      while (this.#record && !this.#closed && (await this.#evaluate()).kind === 'ended') {
        await delay(await this.#tryToStop(this.#record, why));
      }
    } finally {
      this.#stopping = false;
      void this.#arm().then(() => this.check());
    }
  }

  /** @returns how long to wait before the next check, in ms */
  async #tryToStop(ended: LeaseRecord, why: string): Promise<number> {
    const { folder, log } = this.#context;
    try {
      const request = stopEverythingRequest(folder, ended.manifest);
      const { processes, survivors } = await this.#context.stop(request, why);
      log(`${why}: ${processes.length} ended, ${survivors.length} left`);
      // A start may have brought a new lease as soon as the stop had released the lock.
      if (this.#record === ended) this.#record = null;
      return 0;
    } catch (error) {
      log(`stopping because ${why}: ${inWords(error)}`);
      return error instanceof DevctlError && error.code === 'locked' ? LOCKED_MS : FAILED_MS;
    }
  }
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
