import { isAbsolute, join } from 'node:path';
import type { Identity } from '../processes/identity.ts';
import { removeIfThere, writeFileAtomically } from '../project/atomic-file.ts';
import {
  asObject,
  isCount,
  isLabel,
  isListOf,
  isOwnIdentity,
  isText,
} from '../project/field-checks.ts';
import {
  folderProblem,
  type ProjectFolder,
  whyOfAnotherProject,
  writableFolder,
} from '../project/folder.ts';
import { type JsonFields, type RecordRead, readJsonRecord } from '../project/json-record.ts';

/** A process that has a project run for as long as it lives. */
export interface LeaseProcess {
  readonly identity: Identity;
  /** Its command line, for people. */
  readonly command: string;
}

/** For how long somebody wants the project to run. It has an end, or processes, or both. */
export interface Lease {
  /** When its time is over, on the clock of `Identity.startTicks`; null: that has no end. */
  readonly endsAtTicks: number | null;
  /** For how long it was asked for, for people; null with `endsAtTicks`. */
  readonly ttlMs: number | null;
  /** It is over when all of these have ended; none: that is up to its time alone. */
  readonly processes: readonly LeaseProcess[];
}

/** `.pids/lease.json`: when a supervisor, this one or a later one, is to stop everything. */
export interface LeaseRecord {
  readonly schema: 1;
  /** Real path of the project folder. */
  readonly project: string;
  /** The boot on whose clock the leases end: they do not outlive it, and neither does what they are for. */
  readonly bootId: string;
  /** Absolute path of the manifest, which says what a full stop sweeps. */
  readonly manifest: string;
  /** Everything is stopped when the last of them is over. */
  readonly leases: readonly Lease[];
}

/** Never throws for what it finds. */
export function readLeases(folder: ProjectFolder): RecordRead<LeaseRecord> {
  const blocked = folderProblem(folder, null);
  if (blocked) return { kind: 'problem', problem: blocked };
  return readJsonRecord(leasePath(folder), {
    parse: (fields) => toRecord(fields) ?? 'a field is missing or malformed',
    whyForeign: ({ project }) => whyOfAnotherProject(folder, project),
  });
}

/** @throws DevctlError 'records-unwritable', 'unsafe' */
export function writeLeases(folder: ProjectFolder, record: LeaseRecord): void {
  writableFolder(folder, null);
  writeFileAtomically(leasePath(folder), `${JSON.stringify(record, null, 2)}\n`);
}

/**
 * @returns was there any?
 * @throws DevctlError 'records-unwritable'
 */
export function removeLeases(folder: ProjectFolder): boolean {
  // Only what is ours to obey is ours to remove.
  return readLeases(folder).kind === 'record' && removeIfThere(leasePath(folder));
}

/** Is this value a lease, as records have it? */
function isLease(value: unknown): value is Lease {
  const { endsAtTicks, ttlMs, processes } = asObject(value) ?? {};
  const isTimed = isCount(endsAtTicks) && isCount(ttlMs);
  if (!isTimed && !(endsAtTicks === null && ttlMs === null)) return false;
  return isListOf(processes, isLeaseProcess) && (isTimed || processes.length > 0);
}

/** Nothing is ever signalled through it: it may well be process 1. */
function isLeaseProcess(value: unknown): value is LeaseProcess {
  const { identity, command } = asObject(value) ?? {};
  return isOwnIdentity(identity) && isText(command);
}

function toRecord(fields: JsonFields): LeaseRecord | null {
  const { schema, project, bootId, manifest, leases } = fields;
  if (schema !== 1 || !isText(project) || !isAbsolute(project) || !isLabel(bootId)) return null;
  if (!isText(manifest) || !isAbsolute(manifest) || !isListOf(leases, isLease)) return null;
  return { schema, project, bootId, manifest, leases };
}

function leasePath(folder: ProjectFolder): string {
  return join(folder.pidsDir, 'lease.json');
}
