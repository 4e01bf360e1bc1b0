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
  /** What the records said when this supervisor began; what it started itself comes from `lives`. */
  readonly inherited: ProjectState;
  readonly lives: WatchedRuns;
  /** Missing: every process of the project is its to witness. */
  readonly concerns?: (claim: Claim) => boolean;
  /** Null: nothing is adopted, so nothing is to be reaped. */
  readonly native: Native | null;
  /** Null: there are no control groups. */
  readonly groups: RunGroups | null;
  /** Missing: nobody but the witness needs what it sees. */
  readonly listener?: ScanListener;
  readonly log: (line: string) => void;
  /** SIGKILL for this very process. */
  readonly end: (target: Identity) => Promise<unknown>;
}

/** Who learns from the looks of the witness, so that the process table is read once for all. */
export interface ScanListener {
  /** @param claims of all processes that are ours in this snapshot */
  onScan(snapshot: Snapshot, claims: readonly Claim[]): void;
  /** Is something going on that is worth a closer look? */
  isMoving(): boolean;
  /** Does somebody wait for what the next look shows? */
  isWatched(): boolean;
}

/** The supervisor's eye on the process table. */
export interface Witness {
  /** Looks soon: something has just changed. */
  wake(): void;
  /** While somebody else stops services: only reaps, writes nothing. */
  setStoodDown(stoodDown: boolean): Promise<void>;
  /** Looks at once, and resolves when everything seen is in the ledger. */
  scan(): Promise<void>;
  /** Reaps every zombie that was adopted, now. */
  reap(): Promise<void>;
  /** How many processes of ours the last look saw. */
  owned(): number;
  stop(): void;
}

/** What a start or a storm has needed is given back when nothing has changed for so long. */
const TIDY_MS = 10_000;

/** A storm of forks leaves thousands in a second, and each keeps a number that others need. */
const MANY_ZOMBIES = 20;

/**
 * Records the identity of every descendant while it can still be seen, notices the end of adopted
 * leaders, and reaps adopted zombies.
 */
export function startWitness(context: WitnessContext): Witness {
  const { table, lives, inherited, self, native } = context;
  const known = new Set<string>();
  const reaper = createReaper(table, self, native);
  let pauseMs = SHORTEST_SCAN_PAUSE_MS;
  let timer: NodeJS.Timeout | null = null;
  let stoodDown = false;
  let stopped = false;
  let count = 0;
  /** When something changed last, until what that needed was given back. */
  let changedAtMs: number | null = monotonicMs();
  const names = new Set<string>();
  const state = () => ({ ...inherited, records: lives.records(), problems: [] });
  const tracker = trackClaims({
    get state() {
      return state();
    },
    self,
    names,
    // For months, in a project that restarts often, they would pile up; only a stop reports them.
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
    // Without zombies to reap there is nothing to look for while somebody else is stopping services.
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
        // Of runs that have ended: the kernel keeps those with a process in them.
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
    held: isHeld(),
  });

  let looking: Promise<void> | null = null;
  /** Never two at a time: whoever asks for another one joins it. */
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

  /** An empty group proves nothing of a run of which something has moved elsewhere. */
  const noteLeavers = (): void => {
    for (const entry of lives.entries.values()) {
      const { record } = entry;
      if (!record?.cgroup?.held || !tracker.outside.has(record.runId)) continue;
      entry.record = { ...record, cgroup: { ...record.cgroup, held: false } };
      writeRecord(inherited.folder, entry.record);
    }
  };

  const inheritedLeaders = watchAdoptedLeaders({
    lives,
    endWatch: native?.endWatch() ?? null,
    // Not before the look that is under way is over: it may have looked too early.
    onEnd: () => void Promise.resolve(looking).then(() => schedule(0)),
  });

  /** Those of earlier supervisors, once what they kept has ended. */
  const endIdleGuards = (snapshot: Snapshot): void => {
    for (const { identity, name } of tracker.latest().guards) {
      // One that is just coming up, and has not spawned its supervisor yet, is still Node.
      if (name !== GUARD_NAME || snapshot.byParent.has(identity.pid)) continue;
      if (listsChildren(identity.pid) === false) void context.end(identity);
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
      // Without a timer one is under way, or somebody else stops services.
      if (timer) schedule(pauseMs);
    },
    async setStoodDown(value) {
      stoodDown = value;
      // Much ends now, and what a subreaper has adopted is its to reap.
      pauseMs = SHORTEST_SCAN_PAUSE_MS;
      await looking;
      schedule(0);
    },
    async scan() {
      // One that is under way began before now, so what it did not see must be looked for again.
      await looking;
      rest.end();
      await begin();
    },
    reap: reaper.reapNow,
    owned: () => count,
    stop() {
      stopped = true;
      inheritedLeaders.stop();
      if (timer) clearTimeout(timer);
    },
  };
}

/** One that has moved to another group or session is witnessed again: it may come to lead it. */
function placeOf({ identity, pgid, sid }: ProcessInfo): string {
  return `${identityKey(identity)} ${pgid} ${sid}`;
}

/** Is it alive, or does a session or group that it led live on? */
function isOfUse(identity: Identity, snapshot: Snapshot): boolean {
  const found = snapshot.byPid.get(identity.pid);
  if (found) return sameIdentity(found.identity, identity);
  return snapshot.bySession.has(identity.pid) || snapshot.byGroup.has(identity.pid);
}
