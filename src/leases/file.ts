import { isAbsolute, join } from 'node:path';
import type { Identity } from '../processes/identity.ts';
import { removeIfThere, writeFileAtomically } from '../project/atomic-file.ts';
import {
  asObject,
  isCount,
  isLabel,
  isListOf,
  isOwnIdentity,
  isRunId,
  isText,
} from '../project/field-checks.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { type JsonFields, type RecordRead, readJsonRecord } from '../project/json-record.ts';
import { whyOfAnotherProject } from '../project/recorded-project.ts';
import { folderProblem, writableFolder } from '../project/records-folder.ts';

/** A process that keeps a project running for as long as it lives. */
export interface LeaseProcess {
  readonly identity: Identity;
  /** Its command line, for people. */
  readonly command: string;
}

/** How long somebody wants the project to run. A lease has an end, or processes, or both. */
export interface Lease {
  /** When its time is over, in `Identity.startTicks` units; null: its time has no end. */
  readonly endsAtTicks: number | null;
  /** The time that was asked for, for people; null when `endsAtTicks` is null. */
  readonly ttlMs: number | null;
  /** The lease is over when all of these have ended. Empty: only its time counts. */
  readonly processes: readonly LeaseProcess[];
}

/** `.pids/lease.json`: when the supervisor, this one or a later one, stops everything. */
export interface LeaseRecord {
  readonly schema: 1;
  /** Real path of the project folder. */
  readonly project: string;
  /** Its id; missing in records of early versions. */
  readonly projectId?: string;
  /** The boot on whose clock the leases end. The leases do not outlive it, because the services do not either. */
  readonly bootId: string;
  /** Absolute path of the manifest, which says what a full stop sweeps. */
  readonly manifest: string;
  /** The supervisor stops everything when the last of these is over. */
  readonly leases: readonly Lease[];
}

/** Reads the leases of a project. Never throws, whatever is in the file's place. */
export function readLeases(folder: ProjectFolder): RecordRead<LeaseRecord> {
  const blocked = folderProblem(folder, null);
  if (blocked) return { kind: 'problem', problem: blocked };
  return readJsonRecord(leasePath(folder), {
    parse: (fields) => toRecord(fields) ?? 'a field is missing or malformed',
    whyForeign: (record) => whyOfAnotherProject(folder, record),
  });
}

/** @throws DevctlError 'records-unwritable', 'unsafe' */
export function writeLeases(folder: ProjectFolder, record: LeaseRecord): void {
  writableFolder(folder, null);
  writeFileAtomically(leasePath(folder), `${JSON.stringify(record, null, 2)}\n`);
}

/**
 * Removes the leases of a project.
 *
 * @returns true when there were any
 * @throws DevctlError 'records-unwritable'
 */
export function removeLeases(folder: ProjectFolder): boolean {
  // A file that devctl does not obey (another project's, a newer schema's) it does not remove either.
  return readLeases(folder).kind === 'record' && removeIfThere(leasePath(folder));
}

/** Tells whether a value of a record or of a request is a lease. */
function isLease(value: unknown): value is Lease {
  const { endsAtTicks, ttlMs, processes } = asObject(value) ?? {};
  const isTimed = isCount(endsAtTicks) && isCount(ttlMs);
  if (!isTimed && !(endsAtTicks === null && ttlMs === null)) return false;
  return isListOf(processes, isLeaseProcess) && (isTimed || processes.length > 0);
}

/** Tells whether a value is the process of a lease. It may be process 1, because devctl never signals it. */
function isLeaseProcess(value: unknown): value is LeaseProcess {
  const { identity, command } = asObject(value) ?? {};
  return isOwnIdentity(identity) && isText(command);
}

function toRecord(fields: JsonFields): LeaseRecord | null {
  const { schema, project, bootId, manifest, leases } = fields;
  if (schema !== 1 || !isText(project) || !isAbsolute(project) || !isLabel(bootId)) return null;
  if (!isText(manifest) || !isAbsolute(manifest) || !isListOf(leases, isLease)) return null;
  const { projectId } = fields;
  if (projectId !== undefined && !isRunId(projectId)) return null;
  return { schema, project, ...(projectId && { projectId }), bootId, manifest, leases };
}

function leasePath(folder: ProjectFolder): string {
  return join(folder.pidsDir, 'lease.json');
}
