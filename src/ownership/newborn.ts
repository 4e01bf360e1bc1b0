import { type Identity, identityKey } from '../processes/identity.ts';
import type { ProcessDetails, ProcessInfo, Snapshot } from '../processes/snapshot.ts';
import type { Claim } from './claim.ts';
import { readCookie } from './cookie.ts';

/** What a full scan established a moment ago, to judge processes one by one in the next. */
export interface RecentScan {
  readonly projectId: string;
  readonly snapshot: Snapshot;
  /** The claims that may be killed now. Grows as newborns are found. */
  readonly claims: Map<number, Claim>;
}

/**
 * Is this process, read alone in the middle of a scan, ours to kill?
 *
 * Known processes keep the verdict of the last full scan. One that did not exist then is ours if
 * its parent, session or group is, unless it carries another project's cookie. A storm of 10,000
 * forks a second is ended this way, where a snapshot is always too old (measured: 1.1 s against
 * never).
 *
 * @returns the claim, or null: leave it to the next full scan
 */
export function claimInScan(
  recent: RecentScan,
  process: ProcessInfo,
  details: ProcessDetails,
): Claim | null {
  const { identity } = process;
  const known = recent.snapshot.byPid.get(identity.pid);
  if (known && identityKey(known.identity) === identityKey(identity)) {
    const claim = recent.claims.get(identity.pid);
    return claim && sameStart(claim.process.identity, identity) ? claim : null;
  }
  const seen = recent.claims.get(identity.pid);
  if (seen && sameStart(seen.process.identity, identity)) return seen;

  const relative = [process.ppid, process.sid, process.pgid]
    .filter((pid) => pid > 1 && pid !== identity.pid)
    .map((pid) => recent.claims.get(pid))
    .find((claim) => claim && claim.process.identity.startTicks <= identity.startTicks);
  if (!relative) return null;
  const cookie = readCookie(details.environ(process) ?? '');
  if (cookie?.projects.some((project) => project !== recent.projectId)) return null;
  const { service, runId } = relative;
  const detail = `born of ${relative.process.identity.pid} during the stop`;
  const claim: Claim = { process, service, runId, evidence: [{ kind: 'descendant', detail }] };
  recent.claims.set(identity.pid, claim);
  return claim;
}

function sameStart(a: Identity, b: Identity): boolean {
  return a.startTicks === b.startTicks;
}
