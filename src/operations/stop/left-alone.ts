import type { EvidenceKind, Spared, VetoKind } from '../../ownership/claim.ts';
import { describeCommand } from '../../processes/describe.ts';
import { sameIdentity } from '../../processes/identity.ts';
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

/** Finds the processes of ours that the stop left alone, because they run this command or their record is wrong. */
export function findLeftAlone(
  { owned }: Pick<VerifiedOutcome, 'owned'>,
  state: ProjectState,
  { names }: StopOptions,
): readonly LeftAlone[] {
  return owned
    .latest()
    .spared.filter(({ veto, evidence }) => {
      return (
        VETOES_OF_OURS.includes(veto.kind) && evidence.some(({ kind }) => STRONG.includes(kind))
      );
    })
    .map((spared) => ({ spared, service: serviceOf(spared, state) }))
    .filter(({ service }) => names === null || (service !== null && names.includes(service)));
}

function serviceOf(
  { process, evidence }: Spared,
  { records, ledger }: ProjectState,
): string | null {
  const record = records.find(
    ({ leader, runId }) =>
      (leader && sameIdentity(leader, process.identity)) ||
      evidence.some(({ kind, detail }) => kind === 'cookie' && detail.endsWith(runId)),
  );
  const entry = ledger.find(({ identity }) => sameIdentity(identity, process.identity));
  const service = record?.service ?? entry?.service ?? null;
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
    why: `it was left alone: ${veto.detail}`,
  };
}
