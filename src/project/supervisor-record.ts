import { basename, isAbsolute, join } from 'node:path';
import type { Capabilities } from '../processes/capabilities.ts';
import { type Identity, sameIdentity } from '../processes/identity.ts';
import { removeIfThere, writeFileAtomically } from './atomic-file.ts';
import { asObject, isIdentity, isRunId, isText, requireRecordable } from './field-checks.ts';
import type { ProjectFolder } from './folder.ts';
import { type JsonFields, type RecordRead, readJsonRecord } from './json-record.ts';
import { socketName } from './names.ts';
import { whyOfAnotherProject } from './recorded-project.ts';
import { folderProblem, writableFolder } from './records-folder.ts';

/** `.pids/supervisor.json`: which process supervises this project, and where it listens. */
export interface SupervisorRecord {
  readonly schema: 1;
  readonly identity: Identity;
  /** Absolute path of the Unix socket of its API. */
  readonly socket: string;
  /** The means by which it contains its services, and why it lacks the others. */
  readonly capabilities: Capabilities;
  /** Absolute path of the control group that contains the groups of the runs; null when there is none. */
  readonly groups: string | null;
  /** Real path of the project folder, and the id of the project. Missing in records of early versions. */
  readonly project?: string;
  readonly projectId?: string;
  /** Version of devctl. */
  readonly version: string;
  /** ISO 8601 in UTC, for people only. */
  readonly startedAt: string;
}

/**
 * Reads the record. Never throws for a bad file: it becomes a problem. The supervisor in the record
 * need not be alive.
 */
export function readSupervisor(folder: ProjectFolder): RecordRead<SupervisorRecord> {
  const blocked = folderProblem(folder, null);
  if (blocked) return { kind: 'problem', problem: blocked };
  return readJsonRecord(supervisorPath(folder), {
    parse: (fields) => toRecord(fields) ?? 'a field is missing or malformed',
    whyForeign({ socket, ...record }) {
      const isOfOurPath = folder.paths.some((path) => basename(socket) === socketName(path));
      // The socket is named after the path, so it tells whose the record is where the record does not say it.
      if (record.project === undefined && !isOfOurPath) {
        return 'it names the supervisor of another project folder';
      }
      return whyOfAnotherProject(folder, record);
    },
  });
}

/**
 * Stores the record of this supervisor.
 *
 * @throws DevctlError 'records-unwritable', 'unsafe'
 */
export function writeSupervisor(folder: ProjectFolder, record: SupervisorRecord): void {
  requireRecordable(record.identity);
  writableFolder(folder, null);
  writeFileAtomically(supervisorPath(folder), `${JSON.stringify(record, null, 2)}\n`);
}

/**
 * Removes the record if it is still that of this supervisor.
 *
 * @returns true when it was removed
 * @throws DevctlError 'records-unwritable'
 */
export function removeSupervisor(folder: ProjectFolder, identity: Identity): boolean {
  const read = readSupervisor(folder);
  if (read.kind !== 'record' || !sameIdentity(read.record.identity, identity)) return false;
  return removeIfThere(supervisorPath(folder));
}

function toRecord(fields: JsonFields): SupervisorRecord | null {
  const { schema, identity, socket, version, startedAt } = fields;
  const groups = fields.groups ?? null;
  const capabilities = toCapabilities(asObject(fields.capabilities));
  if (schema !== 1 || !isIdentity(identity)) return null;
  if (!isText(socket) || !isAbsolute(socket)) return null;
  if (!isText(version) || !isText(startedAt) || capabilities === null) return null;
  if (groups !== null && !(isText(groups) && isAbsolute(groups))) return null;
  const { project, projectId } = fields;
  if (project !== undefined && !(isText(project) && isAbsolute(project))) return null;
  if (projectId !== undefined && !isRunId(projectId)) return null;
  const whose = { ...(project && { project }), ...(projectId && { projectId }) };
  return { schema, identity, socket, capabilities, groups, ...whose, version, startedAt };
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
