import type {
  Claim,
  OpenFileEvidence,
  Ownership,
  OwnershipFacts,
  RunGroup,
  Witnessed,
} from '../ownership/claim.ts';
import { claimProcesses } from '../ownership/claims.ts';
import { describeCommand } from '../processes/describe.ts';
import { type Identity, identityKey } from '../processes/identity.ts';
import { isGone, livesIn, type ProcessInfo, type Snapshot } from '../processes/snapshot.ts';
import type { ClaimSource } from '../stopping/engine.ts';
import { factsOf, type ProjectState, UNATTRIBUTED } from './project-state.ts';
import { readRunGroups } from './run-groups.ts';

/**
 * Longest time for which the sight of a process counts as fresh, if the scan before this one saw it.
 * After a longer time its number may be that of a bystander, and a group without a leader must prove
 * itself again.
 */
const FRESH_MS = 2_000;

/** Largest number of processes to remember, those seen last. In a fork storm every scan shows new ones. */
const MAX_REMEMBERED = 5_000;

interface Seen {
  readonly witnessed: Witnessed;
  /** Number of the scan that saw it last. */
  readonly scan: number;
}

/** A tracker that keeps the result of the latest scan, for the report. */
export interface TrackedClaims extends ClaimSource {
  /** Command lines by pid, read when the process is first seen, because later it may be too late. */
  readonly commands: ReadonlyMap<number, string>;
  /**
   * Runs with a process that was seen outside of the run's control group. It has moved there itself, so
   * an empty group proves nothing of these runs.
   */
  readonly outside: ReadonlySet<string>;
  latest(): Pick<
    Ownership,
    'claims' | 'spared' | 'stale' | 'supervisors' | 'guards' | 'oneOffParents'
  >;
}

/** A tracker that can also search by more than the usual evidence. */
export interface ClaimTracker extends TrackedClaims {
  /**
   * Claims processes by open files and ports, too. Later scans remember what it found, without this
   * evidence.
   */
  deepScan(snapshot: Snapshot): Promise<ReadonlyMap<number, Claim>>;
}

export interface ClaimTrackerOptions {
  readonly state: ProjectState;
  readonly self: Identity;
  /** Names of the services that are units of this stop. */
  readonly names: ReadonlySet<string>;
  /** Called with the claims that the engine wants to keep; missing: nothing outlives this process. */
  readonly remember?: (claims: readonly Claim[]) => void;
  /** Default: true. False for a caller that reports nothing, because each command line costs a read. */
  readonly keepsCommands?: boolean;
  /** Runs that an earlier part of the same stop has seen outside of their control groups. */
  readonly outsideBefore?: ReadonlySet<string>;
  /** Missing: there is no deep scan. */
  readonly readOpenFiles?: (snapshot: Snapshot) => Promise<OpenFileEvidence>;
}

export const NO_CLAIMS = {
  claims: new Map(),
  spared: [],
  stale: [],
  supervisors: [],
  guards: [],
  oneOffParents: [],
  adopters: [],
};

/**
 * Tracks the processes that evidence makes ours, scan after scan. Everything seen so far is evidence
 * for the next scan.
 */
