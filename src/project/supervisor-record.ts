import { basename, isAbsolute, join } from 'node:path';
import type { Capabilities } from '../processes/capabilities.ts';
import { type Identity, sameIdentity } from '../processes/identity.ts';
import { removeIfThere, writeFileAtomically } from './atomic-file.ts';
import {
  asObject,
  isCount,
  isIdentity,
  isText,
  parseJson,
  requireRecordable,
} from './field-checks.ts';
import { folderProblem, type ProjectFolder, projectHash, writableFolder } from './folder.ts';
import type { RecordProblem } from './record-problem.ts';
import { readOwnFile } from './safe-file.ts';

/** `.pids/supervisor.json`: who supervises this project, and where it listens. */
export interface SupervisorRecord {
  readonly schema: 1;
  readonly identity: Identity;
  /** Absolute path of the Unix socket of its API. */
  readonly socket: string;
  /** What it holds its services with, and why not. */
  readonly capabilities: Capabilities;
  /** Absolute path of the control group that holds those of the runs; null without any. */
  readonly groups: string | null;
  /** Version of devctl. */
  readonly version: string;
  /** ISO 8601 in UTC, for people only. */
  readonly startedAt: string;
}

export type SupervisorRead =
  | { readonly kind: 'record'; readonly record: SupervisorRecord }
  | { readonly kind: 'missing' }
  | { readonly kind: 'problem'; readonly problem: RecordProblem };

/** Never throws for what it finds. That it is recorded does not mean that it is alive. */
export function readSupervisor(folder: ProjectFolder): SupervisorRead {
  const blocked = folderProblem(folder, null);
  if (blocked) return { kind: 'problem', problem: blocked };
  const file = readOwnFile(supervisorPath(folder));
  if (file.kind === 'missing') return file;
  if (file.kind === 'refused') return problem(folder, 'refused', file.reason);

  const fields = asObject(parseJson(file.bytes));
  if (!fields) return problem(folder, 'corrupt', 'not a JSON object');
  if (isCount(fields.schema) && fields.schema > 1) {
    return problem(folder, 'newer', `schema ${fields.schema}: written by a later devctl`);
  }
  const record = toRecord(fields);
  if (!record) return problem(folder, 'corrupt', 'a field is missing or malformed');
  // A copied `.pids` names the socket of the original project, whose supervisor is not ours.
  if (basename(record.socket) !== `${projectHash(folder.root)}.sock`) {
    return problem(folder, 'foreign', 'it names the supervisor of another project folder');
  }
  return { kind: 'record', record };
}

/** @throws DevctlError 'records-unwritable', 'unsafe' */
export function writeSupervisor(folder: ProjectFolder, record: SupervisorRecord): void {
  requireRecordable(record.identity);
  writableFolder(folder, null);
  writeFileAtomically(supervisorPath(folder), `${JSON.stringify(record, null, 2)}\n`);
}

/**
 * Removes the record, if it is still the one of this supervisor.
 *
 * @returns was it removed?
 * @throws DevctlError 'records-unwritable'
 */
export function removeSupervisor(folder: ProjectFolder, identity: Identity): boolean {
  const read = readSupervisor(folder);
  if (read.kind !== 'record' || !sameIdentity(read.record.identity, identity)) return false;
  return removeIfThere(supervisorPath(folder));
}

function toRecord(fields: Readonly<Record<string, unknown>>): SupervisorRecord | null {
  const { schema, identity, socket, version, startedAt } = fields;
  const groups = fields.groups ?? null;
  const capabilities = toCapabilities(asObject(fields.capabilities));
  if (schema !== 1 || !isIdentity(identity)) return null;
  if (!isText(socket) || !isAbsolute(socket)) return null;
  if (!isText(version) || !isText(startedAt) || capabilities === null) return null;
  if (groups !== null && !(isText(groups) && isAbsolute(groups))) return null;
  return { schema, identity, socket, capabilities, groups, version, startedAt };
}

function toCapabilities(fields: ReturnType<typeof asObject>): Capabilities | null {
  const [subreaper, pidfd, cgroup] = ['subreaper', 'pidfd', 'cgroup'].map((name) => {
    const { held, why } = asObject(fields?.[name]) ?? {};
    return typeof held === 'boolean' && (why === null || isText(why)) ? { held, why } : null;
  });
  return subreaper && pidfd && cgroup ? { subreaper, pidfd, cgroup } : null;
}

function supervisorPath(folder: ProjectFolder): string {
  return join(folder.pidsDir, 'supervisor.json');
}

function problem(
  folder: ProjectFolder,
  kind: RecordProblem['kind'],
  reason: string,
): SupervisorRead {
  return {
    kind: 'problem',
    problem: { path: supervisorPath(folder), service: null, kind, reason },
  };
}
