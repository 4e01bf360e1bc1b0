import type { Spared } from '../../ownership/claim.ts';
import type { EvidenceKind, VetoKind } from '../../ownership/evidence-kinds.ts';
import { describeCommand } from '../../processes/describe.ts';
import { identityKey, sameIdentity } from '../../processes/identity.ts';
import type { Snapshot } from '../../processes/snapshot.ts';
import type { StopReport } from '../../stopping/report.ts';
import { isInDoubt, withDoubts } from '../../tracking/claim-tracker.ts';
import { type ProjectState, UNATTRIBUTED } from '../../tracking/project-state.ts';
import type { StopOptions } from './options.ts';
import type { VerifiedOutcome } from './outcome.ts';

/** The vetoes that can protect a process of ours. The veto `self` does not count: this process ends with the stop. */
const VETOES_OF_OURS: readonly VetoKind[] = ['ancestor', 'older-than-run'];
const STRONG: readonly EvidenceKind[] = ['leader', 'cgroup', 'ledger', 'cookie'];

/** Evidence that a process in a container was started by us. A mark alone may be of a devctl that runs in that container. */
const AMONG_OURS: readonly EvidenceKind[] = [
  'leader',
  'cgroup',
  'ledger',
  'descendant',
  'session',
  'group',
];

/** A process that the stop should have ended and has left alone. */
interface LeftAlone {
  readonly spared: Spared;
  readonly service: string | null;
}

/**
 * Finds the processes that this stop was asked to end, that strong evidence points to, and that it left alone: they
 * run this command, their record is wrong, or nobody can tell whose they are.
 *
 * @param first the processes that the first scan spared, and that are alive. When the tree dies, the evidence for a process within it is
 *   lost, so later scans do not list it.
 */
export function findLeftAlone(
  { owned }: Pick<VerifiedOutcome, 'owned'>,
  state: ProjectState,
  { names }: Pick<StopOptions, 'names'>,
  first: readonly Spared[] = [],
): readonly LeftAlone[] {
  return withDoubts(first.filter(isInDoubt), owned.latest())
    .filter((spared) => {
      const { veto, evidence } = spared;
      if (isInDoubt(spared)) return true;
      // Started by us, as `podman run` starts it: nothing but its container ends it.
      if (veto.kind === 'container') return evidence.some(({ kind }) => AMONG_OURS.includes(kind));
      const isStrong = evidence.some(({ kind }) => STRONG.includes(kind));
      return isStrong && VETOES_OF_OURS.includes(veto.kind);
    })
    .map((spared) => ({ spared, service: serviceOf(spared, state) ?? firstService(spared, first) }))
    .filter(({ service }) => names === null || names.includes(service ?? UNATTRIBUTED));
}

/** The service that the evidence pointed to before the tree died. */
function firstService({ process }: Spared, first: readonly Spared[]): string | null {
  const key = identityKey(process.identity);
  return first.find((one) => identityKey(one.process.identity) === key)?.service ?? null;
}

function serviceOf(spared: Spared, { records, ledger }: ProjectState): string | null {
  const { process, evidence } = spared;
  const record = records.find(
    ({ leader, runId }) =>
      (leader && sameIdentity(leader, process.identity)) ||
      evidence.some(({ kind, detail }) => kind === 'cookie' && detail.endsWith(runId)),
  );
  const entry = ledger.find(({ identity }) => sameIdentity(identity, process.identity));
  const service = record?.service ?? entry?.service ?? spared.service ?? null;
  if (service !== null && service !== UNATTRIBUTED) return service;
  // Nothing is ended for this number. It names the service that the process is in doubt of.
  const led = records.find(
    ({ leader, terminal }) =>
      leader && [process.sid, process.pgid].includes((terminal?.session ?? leader).pid),
  );
  return led?.service ?? null;
}

/**
 * Names the processes that may be of these services and that nobody can tell: a new run must not begin beside them.
 * Null where there is none.
 */
export function doubtsInWords(
  all: readonly Spared[],
  state: ProjectState,
  names: readonly string[],
): string | null {
  const doubts = all.filter(
    (spared) => isInDoubt(spared) && names.includes(serviceOf(spared, state) ?? UNATTRIBUTED),
  );
  if (doubts.length === 0) return null;
  return doubts
    .map(({ process, veto }) => {
      return `${process.name} (pid ${process.identity.pid}: ${veto.detail})`;
    })
    .join(', ');
}

/** One survivor of the report: a process that was left alone. */
export function describeLeftAlone(
  { spared: { process, evidence, veto }, service }: LeftAlone,
  snapshot: Snapshot,
): StopReport['survivors'][number] {
  return {
    pid: process.identity.pid,
    command: describeCommand(snapshot, process),
    service,
    evidence,
    signals: [],
    endedBy: null,
    endedAfterMs: null,
    outside: false,
    why: `it was left alone: ${veto.detail}`,
  };
}
