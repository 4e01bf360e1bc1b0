/*
 * The files of this folder, which keeps track of our processes from scan to scan:
 *
 *   project-state    everything that the records say, read at one moment
 *   claim-tracker    the processes that evidence makes ours, scan after scan
 *   sweep-tracker    the same for the processes that only a pattern points to
 *   look             the records and one scan together, for a command
 *   witness          scans again and again, and writes down what it sees, for a parent of runs
 *   idle-scan        a cheap scan, while no process of ours changes
 *   scan-pace        how long to wait between two scans
 *   write-ledger     writes claims to the ledgers
 *   adopted-leaders  notices the end of leaders that are no children of ours
 *   stale-records    records and ledgers that name no process any more
 *   reaper           reaps the dead that a subreaper has adopted, at SIGCHLD
 *   protection       the rules by which processes of ours are left alone
 *   run-groups       the control groups of the runs: made, read, removed
 *   open-files       reads the evidence of open files and ports
 *   facts            the facts by which ownership is judged, at one moment
 *   other-projects   the projects whose marks were met, by the registry and their folders
 *   named-elsewhere  the processes among those of weak evidence that records of other projects name
 *   residents        supervisors and guards, and where they work
 *   runs-elsewhere   runs that another folder keeps
 *   beside           what the other records folders of the same project folder name
 *   other-manifest   another manifest of the same folder that runs
 *   running-projects every project of this user of which something lives
 *   enclosing-run    the runs that this very command is inside of
 *   capabilities     what the living supervisor can contain services with
 */
import type {
  Claim,
  OpenFileEvidence,
  Ownership,
  OwnershipFacts,
  RunGroup,
  Spared,
  Witnessed,
} from '../ownership/claim.ts';
import { claimProcesses } from '../ownership/claims.ts';
import { isWeakEvidence } from '../ownership/protection.ts';
import type { ProjectIdentity } from '../ownership/whose-cookie.ts';
import { describeCommand } from '../processes/describe.ts';
import { type Identity, identityKey, sameIdentity } from '../processes/identity.ts';
import { isGone, livesIn, type ProcessInfo, type Snapshot } from '../processes/snapshot.ts';
import type { ClaimSource } from '../stopping/engine.ts';
import { currentFacts, projectIdentity } from './facts.ts';
import { openNamedElsewhere } from './named-elsewhere.ts';
import { openOtherProjects, recordedAtWork } from './other-projects.ts';
import { type ProjectState, UNATTRIBUTED } from './project-state.ts';
import { withoutRunsElsewhere } from './runs-elsewhere.ts';

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
  /** Ids of the runs of which the last scan saw a process. */
  livingRuns(): ReadonlySet<string>;
  /** The control groups as the last scan read them, after its snapshot. */
  groups(): readonly RunGroup[];
}

export interface ClaimTrackerOptions {
  readonly state: ProjectState;
  readonly self: Identity;
  /** Names of the services that are units of this stop. */
  readonly names: ReadonlySet<string>;
  /** Called with the claims that the engine wants to keep; missing: nothing outlives this process. */
  readonly remember?: (claims: readonly Claim[]) => void;
  /** Default: true. False for a caller that reports no ended process, because each command line costs a read. */
  readonly keepsCommands?: boolean;
  /** Runs that an earlier part of the same stop has seen outside of their control groups. */
  readonly outsideBefore?: ReadonlySet<string>;
  /** Default: true, so that a process which no stop ends is none of ours. */
  readonly protects?: boolean;
  /** The services of which a deep scan wants all evidence. Missing: every service, as of a stop of everything. */
  readonly wanted?: ReadonlySet<string>;
  /** Missing: there is no deep scan. */
  readonly readOpenFiles?: (snapshot: Snapshot) => Promise<OpenFileEvidence>;
}

/** The claims before the first scan: no process is ours. */
export const NO_CLAIMS = {
  claims: new Map(),
  spared: [],
  stale: [],
  supervisors: [],
  guards: [],
  oneOffParents: [],
  adopters: [],
  foreignMarks: [],
};

/**
 * Tracks the processes that evidence makes ours, scan after scan. Everything seen so far is evidence
 * for the next scan.
 */
export function trackClaims(options: ClaimTrackerOptions): ClaimTracker {
  return new Tracker(options);
}

