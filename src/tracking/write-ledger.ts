import type { Claim } from '../ownership/claim.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { appendLedger } from '../project/ledger.ts';
import { NO_RUN, type PidScope } from '../project/ledger-lines.ts';
import { UNATTRIBUTED } from './project-state.ts';

/** The claims that one ledger has now. */
interface WrittenClaims {
  readonly service: string;
  readonly claims: readonly Claim[];
  /** Size of that ledger. */
  readonly bytes: number;
}

/**
 * Writes claimed processes to the ledgers of their services. Processes that no evidence ties to a
 * service go to a ledger of their own, because they have no other mark left when the subreaper above
 * them dies. A ledger that cannot be written keeps no other from being written.
 *
 * @param onWritten called for each ledger that was written
 * @throws DevctlError 'records-unwritable', 'unsafe': the first one, after all ledgers were tried
 */
export function recordClaims(
  folder: ProjectFolder,
  scope: PidScope,
  claims: readonly Claim[],
  onWritten: (written: WrittenClaims) => void = () => {},
): void {
  const byService = new Map<string, Claim[]>();
  for (const claim of claims) {
    const service = (claim.runId !== null && claim.service) || UNATTRIBUTED;
    const list = byService.get(service);
    if (list) list.push(claim);
    else byService.set(service, [claim]);
  }
  const failures: unknown[] = [];
  for (const [service, members] of byService) {
    const lines = members.map(({ process: { identity, ppid, pgid, sid }, runId }) => ({
      runId: runId ?? NO_RUN,
      identity,
      ppid,
      pgid,
      sid,
    }));
    try {
      const bytes = appendLedger(folder, service, scope, lines);
      onWritten({ service, claims: members, bytes });
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}
