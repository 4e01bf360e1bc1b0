import type { Claim } from '../ownership/claim.ts';
import { GUARD_NAME } from '../ownership/vetoes.ts';
import { monotonicMs } from '../processes/clock.ts';
import { type Identity, identityKey, sameIdentity } from '../processes/identity.ts';
import { listsChildren } from '../processes/linux/children.ts';
import { removeGroup } from '../processes/linux/control-groups.ts';
import type { Native } from '../processes/native/native.ts';
import type { ProcessInfo, Snapshot } from '../processes/snapshot.ts';
import type { ProcessTable } from '../processes/table.ts';
import { compactLedger, LEDGER_COMPACT_BYTES } from '../project/ledger.ts';
import { writeRecord } from '../project/records.ts';
import { type WatchedRuns, watchAdoptedLeaders } from './adopted-leaders.ts';
import { trackClaims } from './claim-tracker.ts';
import { createIdleScan } from './idle-scan.ts';
import type { ProjectState } from './project-state.ts';
import { createReaper } from './reaper.ts';
import type { RunGroups } from './run-groups.ts';
import {
  type LastScan,
  LONGEST_SCAN_PAUSE_MS,
  nextScanPauseMs,
  SHORTEST_SCAN_PAUSE_MS,
} from './scan-pace.ts';
import { recordClaims } from './write-ledger.ts';

export interface WitnessContext {
  readonly table: ProcessTable;
  readonly self: Identity;
  /** What the records said when this process began. What it starts itself comes from `lives`. */
  readonly initialState: ProjectState;
  readonly runs: WatchedRuns;
  /** Picks the claims to witness. Missing: all of the project. */
  readonly concerns?: (claim: Claim) => boolean;
  /** Null: this process adopts nothing, so there is nothing to reap. */
  readonly native: Native | null;
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
  /** Scans soon, because something has just changed. */
  wake(): void;
  /** While a stop is at work, the witness only reaps and writes nothing. */
  setStoodDown(stoodDown: boolean): Promise<void>;
  /** Scans at once, and resolves when everything seen is in the ledger. */
  scan(): Promise<void>;
  /** Reaps every adopted zombie, now. */
  reap(): Promise<void>;
  /** Number of processes of ours in the last scan. */
  ownedCount(): number;
  stop(): void;
}

/** Time without a change after which the memory that a start or a fork storm needed is given back. */
const TIDY_MS = 10_000;

/**
 * Zombies in one scan that make it a fork storm. A storm leaves thousands in a second, and each keeps a
 * pid that others need.
 */
const MANY_ZOMBIES = 20;

/**
 * Starts to record the identity of every descendant while it can still be seen, to notice the end of
 * adopted leaders, and to reap adopted zombies.
 */
