import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type LeaseRecord, readLeases } from '../leases/file.ts';
import type { LegacyPid, OwnershipFacts } from '../ownership/claim.ts';
import type { Identity } from '../processes/identity.ts';
import type { Snapshot } from '../processes/snapshot.ts';
import { msToTicks } from '../processes/ticks.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { lastStopProblems } from '../project/last-stop.ts';
import { readLedgers } from '../project/ledger.ts';
import type { LedgerEntry } from '../project/ledger-lines.ts';
import { type LegacyEntry, readLegacyFiles } from '../project/legacy-files.ts';
import type { RecordProblem } from '../project/record-problem.ts';
import { readRecords } from '../project/records.ts';
import type { ServiceRecord } from '../project/service-record.ts';
import { readSupervisor, type SupervisorRecord } from '../project/supervisor-record.ts';

/**
 * What is below our supervisor although nothing tells which service started it: the name of its unit
 * in a stop and of its ledger. No service can have it.
 */
export const UNATTRIBUTED = '(no service)';
/** Stands for the run id in that ledger. */
export const NO_RUN = 'none';

/** All that the records folder says, read at one moment. */
export interface ProjectState {
  readonly folder: ProjectFolder;
  /** The user whom the project folder belongs to; null when it is gone. */
  readonly ownerUid: number | null;
  readonly records: readonly ServiceRecord[];
  readonly ledger: readonly LedgerEntry[];
  readonly supervisor: SupervisorRecord | null;
  readonly legacy: readonly LegacyEntry[];
  /** For how long all this is to run; null: until somebody stops it. */
  readonly lease: LeaseRecord | null;
  /** What could not be read or believed; its processes are found by other evidence. */
  readonly problems: readonly RecordProblem[];
  /** Run ids of one-offs that are none of this command's business: their records and ledgers are left out. */
  readonly exempt: readonly string[];
}

/** Reads everything in `.pids` at one moment. Never throws: a file that cannot be used becomes a problem. */
export function readProjectState(
  folder: ProjectFolder,
  exempt: readonly string[] = [],
): ProjectState {
  const records = readRecords(folder);
  const ledgers = readLedgers(folder);
  const supervisor = readSupervisor(folder);
  const legacy = readLegacyFiles(folder);
  const lease = readLeases(folder);
  const all = {
    folder,
    ownerUid: ownerOf(folder.root),
    records: records.records,
    ledger: ledgers.entries,
    supervisor: supervisor.kind === 'record' ? supervisor.record : null,
    legacy: legacy.entries,
    lease: lease.kind === 'record' ? lease.record : null,
    problems: [
      ...[records, ledgers, legacy].flatMap(({ problems }) => problems),
      ...(supervisor.kind === 'problem' ? [supervisor.problem] : []),
      ...(lease.kind === 'problem' ? [lease.problem] : []),
      ...lastStopProblems(folder),
    ],
    exempt: [],
  };
  return withoutRuns(all, exempt);
}

/**
 * Leaves out the records and ledgers of some runs.
 *
 * @param exempt run ids of the one-offs that this command runs inside of
 */
export function withoutRuns(state: ProjectState, exempt: readonly string[]): ProjectState {
  const { records, ledger } = state;
  return {
    ...state,
    exempt,
    records: records.filter(({ runId }) => !exempt.includes(runId)),
    ledger: ledger.filter(({ runId }) => !exempt.includes(runId)),
  };
}

function ownerOf(path: string): number | null {
  try {
    return statSync(path).uid;
  } catch {
    return null;
  }
}

/** Is there nothing on disk that speaks of processes, and nobody at work who may be about to start some? */
export function isBlank(state: ProjectState): boolean {
  const { records, ledger, supervisor, legacy, lease, problems } = state;
  const isEmpty = [records, ledger, legacy, problems].every((list) => list.length === 0);
  return isEmpty && !supervisor && !lease && !existsSync(join(state.folder.pidsDir, 'lock'));
}

/**
 * The facts for `claimProcesses`.
 *
 * @param wallMs Date.now() at the time of the snapshot, to place the legacy files' mtime on its clock
 */
export function factsOf(
  state: ProjectState,
  self: Identity,
  snapshot: Pick<Snapshot, 'nowTicks'>,
  wallMs: number,
): OwnershipFacts {
  const { folder, records, ledger, supervisor, legacy, exempt } = state;
  return {
    projectId: folder.projectId,
    root: folder.root,
    ownerUid: state.ownerUid,
    self,
    supervisor: supervisor?.identity ?? null,
    runs: records,
    exemptRuns: exempt,
    witnessed: ledger.map((entry) =>
      entry.service === UNATTRIBUTED ? { ...entry, service: null, runId: null } : entry,
    ),
    legacyPids: legacy.map((entry) => toLegacyPid(entry, snapshot.nowTicks, wallMs)),
  };
}

/** A second of tolerance: file systems and the portable process table have coarse clocks. */
const CLOCK_TOLERANCE_TICKS = 100;

function toLegacyPid(entry: LegacyEntry, nowTicks: number, wallMs: number): LegacyPid {
  const ageTicks = msToTicks(wallMs - entry.writtenAtMs);
  const { pid, service, kind } = entry;
  return { pid, service, kind, writtenTicks: nowTicks - ageTicks + CLOCK_TOLERANCE_TICKS };
}
