import type { Spared } from '../../ownership/claim.ts';
import type { EvidenceKind, VetoKind } from '../../ownership/evidence-kinds.ts';
import { describeCommand } from '../../processes/describe.ts';
import { identityKey, sameIdentity } from '../../processes/identity.ts';
import type { Snapshot } from '../../processes/snapshot.ts';
import type { StopReport } from '../../stopping/report.ts';
import { type ProjectState, UNATTRIBUTED } from '../../tracking/project-state.ts';
import type { StopOptions } from './options.ts';
import type { VerifiedOutcome } from './outcome.ts';

/** The vetoes that can protect a process of ours. The veto `self` does not count: this process ends with the stop. */
const VETOES_OF_OURS: readonly VetoKind[] = ['ancestor', 'older-than-run'];
const STRONG: readonly EvidenceKind[] = ['leader', 'cgroup', 'ledger', 'cookie'];

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
  { names }: StopOptions,
  first: readonly Spared[] = [],
): readonly LeftAlone[] {
  const doubted = first.filter(isInDoubt);
  const keys = new Set(doubted.map(({ process }) => identityKey(process.identity)));
  // A doubt of the first scan stands, because nothing that dies afterwards tells whose the process is.
  const latest = owned
    .latest()
    .spared.filter(
      (spared) => isInDoubt(spared) || !keys.has(identityKey(spared.process.identity)),
    );
  const known = new Set(latest.map(({ process }) => identityKey(process.identity)));
  const lost = doubted.filter(({ process }) => !known.has(identityKey(process.identity)));
  return [...latest, ...lost]
    .filter((spared) => {
      const { veto, evidence } = spared;
      if (isInDoubt(spared)) return true;
      const isStrong = evidence.some(({ kind }) => STRONG.includes(kind));
      return isStrong && VETOES_OF_OURS.includes(veto.kind);
    })
    .map((spared) => ({ spared, service: serviceOf(spared, state) ?? firstService(spared, first) }))
    .filter(({ service }) => names === null || (service !== null && names.includes(service)));
}

function isInDoubt({ veto }: Spared): boolean {
  return veto.kind === 'in-doubt';
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
  return service === UNATTRIBUTED ? null : service;
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
