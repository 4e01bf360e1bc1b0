import { inWords } from '../errors.ts';
import type { Claim } from '../ownership/claim.ts';
import { GUARD_NAME } from '../ownership/vetoes.ts';
import { monotonicMs } from '../processes/clock.ts';
import { type Identity, identityKey, sameIdentity } from '../processes/identity.ts';
import { listsChildren } from '../processes/linux/children.ts';
import { removeGroup } from '../processes/linux/control-groups.ts';
import type { Native } from '../processes/native/native.ts';
import type { ProcessInfo, Snapshot } from '../processes/snapshot.ts';
import type { ProcessTable } from '../processes/table.ts';
import { forgetReads } from '../project/kept-reads.ts';
import { compactLedger, LEDGER_COMPACT_BYTES } from '../project/ledger.ts';
import { writeRecord } from '../project/records.ts';
import { type AdoptedLeaders, type WatchedRuns, watchAdoptedLeaders } from './adopted-leaders.ts';
import { type ClaimTracker, trackClaims } from './claim-tracker.ts';
import { createIdleScan, type IdleScan } from './idle-scan.ts';
import type { ProjectState } from './project-state.ts';
import type { RunGroups } from './run-groups.ts';
import {
  LONGEST_SCAN_PAUSE_MS,
  nextScanPauseMs,
  SHORTEST_SCAN_PAUSE_MS,
  shortestPauseMs,
} from './scan-pace.ts';
import { recordClaims } from './write-ledger.ts';

export interface WitnessContext {
  readonly table: ProcessTable;
  readonly self: Identity;
  /** The records as they were when this process began. Runs that it starts itself come from `runs`. */
  readonly initialState: ProjectState;
  readonly runs: WatchedRuns;
  /** Picks the claims to witness. Missing: all of the project. */
  readonly concerns?: (claim: Claim) => boolean;
  /** Null: this process adopts nothing. */
  readonly native: Pick<Native, 'endWatch' | 'trimMemory'> | null;
  /** Null: there are no control groups. */
  readonly groups: RunGroups | null;
  /** Missing: only the witness needs the scans. */
  readonly listener?: ScanListener;
  readonly log: (line: string) => void;
  /** Sends SIGKILL to the target, and to no other process. */
  readonly kill: (target: Identity) => Promise<unknown>;
}

/** Learns from the scans of the witness, so that the process table is read once for all. */
export interface ScanListener {
  /** @param claims of all processes that are ours in this snapshot */
  onScan(snapshot: Snapshot, claims: readonly Claim[]): void;
  /** True when something is going on that is worth a scan each second. */
  isMoving(): boolean;
  /** True when somebody waits for what the next scan shows. */
  isWatched(): boolean;
}

/** Scans the process table again and again, and writes down what it sees. */
export interface Witness {
  /** Scans as soon as the pace allows, because something has just changed. */
  wake(): void;
  /** While a stop is at work, the witness does not scan and writes nothing. */
  setStoodDown(stoodDown: boolean): Promise<void>;
  /** Scans at once, and resolves when everything seen is in the ledger. */
  scan(): Promise<void>;
  /** Number of processes of ours in the last scan. */
  ownedCount(): number;
  stop(): void;
}

/** Time without a change after which the memory that a start or a fork storm needed is given back. */
const TIDY_MS = 10_000;

/**
 * Starts to record the identity of every descendant while it can still be seen, and to notice the end of
 * adopted leaders.
 */
export function startWitness(context: WitnessContext): Witness {
  return new ScanLoop(context);
}

class ScanLoop implements Witness {
  readonly #context: WitnessContext;
  readonly #tracker: ClaimTracker;
  readonly #idleScan: IdleScan;
  readonly #adoptedLeaders: AdoptedLeaders;
  /** Keys of the processes that are in the ledger (`placeOf`). */
  readonly #recorded = new Set<string>();
  /** Keys of the processes that are still to be written to the ledger. */
  #unwritten: ReadonlySet<string> = new Set();
  /** Why the last scan could not write what it saw; null: it has written everything. */
  #whyUnwritten: string | null = null;
  #timer: NodeJS.Timeout | null = null;
  #pauseMs = SHORTEST_SCAN_PAUSE_MS;
  /** Duration of the last full scan. */
  #tookMs = 0;
  #underWay: Promise<void> | null = null;
  #stoodDown = false;
  #stopped = false;
  #ownedCount = 0;
  /** When something changed last; null once the memory for it has been given back. */
  #changedAtMs: number | null = monotonicMs();