export function trackClaims(tracking: ClaimTrackerOptions): ClaimTracker {
  const seen = new Map<string, Seen>();
  // By identity, because a pid that is used again belongs to another command.
  const commands = new Map<string, readonly [pid: number, command: string]>();
  let latest: Ownership = NO_CLAIMS;
  /** By identity. A guard in the middle of its execve(2) shows nothing that tells it from another process. */
  const guards = new Map<string, ProcessInfo>();
  let groups: readonly RunGroup[] = [];
  const outside = new Set<string>(tracking.outsideBefore);
  /** Spared by the deep scan. The next ordinary scan would not list them, so keep them. */
  let sparedCloser: Ownership['spared'] = [];
  let lookedAt: Snapshot | null = null;
  let scan = { number: 0, atMs: 0 };
  const note = (claims: Iterable<Claim>): void => {
    for (const { process, service, runId } of claims) {
      const { identity, pgid, sid } = process;
      const key = identityKey(identity);
      // Deleted and set anew, so that the map is ordered by when each process was seen last.
      seen.delete(key);
      seen.set(key, { witnessed: { service, runId, identity, pgid, sid }, scan: scan.number });
    }
    for (const key of seen.keys()) {
      if (seen.size <= MAX_REMEMBERED) break;
      seen.delete(key);
      commands.delete(key);
    }
  };
  const unitOf = ({ service }: Claim): string =>
    service && tracking.names.has(service) ? service : UNATTRIBUTED;
  /**
   * True for a process that the last scan saw alive and did not claim. A process that was born since is
   * judged later, when it can fork no more.
   */
  const isKnownStranger = (pid: number): boolean => {
    const process = lookedAt?.byPid.get(pid);
    return process !== undefined && !isGone(process) && !latest.claims.has(pid);
  };
  const look = (snapshot: Snapshot, traces?: OpenFileEvidence): void => {
    lookedAt = snapshot;
    const recent = snapshot.takenAtMs - scan.atMs <= FRESH_MS;
    const witnessed = [...seen.values()].map((one) => ({
      ...one.witnessed,
      fresh: recent && one.scan === scan.number,
    }));
    const facts = currentFacts(tracking, snapshot, witnessed);
    groups = facts.groups ?? [];
    const found = claimProcesses(traces ? { ...facts, openFiles: traces } : facts, snapshot);
    const spared = [...found.spared, ...stillSpared(sparedCloser, found, snapshot)];
    for (const guard of found.guards) guards.set(identityKey(guard.identity), guard);
    latest = { ...found, spared, guards: livingGuards(guards, snapshot) };
    for (const claim of latest.claims.values()) {
      if (claim.runId !== null && isOutside(claim, snapshot)) outside.add(claim.runId);
    }
    scan = { number: scan.number + 1, atMs: snapshot.takenAtMs };
    for (const { process } of tracking.keepsCommands === false ? [] : latest.claims.values()) {
      const key = identityKey(process.identity);
      if (commands.has(key)) continue;
      commands.set(key, [process.identity.pid, describeCommand(snapshot, process)]);
    }
    note(latest.claims.values());
  };
  return {
    get commands() {
      return new Map(commands.values());
    },
    projectId: tracking.state.folder.projectId,
    exemptRuns: tracking.state.exempt,
    unitOf,
    // A process that was born and killed within one scan is in no other scan, so remember it here.
    remember(claims) {
      note(claims);
      tracking.remember?.(claims);
    },
    outside,
    supervisors: () => latest,
    groupsOf: (unit) =>
      groups
        .filter(({ pids }) => {
          return [...pids].some((pid) => {
            const claim = latest.claims.get(pid);
            return claim !== undefined && unitOf(claim) === unit;
          });
        })
        // A group with a stranger in it is not even frozen: its end would be refused, after the
        // stranger stood still for it.
        .filter(({ pids }) => ![...pids].some(isKnownStranger))
        .map(({ folder }) => folder),
    latest: () => latest,
    claim(snapshot) {
      if (snapshot !== lookedAt) look(snapshot);
      return latest.claims;
    },
    async deepScan(snapshot) {
      const traces = await tracking.readOpenFiles?.(snapshot);
      look(snapshot, traces);
      sparedCloser = latest.spared;
      return latest.claims;
    },
  };
}

/**
 * True for a process outside the control group of its run: alive, on a system with control groups, and
 * known by other evidence.
 */
function isOutside({ process, runId, evidence }: Claim, { details }: Snapshot): boolean {
  if (evidence.some(({ kind }) => kind === 'cgroup')) return false;
  // The process may have ended between the snapshot and the reading of the groups: then it has no path.
  // A path below the run's group, such as that of a group which a child has made, counts as inside.
  const path = details.controlGroup(process);
  return path !== null && !`${path}/`.includes(`/${runId}/`);
}

/** Returns the guards that were ever seen and are alive; forgets the others. */
function livingGuards(
  guards: Map<string, ProcessInfo>,
  snapshot: Snapshot,
): readonly ProcessInfo[] {
  const living: ProcessInfo[] = [];
  for (const [key, { identity }] of guards) {
    const found = livesIn(snapshot, identity) ? snapshot.byPid.get(identity.pid) : undefined;
    if (found) living.push(found);
    else guards.delete(key);
  }
  return living;
}

/** Returns the processes that the deep scan spared, that this scan does not list, and that are alive. */
function stillSpared(
  before: Ownership['spared'],
  { claims, spared }: Ownership,
  snapshot: Snapshot,
): Ownership['spared'] {
  const known = new Set([...claims.keys(), ...spared.map(({ process }) => process.identity.pid)]);
  return before.filter(
    ({ process: { identity } }) => !known.has(identity.pid) && livesIn(snapshot, identity),
  );
}

/** Returns the facts to judge by, with what earlier scans have seen. */
export function currentFacts(
  { state, self }: ClaimTrackerOptions,
  snapshot: Snapshot,
  seen: readonly Witnessed[],
): OwnershipFacts {
  const facts = factsOf(state, self, snapshot, Date.now());
  // Read after the snapshot: a process that is in a group now and was not yet alive then is found by
  // the next scan.
  const groups = readRunGroups(state);
  return { ...facts, groups, witnessed: [...facts.witnessed, ...seen] };
}
