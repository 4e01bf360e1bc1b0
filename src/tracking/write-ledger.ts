import type { Claim } from '../ownership/claim.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { appendLedger } from '../project/ledger.ts';
import { NO_RUN, type PidScope } from '../project/ledger-lines.ts';
import { UNATTRIBUTED } from './project-state.ts';

/**
 * Writes claimed processes to the ledgers of their services. Processes that no evidence ties to a
 * service go to a ledger of their own, because they have no other mark left when the subreaper above
 * them dies.
 *
 * @returns size of each ledger that was written, in bytes
 * @throws DevctlError 'records-unwritable', 'unsafe'
 */
export function recordClaims(
  folder: ProjectFolder,
  scope: PidScope,
  claims: readonly Claim[],
): ReadonlyMap<string, number> {
  const byService = new Map<string, Claim[]>();
  for (const claim of claims) {
    const service = (claim.runId !== null && claim.service) || UNATTRIBUTED;
    const list = byService.get(service);
    if (list) list.push(claim);
    else byService.set(service, [claim]);
  }
  const sizes = new Map<string, number>();
  for (const [service, members] of byService) {
    const lines = members.map(({ process: { identity, ppid, pgid, sid }, runId }) => ({
      runId: runId ?? NO_RUN,
      identity,
      ppid,
      pgid,
      sid,
    }));
    sizes.set(service, appendLedger(folder, service, scope, lines));
  }
  return sizes;
}
