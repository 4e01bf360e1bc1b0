import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { removeIfThere, writeFileAtomically } from '../project/atomic-file.ts';
import { asObject, isCount, isLabel, isListOf, isRunId, isText } from '../project/field-checks.ts';
import type { ProjectFolder } from '../project/folder.ts';
import {
  type JsonFields,
  type RecordRead,
  readJsonFields,
  readJsonRecord,
} from '../project/json-record.ts';
import { CONTAINERS_RECORD } from '../project/names.ts';
import {
  containersCopy,
  removeContainersCopy,
  writeContainersCopy,
} from '../project/place/containers-copy.ts';
import { recordedProject, whyOfAnotherProject } from '../project/recorded-project.ts';
import { folderProblem, writableFolder } from '../project/records-folder.ts';
import type { EnginePlace } from './engine.ts';
import type { KnownName, NameSource } from './project-name.ts';

/** A container that a start has made. */
export interface RecordedContainer {
  readonly id: string;
  readonly name: string;
  /** The compose service. */
  readonly service: string;
}

/** How a compose service is stopped, from the compose file, so that a stop needs that file no more. */
export interface RecordedComposeService {
  readonly name: string;
  readonly dependsOn: readonly string[];
  readonly graceMs: number | null;
}

/** `.pids/containers.json`: the engine that has the containers of this project. */
export interface ContainersRecord {
  readonly schema: 1;
  readonly project?: string;
  readonly projectId?: string;
  readonly engine: EnginePlace & {
    /** The id that the engine gives itself. */
    readonly id: string;
  };
  readonly composeProject: string;
  /** 'intent': compose was about to be run, so nobody knows what it has made. */
  readonly state: 'intent' | 'up';
  readonly containers: readonly RecordedContainer[];
  readonly services: readonly RecordedComposeService[];
  /** The boot in which they were started. */
  readonly bootId: string;
  /** ISO 8601 in UTC. */
  readonly at: string;
}

/**
 * Reads the record; where `.pids` is gone, its copy in the state folder, which is of this very folder. Never throws for
 * a bad file: it becomes a problem.
 */
export function readContainersRecord(folder: ProjectFolder): RecordRead<ContainersRecord> {
  const blocked = folderProblem(folder, null);
  if (blocked) return { kind: 'problem', problem: blocked };
  const parse = (fields: JsonFields) => toRecord(fields) ?? 'a field is missing or malformed';
  const read = readJsonRecord(join(folder.pidsDir, CONTAINERS_RECORD), {
    parse,
    whyForeign: (record) => whyOfAnotherProject(folder, record),
  });
  const copy = containersCopy(folder);
  return read.kind === 'missing' && copy !== null ? readJsonRecord(copy, { parse }) : read;
}

/** @throws DevctlError 'records-unwritable', 'unsafe' */
export function writeContainersRecord(
  folder: ProjectFolder,
  record: Omit<ContainersRecord, 'schema' | 'project' | 'projectId'>,
): void {
  writableFolder(folder, null);
  const whole = { schema: 1, ...recordedProject(folder), ...record };
  const text = `${JSON.stringify(whole, null, 2)}\n`;
  writeFileAtomically(join(folder.pidsDir, CONTAINERS_RECORD), text);
  writeContainersCopy(folder, text);
}

/** Removes the record, its copy, the override file and the last answer. @throws DevctlError 'records-unwritable' */
export function removeContainersRecord(folder: ProjectFolder): void {
  const { pidsDir } = folder;
  for (const path of [overridePath(pidsDir), seenPath(pidsDir), join(pidsDir, CONTAINERS_RECORD)])
    removeIfThere(path);
  removeContainersCopy(folder);
}

/** The files that name the containers of a project, for people. */
export function containersRecords(folder: ProjectFolder): readonly string[] {
  const copy = containersCopy(folder);
  const paths = [join(folder.pidsDir, CONTAINERS_RECORD), ...(copy === null ? [] : [copy])];
  return paths.filter((path) => existsSync(path));
}