  constructor(context: WitnessContext) {
    const { table, self, native, runs } = context;
    this.#context = context;
    const stateNow = (): ProjectState => this.#stateNow();
    this.#tracker = trackClaims({
      get state() {
        return stateNow();
      },
      self,
      names: new Set<string>(),
      // In a project that restarts often, they would pile up for months; only a stop reports them.
      keepsCommands: false,
      // Until a stop leaves it alone it is a process like any other, with limits and a ledger.
      protects: false,
    });
    this.#idleScan = createIdleScan(table, self, stateNow, this.#tracker);
    this.#adoptedLeaders = watchAdoptedLeaders({
      runs,
      endWatch: native?.endWatch() ?? null,
      // Not before the scan under way has ended: it may have read the process too early.
      onEnd: () => void Promise.resolve(this.#underWay).then(() => this.#schedule(0)),
    });
    this.#schedule(0);
  }

  wake(): void {
    this.#idleScan.end();
    this.#changedAtMs = monotonicMs();
    this.#pauseMs = shortestPauseMs({ contained: this.#isContained(), tookMs: this.#tookMs });
    // Without a timer a scan is under way, or a stop is at work.
    if (this.#timer) this.#schedule(this.#pauseMs);
  }

  async setStoodDown(stoodDown: boolean): Promise<void> {
    this.#stoodDown = stoodDown;
    this.#pauseMs = SHORTEST_SCAN_PAUSE_MS;
    await this.#underWay;
    this.#schedule(0);
  }

  async scan(): Promise<void> {
    // A scan under way began before now, so what it has not seen must be looked for once more.
    await this.#underWay;
    this.#idleScan.end();
    await this.#begin();
  }

  ownedCount(): number {
    return this.#ownedCount;
  }

  stop(): void {
    this.#stopped = true;
    this.#adoptedLeaders.stop();
    if (this.#timer) clearTimeout(this.#timer);
  }

  #stateNow(): ProjectState {
    const { initialState, runs } = this.#context;
    return { ...initialState, records: runs.records(), problems: [] };
  }

  #schedule(ms: number): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = this.#stopped ? null : setTimeout(() => this.#begin(), ms);
  }

  /** Never two scans at a time: a caller that wants another one joins the one under way. */
  #begin(): Promise<void> {
    this.#underWay ??= this.#scanAndSchedule().finally(() => {
      this.#underWay = null;
    });
    return this.#underWay;
  }

  async #scanAndSchedule(): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#stoodDown) return;
    try {
      if (!this.#scanIdle()) await this.#scanAll();
    } catch (error) {
      const why = error instanceof Error ? error.stack : error;
      this.#context.log(`looking at the process table: ${why}`);
      this.#pauseMs = LONGEST_SCAN_PAUSE_MS;
    }
    this.#schedule(this.#pauseMs);
  }

  /** @returns false when a full scan is due */
  #scanIdle(): boolean {
    const scan = this.#isContained() ? this.#idleScan.scan() : null;
    if (!scan) return false;
    this.#context.listener?.onScan(scan.snapshot, this.#concerning(scan.claims));
    this.#trimMemory();
    this.#setPause(false);
    return true;
  }

  async #scanAll(): Promise<void> {
    const { table, groups } = this.#context;
    const beganAtMs = monotonicMs();
    this.#idleScan.end();
    const forks = table.changes?.forks() ?? null;
    const snapshot = await table.snapshot();
    // A stop that has just begun sends the signals, and what is seen now may be dead by then.
    if (this.#stoodDown) return;
    // Removes the groups of runs that have ended. The kernel refuses to remove one with a process in it, so those of the
    // runs of which the last scan saw a process are not tried: with 250 services that took a third of a scan.
    if (groups) removeGroup(groups.folder, this.#tracker.livingRuns());
    const changed = this.#record(snapshot);
    this.#adoptedLeaders.onScan(snapshot);
    this.#endIdleGuards(snapshot);
    if (changed) this.#changedAtMs = monotonicMs();
    // An idle scan writes nothing.
    else if (this.#isContained() && this.#whyUnwritten === null) {
      this.#idleScan.begin(snapshot, forks);
    }
    this.#tookMs = monotonicMs() - beganAtMs;
    this.#setPause(changed);
  }

  /** The claims that the parent of these runs cares for: to `devctl run`, those of services are none of them. */
  #concerning(claims: readonly Claim[]): readonly Claim[] {
    const { concerns } = this.#context;
    return concerns ? claims.filter(concerns) : claims;
  }

  /** @returns true when a process of ours is new, has moved or has gone */
  #record(snapshot: Snapshot): boolean {
    const claims = this.#concerning([...this.#tracker.claim(snapshot).values()]);
    this.#ownedCount = claims.length;
    this.#context.listener?.onScan(snapshot, claims);
    const fresh = claims.filter(({ process }) => !this.#recorded.has(placeOf(process)));
    const isChanged = fresh.some(({ process }) => !this.#unwritten.has(placeOf(process)));
    const present = new Set(claims.map(({ process }) => placeOf(process)));
    const lost = [...this.#recorded].filter((key) => !present.has(key));
    for (const key of lost) this.#recorded.delete(key);
    this.#write(snapshot, fresh);
    return isChanged || lost.length > 0;
  }

  /**
   * Writes what a scan has seen. Only what is on disk counts as recorded, because the folder may be away for a moment,
   * or the disk full. The next scan tries again.
   */
  #write(snapshot: Snapshot, fresh: readonly Claim[]): void {
    const attempts = [() => this.#noteLeavers(), () => this.#writeLedgers(snapshot, fresh)];
    const failures = attempts.flatMap((attempt) => {
      try {
        attempt();
        return [];
      } catch (error) {
        return [inWords(error)];
      }
    });
    const why = failures[0] ?? null;
    // Once for each reason, because it may last for hours.
    if (why !== null && why !== this.#whyUnwritten) {
      this.#context.log(`what was seen is not written down yet: ${why}`);
    }
    this.#whyUnwritten = why;
    const keys = fresh.map(({ process }) => placeOf(process));
    this.#unwritten = new Set(keys.filter((key) => !this.#recorded.has(key)));
  }

  #writeLedgers(snapshot: Snapshot, fresh: readonly Claim[]): void {
    const { folder } = this.#context.initialState;
    recordClaims(folder, snapshot, fresh, ({ service, claims, bytes }) => {
      for (const { process } of claims) this.#recorded.add(placeOf(process));
      if (bytes < LEDGER_COMPACT_BYTES) return;
      compactLedger(folder, service, ({ identity }) => isOfUse(identity, snapshot));
    });
  }

  /**
   * Notes in the record that a process has left the group of its run, because its empty group proves
   * nothing from then on.
   */
  #noteLeavers(): void {
    const { runs, initialState } = this.#context;
    for (const entry of runs.entries.values()) {
      const { record } = entry;
      if (!record?.cgroup?.held || !this.#tracker.outside.has(record.runId)) continue;
      const left = { ...record, cgroup: { ...record.cgroup, held: false } };
      writeRecord(initialState.folder, left);
      entry.record = left;
    }
  }

  /** Ends guards of earlier supervisors that have nothing below them any more. */
  #endIdleGuards(snapshot: Snapshot): void {
    for (const { identity, name } of this.#tracker.latest().guards) {
      // A guard that is just coming up, and has not spawned its supervisor, is still Node by name.
      if (name !== GUARD_NAME || snapshot.byParent.has(identity.pid)) continue;
      if (listsChildren(identity.pid) === false) void this.#context.kill(identity);
    }
  }

  /** Gives memory back some time after the last change. */
  #trimMemory(): void {
    if (this.#changedAtMs === null || monotonicMs() - this.#changedAtMs < TIDY_MS) return;
    this.#changedAtMs = null;
    forgetReads();
    this.#context.native?.trimMemory();
  }

  #setPause(changed: boolean): void {
    const { listener } = this.#context;
    this.#pauseMs = nextScanPauseMs(this.#pauseMs, {
      changed,
      moving: listener?.isMoving() ?? false,
      watched: listener?.isWatched() ?? false,
      contained: this.#isContained(),
      grouped: this.#isGrouped(),
      tookMs: this.#tookMs,
    });
  }

  #isGrouped(): boolean {
    return this.#context.runs.records().every(({ cgroup }) => cgroup?.held ?? false);
  }

  /** True when no process can escape unseen, and Node reports the end of every leader. */
  #isContained(): boolean {
    const { native, runs } = this.#context;
    const watchesOthers = [...runs.entries.values()].some(
      ({ spawnedHere, state }) => !spawnedHere && 'leader' in state,
    );
    return native !== null && !watchesOthers;
  }
}

/**
 * Returns a key for a process in its group and session. A process that moves to another one gets a new
 * key and is witnessed again, because it may come to lead the group or session.
 */
function placeOf({ identity, pgid, sid }: ProcessInfo): string {
  return `${identityKey(identity)} ${pgid} ${sid}`;
}

/** True when the process is alive, or when a session or group that it led has members. */
function isOfUse(identity: Identity, snapshot: Snapshot): boolean {
  const found = snapshot.byPid.get(identity.pid);
  if (found) return sameIdentity(found.identity, identity);
  return snapshot.bySession.has(identity.pid) || snapshot.byGroup.has(identity.pid);
}
