import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type LeaseRecord, readLeases } from '../leases/file.ts';
import type { ProtectionSettings } from '../manifest/resolved.ts';
import type { PerhapsOurs } from '../ownership/claim.ts';
import { sameMachine } from '../processes/identity.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { lastStopProblems } from '../project/last-stop.ts';
import { readLedgers } from '../project/ledger.ts';
import type { LedgerEntry } from '../project/ledger-lines.ts';
import {
  type LegacyEntry,
  type LegacyFacts,
  leaderPids,
  readLegacyFiles,
} from '../project/legacy-files.ts';
import { bootedAtMs, later, latestRecordMs, modifiedMs } from '../project/place/places.ts';
import { readPlace, readProjectRecord } from '../project/place/project-file.ts';
import type { RecordProblem } from '../project/record-problem.ts';
import { OF_OTHER_MANIFEST } from '../project/recorded-project.ts';
import { readFolderRecords } from '../project/records.ts';
import type { ServiceRecord } from '../project/service-record.ts';
import { readSupervisor, type SupervisorRecord } from '../project/supervisor-record.ts';
import { type RecordsBeside, readBeside } from './beside.ts';
import { joinProtection } from './protection.ts';

/**
 * The name of the unit, and of the ledger, for processes below our supervisor that no evidence ties to
 * a service. No service can have this name.
 */
export const UNATTRIBUTED = '(no service)';

/** Everything that the records folder says, read at one moment. */
export interface ProjectState {
  readonly folder: ProjectFolder;
  /** The user who owns the project folder; null when it is gone. */
  readonly ownerUid: number | null;
  readonly records: readonly ServiceRecord[];
  readonly ledger: readonly LedgerEntry[];
  /** The part of the ledgers that may be of another manifest of this folder; missing: none. */
  readonly nameless?: readonly LedgerEntry[];
  /** Records of other projects in this folder: of another manifest, or through a shared `pidsDir`. */
  readonly foreign: readonly ServiceRecord[];
  /** The runs and processes that the other records folders of this project folder name; missing: none. */
  readonly beside?: RecordsBeside;
  readonly supervisor: SupervisorRecord | null;
  readonly legacy: readonly LegacyEntry[];
  /** How long the services are to run; null: until somebody stops them. */
  readonly lease: LeaseRecord | null;
  /** Files that could not be read or believed; their processes are found by other evidence. */
  readonly problems: readonly RecordProblem[];
  /** The protection that the manifest asks for, joined with the one that each recorded run began with. */
  readonly protection: ProtectionSettings;
  /** The processes that the records name where this folder may be the original after a move; missing: none. */
  readonly perhapsOurs?: readonly PerhapsOurs[];
  /** Run ids of one-offs that do not concern this command: their records and ledgers are left out. */
  readonly exempt: readonly string[];
}

/** Reads everything in `.pids` at one moment. Never throws: a file that cannot be used becomes a problem. */
export function readProjectState(
  folder: ProjectFolder,
  exempt: readonly string[] = [],
): ProjectState {
  const records = readFolderRecords(folder);
  const ledgers = readLedgers(folder, records.others);
  const supervisor = readSupervisor(folder);
  const legacy = readLegacyFiles(folder, legacyFacts(folder, records.records));
  const lease = readLeases(folder);
  const project = readProjectRecord(folder.pidsDir);
  const all = {
    folder,
    ownerUid: ownerOf(folder.root),
    records: records.records,
    ledger: ledgers.entries,
    nameless: ledgers.nameless ?? [],
    foreign: records.foreign,
    supervisor: supervisor.kind === 'record' ? supervisor.record : null,
    legacy: withoutOthers(folder, legacy.entries, records.others),
    lease: lease.kind === 'record' ? lease.record : null,
    problems: [
      ...[records, ledgers, legacy].flatMap(({ problems }) => problems),
      ...(supervisor.kind === 'problem' ? [supervisor.problem] : []),
      ...(lease.kind === 'problem' ? [lease.problem] : []),
      ...(project.kind === 'problem' ? [project.problem] : []),
      ...lastStopProblems(folder),
    ].filter(({ reason }) => reason !== OF_OTHER_MANIFEST),
    protection: joinProtection(folder.protection, records.records),
    exempt: [],
    perhapsOurs: namedByCopy(folder),
    beside: readBeside(folder),
  };
  return withoutRuns(all, exempt);
}

/** Reads what the records of a copy name, as if they were believed, where the copy may be the original. */
function namedByCopy(folder: ProjectFolder): readonly PerhapsOurs[] {
  const { standing } = folder;
  if (!standing.isPerhapsMoved) return [];
  const believed = { ...folder, standing: { ...standing, standing: 'unknown' as const } };
  const leaders = readFolderRecords(believed).records.flatMap(({ leader, service, runId }) =>
    leader ? [{ identity: leader, service, runId }] : [],
  );
  const why = 'the records that name it may be a copy';
  return [...leaders, ...readLedgers(believed).entries].map((one) => ({ ...one, why }));
}

function legacyFacts(folder: ProjectFolder, records: readonly ServiceRecord[]): LegacyFacts {
  const place = readPlace();
  const otherPlaces = records
    .filter((record) => process.platform === 'linux' && record.pidNamespace !== 'portable')
    .filter((record) => !sameMachine(record, place))
    .map(({ service }) => modifiedMs(join(folder.pidsDir, 'services', `${service}.json`)));
  const times = [...folder.standing.elsewhere.map(latestRecordMs), ...otherPlaces];
  return {
    leaders: new Set(leaderPids(records)),
    elsewhereAtMs: times.reduce(later, null),
    bootedAtMs: bootedAtMs(),
  };
}

/** Leaves out the lines that were written for another manifest of the folder, or for another project. */
function withoutOthers(
  { standing: { standing } }: ProjectFolder,
  entries: readonly LegacyEntry[],
  others: readonly ServiceRecord[],
): readonly LegacyEntry[] {
  if (standing === 'shared') return [];
  const pids = new Set(others.flatMap(({ leader }) => (leader ? [leader.pid] : [])));
  return entries.filter(({ pid }) => !pids.has(pid));
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

/**
 * True when nothing on disk speaks of processes, and no devctl is at work that may be about to start
 * some.
 */
export function isBlankState(state: ProjectState): boolean {
  const { records, ledger, supervisor, legacy, lease, folder } = state;
  const isShared = folder.standing.standing === 'shared';
  // In a shared folder the records of the other project are no trace of ours.
  const problems = state.problems.filter(({ kind }) => !(isShared && kind === 'foreign'));
  const isEmpty = [records, ledger, legacy, problems].every((list) => list.length === 0);
  return isEmpty && !supervisor && !lease && !existsSync(join(state.folder.pidsDir, 'lock'));
}