/** Absolute path of the compose file that adds our labels. */
export function overridePath(pidsDir: string): string {
  return join(pidsDir, 'containers.override.yml');
}

function seenPath(pidsDir: string): string {
  return join(pidsDir, 'containers-seen.json');
}

function namePath(pidsDir: string): string {
  return join(pidsDir, 'containers-name.json');
}

/**
 * Reads the name that the compose project had at an earlier start.
 *
 * @returns 'copied' where another project wrote it: this folder is a copy, and the name is that of the original
 */
export function readKnownName({ pidsDir, id }: ProjectFolder): KnownName | 'copied' | null {
  const { name, base, source, projectId } = readJsonFields(namePath(pidsDir)) ?? {};
  if (!isText(name) || !isText(base) || !isSource(source)) return null;
  return projectId === id ? { name, base, source } : 'copied';
}

/** @throws DevctlError 'records-unwritable' */
export function writeKnownName(folder: ProjectFolder, known: KnownName): void {
  writableFolder(folder, null);
  const text = `${JSON.stringify({ ...known, projectId: folder.id }, null, 2)}\n`;
  writeFileAtomically(namePath(folder.pidsDir), text);
}

function isSource(value: unknown): value is NameSource {
  return ['manifest', 'environment', 'compose-file', 'folder'].some((one) => one === value);
}

/** The last answer of an engine, for a `status` to which it gives none. */
export interface SeenContainers<Container> {
  readonly atMs: number;
  readonly list: readonly Container[];
}

/** Keeps the last answer. Never throws: it is worth nothing but a line of `status`. */
export function writeSeen<Container>(folder: ProjectFolder, seen: SeenContainers<Container>): void {
  try {
    const text = `${JSON.stringify({ ...seen, projectId: folder.id })}\n`;
    writeFileAtomically(seenPath(folder.pidsDir), text, { flushed: false });
  } catch {
    // A folder that cannot be written, or that was removed.
  }
}

export function readSeen<Container>(
  folder: ProjectFolder,
  isContainer: (value: unknown) => value is Container,
): SeenContainers<Container> | null {
  const { atMs, list, projectId } = readJsonFields(seenPath(folder.pidsDir)) ?? {};
  if (!isCount(atMs) || !isListOf(list, isContainer) || projectId !== folder.id) return null;
  return { atMs, list };
}

function toRecord(fields: JsonFields): ContainersRecord | null {
  const { schema, project, projectId, composeProject, state, containers, services, at, bootId } =
    fields;
  const engine = toEngine(asObject(fields.engine));
  if (schema !== 1 || !engine || !isText(composeProject) || !isText(at) || !isLabel(bootId))
    return null;
  if (state !== 'intent' && state !== 'up') return null;
  if (!isListOf(containers, isContainer) || !isListOf(services, isComposeService)) return null;
  if (project !== undefined && !isText(project)) return null;
  if (projectId !== undefined && !isRunId(projectId)) return null;
  const whose = { ...(project && { project }), ...(projectId && { projectId }) };
  return { schema, ...whose, engine, composeProject, state, containers, services, bootId, at };
}

function isContainer(value: unknown): value is RecordedContainer {
  const { id, name, service } = asObject(value) ?? {};
  return isText(id) && /^[0-9a-f]{64}$/.test(id) && isText(name) && isText(service);
}

function isComposeService(value: unknown): value is RecordedComposeService {
  const { name, dependsOn, graceMs } = asObject(value) ?? {};
  return isText(name) && isListOf(dependsOn, isText) && (graceMs === null || isCount(graceMs));
}

function toEngine(fields: JsonFields | null): ContainersRecord['engine'] | null {
  const { id, endpoint, environment } = fields ?? {};
  const variables = Object.entries(asObject(environment) ?? {});
  if (!isText(id) || !isText(endpoint)) return null;
  const texts = variables.filter(
    (entry): entry is [string, string] => /^DOCKER_[A-Z_]+$/.test(entry[0]) && isText(entry[1]),
  );
  return { id, endpoint, environment: Object.fromEntries(texts) };
}