export function startWitness(context: WitnessContext): Witness {
  const { table, runs: lives, initialState: inherited, self, native } = context;
  const known = new Set<string>();
  const reaper = createReaper(table, self, native);
  let pauseMs = SHORTEST_SCAN_PAUSE_MS;
  let timer: NodeJS.Timeout | null = null;
  let stoodDown = false;
  let stopped = false;
  let count = 0;
  /** When something changed last; null once the memory for it has been given back. */
  let changedAtMs: number | null = monotonicMs();
  const names = new Set<string>();
  const state = () => ({ ...inherited, records: lives.records(), problems: [] });
  const tracker = trackClaims({
    get state() {
      return state();
    },
    self,
    names,
    // In a project that restarts often, they would pile up for months; only a stop reports them.
    keepsCommands: false,
  });

  const rest = createIdleScan(table, self, state, tracker);

  const schedule = (ms: number): void => {
    if (timer) clearTimeout(timer);
    timer = stopped ? null : setTimeout(begin, ms);
  };

  const look = async (): Promise<void> => {
    if (timer) clearTimeout(timer);
    timer = null;
    // While a stop is at work, only reaping is left to do.
    if (stoodDown && !native) return;
    try {
      const still = stoodDown || !isHeld() ? null : rest.scan();
      if (still) {
        context.listener?.onScan(still.snapshot, still.claims);
        tidyUp();
        pauseMs = nextScanPauseMs(pauseMs, seen(false, 0));
        schedule(pauseMs);
        return;
      }
      rest.end();
      const forks = table.changes?.forks() ?? null;
      const snapshot = await table.snapshot();
      const dead = reaper.reapIn(snapshot);
      let changed = false;
      if (!stoodDown) {
        // Removes the groups of runs that have ended. The kernel refuses to remove one with a process
        // in it.
        if (context.groups) removeGroup(context.groups.folder);
        changed = witness(snapshot);
        inheritedLeaders.onScan(snapshot);
        endIdleGuards(snapshot);
      }
      if (changed || dead > 0) changedAtMs = monotonicMs();
      if (!stoodDown && !changed && dead === 0 && isHeld()) rest.begin(snapshot, forks);
      pauseMs = nextScanPauseMs(pauseMs, seen(changed, dead));
    } catch (error) {
      context.log(`looking at the process table: ${error instanceof Error ? error.stack : error}`);
      pauseMs = LONGEST_SCAN_PAUSE_MS;
    }
    schedule(pauseMs);
  };

  const tidyUp = (): void => {
    if (changedAtMs === null || monotonicMs() - changedAtMs < TIDY_MS) return;
    changedAtMs = null;
    native?.trimMemory();
  };

  const seen = (changed: boolean, dead: number): LastScan => ({
    changed,
    storm: native !== null && dead >= MANY_ZOMBIES,
    moving: !stoodDown && (context.listener?.isMoving() ?? false),
    watched: !stoodDown && (context.listener?.isWatched() ?? false),
    contained: isHeld(),
  });

  let looking: Promise<void> | null = null;
  /** Never two scans at a time: a caller that wants another one joins the one under way. */
  const begin = (): Promise<void> => {
    looking ??= look().finally(() => {
      looking = null;
    });
    return looking;
  };

  const witness = (snapshot: Snapshot): boolean => {
    const all = [...tracker.claim(snapshot).values()];
    const claims = context.concerns ? all.filter(context.concerns) : all;
    count = claims.length;
    context.listener?.onScan(snapshot, claims);
    noteLeavers();
    const fresh = claims.filter(({ process }) => !known.has(placeOf(process)));
    const present = new Set(claims.map(({ process }) => placeOf(process)));
    const lost = [...known].filter((key) => !present.has(key));
    for (const key of lost) known.delete(key);
    for (const { process } of fresh) known.add(placeOf(process));
    for (const [service, bytes] of recordClaims(inherited.folder, snapshot, fresh)) {
      if (bytes < LEDGER_COMPACT_BYTES) continue;
      compactLedger(inherited.folder, service, ({ identity }) => isOfUse(identity, snapshot));
    }
    return fresh.length > 0 || lost.length > 0;
  };

  /**
   * Notes in the record that a process has left the group of its run, because its empty group proves
   * nothing from then on.
   */
  const noteLeavers = (): void => {
    for (const entry of lives.entries.values()) {
      const { record } = entry;
      if (!record?.cgroup?.held || !tracker.outside.has(record.runId)) continue;
      entry.record = { ...record, cgroup: { ...record.cgroup, held: false } };
      writeRecord(inherited.folder, entry.record);
    }
  };

  const inheritedLeaders = watchAdoptedLeaders({
    runs: lives,
    endWatch: native?.endWatch() ?? null,
    // Not before the scan under way has ended: it may have read the process too early.
    onEnd: () => void Promise.resolve(looking).then(() => schedule(0)),
  });

  /** Ends guards of earlier supervisors that have nothing below them any more. */
  const endIdleGuards = (snapshot: Snapshot): void => {
    for (const { identity, name } of tracker.latest().guards) {
      // A guard that is just coming up, and has not spawned its supervisor, is still Node by name.
      if (name !== GUARD_NAME || snapshot.byParent.has(identity.pid)) continue;
      if (listsChildren(identity.pid) === false) void context.kill(identity);
    }
  };

  const isHeld = (): boolean => {
    const watchesOthers = [...lives.entries.values()].some(
      ({ spawnedHere, state: life }) => !spawnedHere && 'leader' in life,
    );
    return native !== null && !watchesOthers;
  };

  schedule(0);
  return {
    wake() {
      rest.end();
      changedAtMs = monotonicMs();
      pauseMs = SHORTEST_SCAN_PAUSE_MS;
      // Without a timer a scan is under way, or a stop is at work.
      if (timer) schedule(pauseMs);
    },
    async setStoodDown(value) {
      stoodDown = value;
      // Many processes end now, and a subreaper must reap those that it adopts.
      pauseMs = SHORTEST_SCAN_PAUSE_MS;
      await looking;
      schedule(0);
    },
    async scan() {
      // A scan under way began before now, so what it has not seen must be looked for once more.
      await looking;
      rest.end();
      await begin();
    },
    reap: reaper.reapNow,
    ownedCount: () => count,
    stop() {
      stopped = true;
      inheritedLeaders.stop();
      if (timer) clearTimeout(timer);
    },
  };
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