class Tracker implements ClaimTracker {
  project: ProjectIdentity;
  readonly exemptRuns: readonly string[];
  readonly outside: Set<string>;
  readonly #options: ClaimTrackerOptions;
  /** By identity, in the order in which they were seen last. */
  readonly #seen = new Map<string, Seen>();
  /** By identity, because a pid that is used again belongs to another command. */
  readonly #commands = new Map<string, readonly [pid: number, command: string]>();
  /** By identity. A guard in the middle of its execve(2) shows nothing that tells it from another process. */
  readonly #guards = new Map<string, ProcessInfo>();
  #groups: readonly RunGroup[] = [];
  /** These, and the groups of runs that turned out to be another folder's. */
  #read: readonly RunGroup[] = [];
  #latest: Ownership = NO_CLAIMS;
  /** Spared by the deep scan. The next ordinary scan would not list them, so keep them. */
  #sparedByDeepScan: Ownership['spared'] = [];
  /** Pids that a deep scan saw listen on a declared port, with the identities that they had. */
  readonly #portHolders = new Map<number, Identity>();
  #scanned: Snapshot | null = null;
  readonly #otherProjects = openOtherProjects();
  readonly #namedElsewhere = openNamedElsewhere();
  #lastScan = { number: 0, atMs: 0 };

  constructor(options: ClaimTrackerOptions) {
    const { folder, exempt } = options.state;
    this.#options = options;
    this.project = projectIdentity(folder);
    this.exemptRuns = exempt;
    this.outside = new Set(options.outsideBefore);
  }

