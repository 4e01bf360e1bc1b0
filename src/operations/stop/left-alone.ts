import type { EvidenceKind, Spared, VetoKind } from '../../ownership/claim.ts';
import { describeCommand } from '../../processes/describe.ts';
import { sameIdentity } from '../../processes/identity.ts';
import type { Snapshot } from '../../processes/snapshot.ts';
import type { StopReport } from '../../stopping/report.ts';
import { type ProjectState, UNATTRIBUTED } from '../../tracking/project-state.ts';
import type { StopOptions } from './options.ts';
import type { VerifiedOutcome } from './outcome.ts';

/** Vetoes that keep devctl from ending what is ours. What carries out the stop ends with it, and is none. */
const OURS_ALL_THE_SAME: readonly VetoKind[] = ['ancestor', 'older-than-run'];
const STRONG: readonly EvidenceKind[] = ['leader', 'cgroup', 'ledger', 'cookie'];

interface Unproved {
  readonly spared: Spared;
  readonly service: string | null;
}

/** What was to be stopped and was left alone, because it runs this command or its record is wrong. */
export function findLeftAlone(
  { owned }: Pick<VerifiedOutcome, 'owned'>,
  state: ProjectState,
  { names }: StopOptions,
): readonly Unproved[] {
  return owned
    .latest()
    .spared.filter(({ veto, evidence }) => {
      return (
        OURS_ALL_THE_SAME.includes(veto.kind) && evidence.some(({ kind }) => STRONG.includes(kind))
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

export function describeLeftAlone(
  { spared: { process, evidence, veto }, service }: Unproved,
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
