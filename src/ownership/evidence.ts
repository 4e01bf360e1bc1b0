import { sameIdentity } from '../processes/identity.ts';
import type { ProcessInfo } from '../processes/snapshot.ts';
import { isInside } from './inside.ts';
import type { Finding, Search } from './search.ts';

/** Evidence that a process carries itself, without looking at its relatives. */
export function directEvidence(search: Search, process: ProcessInfo): Finding[] {
  const { facts, snapshot, vetoes } = search;
  const { identity } = process;
  const findings: Finding[] = [];

  for (const { leader, service, runId } of facts.runs) {
    if (leader && sameIdentity(leader, identity) && leadsItsSession(process)) {
      findings.push({
        kind: 'leader',
        detail: `recorded as the leader of ${service}`,
        service,
        runId,
      });
    }
  }
  for (const { identity: seen, service, runId } of search.witnessed.get(identity.pid) ?? []) {
    if (!sameIdentity(seen, identity)) continue;
    findings.push({ kind: 'ledger', detail: 'witnessed earlier', service, runId });
  }
  const cookie = vetoes.cookies.get(identity.pid);
  if (cookie) {
    const { service, runId } = cookie;
    findings.push({ kind: 'cookie', detail: `DEVCTL_RUN=${runId ?? ''}`, service, runId });
  }
  for (const { pid, service, writtenTicks } of facts.foundingPids) {
    if (pid !== identity.pid || identity.startTicks > writtenTicks) continue;
    if (!isInside(facts.root, snapshot.details.cwd(process))) continue;
    findings.push({
      kind: 'founding-file',
      detail: 'listed in services.pids',
      service,
      runId: null,
    });
  }
  return findings;
}

/**
 * A leader was spawned as the head of its own session, and the kernel lets no session leader leave
 * it (setsid(2), setpgid(2)). A record that points to anything else was edited or is damaged.
 */
function leadsItsSession({ identity, sid, pgid }: ProcessInfo): boolean {
  return pgid === identity.pid && (sid === identity.pid || sid === 0);
}