  get commands(): ReadonlyMap<number, string> {
    return new Map(this.#commands.values());
  }

  claim(snapshot: Snapshot): ReadonlyMap<number, Claim> {
    if (snapshot !== this.#scanned) this.#scan(snapshot);
    return this.#latest.claims;
  }

  // A field, as are `unitOf` and `groupsOf`, because callers take it as a function of its own.
  readonly deepScan = async (snapshot: Snapshot): Promise<ReadonlyMap<number, Claim>> => {
    const { readOpenFiles, wanted } = this.#options;
    const read = await readOpenFiles?.(snapshot);
    const openFiles = read && wanted ? { ...read, wanted } : read;
    for (const { pid } of openFiles?.listening ?? []) {
      const holder = snapshot.byPid.get(pid);
      if (holder) this.#portHolders.set(pid, holder.identity);
    }
    this.#scan(snapshot, openFiles);
    this.#sparedByDeepScan = this.#latest.spared;
    return this.#latest.claims;
  };

  latest(): Ownership {
    return this.#latest;
  }

  supervisors(): Ownership {
    return this.#latest;
  }

  livingRuns(): ReadonlySet<string> {
    return new Set([...this.#latest.claims.values()].flatMap(({ runId }) => runId ?? []));
  }

  groups(): readonly RunGroup[] {
    return this.#read;
  }

  readonly unitOf = ({ service }: Claim): string =>
    service && this.#options.names.has(service) ? service : UNATTRIBUTED;

  readonly groupsOf = (unit: string): readonly string[] =>
    this.#groups
      .filter(({ pids }) => [...pids].some((pid) => this.#isInUnit(pid, unit)))
      // A group with a stranger in it is not even frozen: its end would be refused, after the stranger
      // stood still for it.
      .filter(({ pids }) => ![...pids].some((pid) => this.#isKnownStranger(pid)))
      .map(({ folder }) => folder);

  /** Also remembers a process that was born and killed within one scan: no other scan shows it. */
  remember(claims: readonly Claim[]): void {
    this.#note(claims);
    this.#options.remember?.(claims);
  }

  #scan(snapshot: Snapshot, openFiles?: OpenFileEvidence): void {
    this.#scanned = snapshot;
    const facts = currentFacts(this.#options, snapshot, this.#witnessed(snapshot));
    this.#read = facts.groups ?? [];
    const holders = [...this.#portHolders].filter(([, identity]) => livesIn(snapshot, identity));
    const portHolders = new Set(holders.map(([pid]) => pid));
    const found = this.#claim(
      { ...facts, portHolders, ...(openFiles ? { openFiles } : {}) },
      snapshot,
    );
    // Last, so that all that was read by path is known to be of our folder.
    this.#options.state.folder.requireHere?.();
    const kept = withDoubts(this.#latest.spared.filter(isInDoubt), found).filter(({ process }) =>
      livesIn(snapshot, process.identity),
    );
    const spared = [
      ...kept,
      ...stillSpared(this.#sparedByDeepScan, { claims: found.claims, spared: kept }, snapshot),
    ];
    for (const guard of found.guards) this.#guards.set(identityKey(guard.identity), guard);
    this.#latest = { ...found, spared, guards: livingGuards(this.#guards, snapshot) };
    for (const claim of found.claims.values()) {
      if (claim.runId !== null && isOutside(claim, snapshot)) this.outside.add(claim.runId);
    }
    this.#lastScan = { number: this.#lastScan.number + 1, atMs: snapshot.takenAtMs };
    this.#keepCommands(found.claims.values(), snapshot);
    this.#note(found.claims.values());
  }

  /** Judges once more with the records of other projects, where they decide about a process here. */
  #claim(known: OwnershipFacts, snapshot: Snapshot): Ownership {
    const { folder } = this.#options.state;
    const facts = this.#namedElsewhere.addTo(known);
    const first = claimProcesses(facts, snapshot);
    const mine = withoutRunsElsewhere(this.#options.state, facts, first.claims, snapshot);
    const claims = [...first.claims.values()];
    const theirs = [
      ...recordedAtWork(folder, claims, snapshot),
      ...this.#namedElsewhere.ask(folder, claims, snapshot),
    ];
    const own =
      theirs.length > 0 ? { ...mine, elsewhere: [...(mine.elsewhere ?? []), ...theirs] } : mine;
    const found = own === facts ? first : claimProcesses(own, snapshot);
    this.project = own.project;
    this.#groups = own.groups ?? [];
    if (found.foreignMarks.length === 0) return found;
    const { recorded, ids, ...doubt } = this.#otherProjects.find(
      folder,
      found.foreignMarks,
      snapshot,
    );
    this.project = { ...own.project, idsElsewhere: ids, ...doubt };
    const elsewhere = [...(own.elsewhere ?? []), ...recorded];
    return claimProcesses({ ...own, project: this.project, elsewhere }, snapshot);
  }

  #witnessed(snapshot: Snapshot): readonly Witnessed[] {
    const { number, atMs } = this.#lastScan;
    const isRecent = snapshot.takenAtMs - atMs <= FRESH_MS;
    return [...this.#seen.values()].map(({ witnessed, scan }) => ({
      ...witnessed,
      fresh: isRecent && scan === number,
    }));
  }

  #keepCommands(claims: Iterable<Claim>, snapshot: Snapshot): void {
    if (this.#options.keepsCommands === false) return;
    for (const { process } of claims) {
      const key = identityKey(process.identity);
      if (this.#commands.has(key)) continue;
      this.#commands.set(key, [process.identity.pid, describeCommand(snapshot, process)]);
    }
  }

  #note(claims: Iterable<Claim>): void {
    for (const { process, service, runId } of claims) {
      const { identity, pgid, sid } = process;
      const key = identityKey(identity);
      // Deleted and set anew, so that the map is ordered by when each process was seen last.
      this.#seen.delete(key);
      const witnessed = { service, runId, identity, pgid, sid };
      this.#seen.set(key, { witnessed, scan: this.#lastScan.number });
    }
    for (const key of this.#seen.keys()) {
      if (this.#seen.size <= MAX_REMEMBERED) break;
      this.#seen.delete(key);
      this.#commands.delete(key);
    }
  }

  #isInUnit(pid: number, unit: string): boolean {
    const claim = this.#latest.claims.get(pid);
    return claim !== undefined && this.unitOf(claim) === unit;
  }

  /**
   * True for a process that the last scan saw alive and did not claim. A process that was born since is
   * judged later, when it can fork no more.
   */
  #isKnownStranger(pid: number): boolean {
    const process = this.#scanned?.byPid.get(pid);
    return process !== undefined && !isGone(process) && !this.#latest.claims.has(pid);
  }
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

export function isInDoubt({ veto }: Spared): boolean {
  return veto.kind === 'in-doubt';
}

/**
 * Returns what a scan has spared, and the doubts of before that it does not settle. When the tree around a process dies,
 * the evidence for it is lost, and that tells nobody whose it is. Another verdict counts only where strong evidence met it.
 */
export function withDoubts(
  before: readonly Spared[],
  { claims, spared }: Pick<Ownership, 'claims' | 'spared'>,
): readonly Spared[] {
  const isAbout = (one: Spared, { process }: Spared): boolean =>
    sameIdentity(one.process.identity, process.identity);
  const settled = spared.filter(({ evidence }) =>
    evidence.some(({ kind }) => !isWeakEvidence(kind)),
  );
  const open = before.filter(
    (doubt) =>
      !claims.has(doubt.process.identity.pid) && !settled.some((one) => isAbout(one, doubt)),
  );
  const named = spared
    .filter((one) => !open.some((doubt) => isAbout(one, doubt)))
    .map((one) => {
      const service = one.service ?? before.find((doubt) => isAbout(one, doubt))?.service ?? null;
      return { ...one, service };
    });
  return [...named, ...open];
}

/** Returns the processes that the deep scan spared, that this scan does not list, and that are alive. */
function stillSpared(
  before: Ownership['spared'],
  { claims, spared }: Pick<Ownership, 'claims' | 'spared'>,
  snapshot: Snapshot,
): Ownership['spared'] {
  const known = new Set([...claims.keys(), ...spared.map(({ process }) => process.identity.pid)]);
  return before.filter(
    ({ process: { identity } }) => !known.has(identity.pid) && livesIn(snapshot, identity),
  );
}
