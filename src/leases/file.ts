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
  parseJson,
} from '../project/field-checks.ts';
import {
  folderProblem,
  isOfAnotherProject,
  type ProjectFolder,
  writableFolder,
} from '../project/folder.ts';
import type { RecordProblem } from '../project/record-problem.ts';
import { readOwnFile } from '../project/safe-file.ts';

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

export type LeaseRead =
  | { readonly kind: 'record'; readonly record: LeaseRecord }
  | { readonly kind: 'missing' }
  | { readonly kind: 'problem'; readonly problem: RecordProblem };

/** Never throws for what it finds. */
export function readLeases(folder: ProjectFolder): LeaseRead {
  const blocked = folderProblem(folder, null);
  if (blocked) return { kind: 'problem', problem: blocked };
  const file = readOwnFile(leasePath(folder));
  if (file.kind === 'missing') return file;
  if (file.kind === 'refused') return problem(folder, 'refused', file.reason);

  const fields = asObject(parseJson(file.bytes));
  if (!fields) return problem(folder, 'corrupt', 'not a JSON object');
  if (isCount(fields.schema) && fields.schema > 1) {
    return problem(folder, 'newer', `schema ${fields.schema}: written by a later devctl`);
  }
  const record = toRecord(fields);
  if (!record) return problem(folder, 'corrupt', 'a field is missing or malformed');
  if (isOfAnotherProject(folder, record.project)) {
    return problem(folder, 'foreign', `it belongs to the project ${record.project}`);
  }
  return { kind: 'record', record };
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

/** Is this value a lease, as records and requests have them? */
export function isLease(value: unknown): value is Lease {
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

function toRecord(fields: Readonly<Record<string, unknown>>): LeaseRecord | null {
  const { schema, project, bootId, manifest, leases } = fields;
  if (schema !== 1 || !isText(project) || !isAbsolute(project) || !isLabel(bootId)) return null;
  if (!isText(manifest) || !isAbsolute(manifest) || !isListOf(leases, isLease)) return null;
  return { schema, project, bootId, manifest, leases };
}

function leasePath(folder: ProjectFolder): string {
  return join(folder.pidsDir, 'lease.json');
}

function problem(folder: ProjectFolder, kind: RecordProblem['kind'], reason: string): LeaseRead {
  return { kind: 'problem', problem: { path: leasePath(folder), service: null, kind, reason } };
}
