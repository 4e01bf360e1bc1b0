import type { Identity } from '../processes/identity.ts';
import {
  isGone,
  type ProcessDetails,
  type ProcessInfo,
  type Snapshot,
} from '../processes/snapshot.ts';
import type { Claim } from './claim.ts';
import { readCookie } from './cookie.ts';
import { ancestry } from './vetoes.ts';

/** What a full scan established a moment ago, to judge processes one by one in the next. */
export interface RecentScan {
  readonly projectId: string;
  /** As in `OwnershipFacts`. */
  readonly exemptRuns?: readonly string[];
  /** The process that asks. */
  readonly self: Identity;
  readonly snapshot: Snapshot;
  /** Everything owned, whichever service it belongs to. Grows as newborns are found. */
  readonly claims: Map<number, Claim>;
  readonly supervisors: readonly ProcessInfo[];
  /** Of these and their guards, those whose every child is ours: an orphan that they adopted has no other parent. */
  readonly adopters: readonly ProcessInfo[];
}

/**
 * Is this process, read alone in the middle of a scan, ours?
 *
 * Known processes keep the verdict of the last full scan. One that did not exist then is ours if
 * it carries our cookie, or if its parent, session or group is ours and it carries no other
 * project's. A storm of 10,000 forks a second is ended this way, where a snapshot is always too old
 * (measured: 1.1 s against never). The cookie alone must do: what forks, leaves the session and
 * exits within a millisecond never has a relative that the last scan knew.
 *
 * @returns the claim, or null: leave it to the next full scan
 */
export function claimInScan(
  recent: RecentScan,
  process: ProcessInfo,
  details: ProcessDetails,
): Claim | null {
  const { identity } = process;
  const claimed = recent.claims.get(identity.pid);
  if (claimed && sameStart(claimed.process.identity, identity)) return claimed;
  const known = recent.snapshot.byPid.get(identity.pid);
  if (known && sameStart(known.identity, identity)) return null;
  if (isGone(process) || identity.pid <= 1 || process.kernelThread) return null;

  const origin = originOf(recent, process, details);
  if (origin === null) return null;
  const claim: Claim = { process, ...origin };
  recent.claims.set(identity.pid, claim);
  return claim;
}

function originOf(
  recent: RecentScan,
  process: ProcessInfo,
  details: ProcessDetails,
): Omit<Claim, 'process'> | null {
  if (isOurTool(recent, process)) return null;
  const cookie = readCookie(details.environ(process) ?? '');
  // Between fork and exec, what a supervisor spawns still shows the supervisor's environment.
  if (cookie?.role) return null;
  if (cookie?.projects.some((project) => project !== recent.projectId)) return null;
  if (recent.exemptRuns?.some((exempt) => exempt === cookie?.runId)) return null;
  if (cookie) {
    const { service, runId } = cookie;
    return { service, runId, evidence: [{ kind: 'cookie', detail: `DEVCTL_RUN=${runId ?? ''}` }] };
  }
  const adopter = recent.adopters.find(({ identity }) => identity.pid === process.ppid);
  const relative = [process.ppid, process.sid, process.pgid]
    .filter((pid) => pid > 1 && pid !== process.identity.pid)
    .map((pid) => recent.claims.get(pid))
    .find((claim) => claim && isOlder(claim.process, process));
  const detail = `born of ${(relative?.process ?? adopter)?.identity.pid} during the stop`;
  const evidence: Claim['evidence'] = [{ kind: 'descendant', detail }];
  if (relative) return { service: relative.service, runId: relative.runId, evidence };
  return adopter && isOlder(adopter, process) ? { service: null, runId: null, evidence } : null;
}

/** What this very command has just spawned (a stop command, say), unless a supervisor or `devctl run` is asking. */
function isOurTool(
  { self, snapshot, supervisors, adopters }: RecentScan,
  process: ProcessInfo,
): boolean {
  if ([...supervisors, ...adopters].some(({ identity }) => identity.pid === self.pid)) return false;
  return (
    process.ppid === self.pid ||
    ancestry(process.ppid, snapshot).some(({ identity }) => identity.pid === self.pid)
  );
}

function isOlder(elder: ProcessInfo, process: ProcessInfo): boolean {
  return elder.identity.startTicks <= process.identity.startTicks;
}

function sameStart(a: Identity, b: Identity): boolean {
  return a.startTicks === b.startTicks;
}
