import type { Identity } from '../processes/identity.ts';
import {
  isGone,
  type ProcessDetails,
  type ProcessInfo,
  type Snapshot,
} from '../processes/snapshot.ts';
import { ancestry } from './ancestry.ts';
import type { Claim } from './claim.ts';
import { readCookie } from './cookie.ts';
import { isCookieInDoubt, isCookieOf, type ProjectIdentity } from './whose-cookie.ts';

/** The result of a full scan a moment ago, by which the next scan judges processes one by one. */
export interface RecentScan {
  readonly project: ProjectIdentity;
  /** As in `OwnershipFacts`. */
  readonly exemptRuns?: readonly string[];
  /** The devctl process that asks. */
  readonly self: Identity;
  readonly snapshot: Snapshot;
  /** All claims, of every service. Grows as just-forked processes are found. */
  readonly claims: Map<number, Claim>;
  readonly supervisors: readonly ProcessInfo[];
  /** As in `Ownership`: any orphan that they adopt is ours, and no other parent would tell that. */
  readonly adopters: readonly ProcessInfo[];
}

/**
 * Claims a process that was read alone in the middle of a scan, if it is ours.
 *
 * A known process keeps the verdict of the last full scan. A process that did not exist then is ours if
 * it carries our cookie, or if its parent, session or group is ours and it carries no other project's
 * cookie. This ends a storm of 10,000 forks a second, where a snapshot is always too old (measured: 1.1 s
 * against never). The cookie alone must be enough, because a process that forks, leaves the session and
 * exits within a millisecond never has a relative that the last scan knew.
 *
 * @returns the claim; null leaves the process to the next full scan
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
  // Between fork(2) and execve(2) a child of a supervisor still shows the supervisor's environment.
  if (cookie?.role) return null;
  if (cookie && !isCookieOf(recent.project, cookie)) return null;
  if (cookie && isCookieInDoubt(recent.project, cookie)) return null;
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

/**
 * Tells whether this command has just spawned the process for itself (a stop command, say). The children of
 * a supervisor or of `devctl run` are no tools.
 */
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
