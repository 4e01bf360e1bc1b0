import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { linuxBootId } from '../../processes/boot-id.ts';
import { readMachineId } from '../../processes/machine-id.ts';
import { readPidNamespace } from '../../processes/pid-namespace.ts';
import { writeFileAtomically } from '../atomic-file.ts';
import { isLabel, isListOf, isText } from '../field-checks.ts';
import { type JsonFields, type RecordRead, readJsonRecord } from '../json-record.ts';

/** The machine, boot and PID namespace in which a path and a pid mean what they say. */
export interface Place {
  /** machine-id(5); null where the system has none. */
  readonly machineId: string | null;
  readonly bootId: string;
  readonly pidNamespace: string;
}

/** A folder as it is seen at one place: two looks that agree in all of it have seen one folder. */
export interface FolderPlace extends Place {
  /** Real path. */
  readonly path: string;
  /** Device and inode number (stat(2)), as decimal text, because an inode may be larger than a double holds. */
  readonly device: string;
  readonly inode: string;
}

/** `.pids/project.json`: the id of the project, which travels with its folder, and where the folder was last. */
export interface ProjectRecord extends FolderPlace {
  readonly schema: 1;
  /** 16 hex digits, drawn once. */
  readonly id: string;
  /** Paths that the folder had earlier while something ran, oldest first: marks of processes may still say them. */
  readonly formerPaths: readonly string[];
  /** Other paths at which this very folder was seen, because it is mounted more than once. */
  readonly alsoAt: readonly string[];
  /** Absolute path of the records folder: tells a copied `.pids` from one that two projects share. */
  readonly pidsDir: string;
}

/** Draws the id of a new project. */
export function newProjectId(): string {
  return randomBytes(8).toString('hex');
}

/** Tells whether this text is the id of a project. */
export function isProjectId(value: unknown): value is string {
  return isText(value) && /^[0-9a-f]{16}$/.test(value);
}

/**
 * Where this process is. Only Linux tells its boot without a program; on other systems every boot of every machine has
 * the same name here, and folders are told apart by their paths, devices and inodes alone.
 */
export function readPlace(): Place {
  const bootId = process.platform === 'linux' ? linuxBootId() : process.platform;
  return { machineId: readMachineId(), bootId, pidNamespace: readPidNamespace() };
}

/** @returns null where there is no such folder, or it cannot be looked at */
export function readFolderPlace(path: string, place: Place): FolderPlace | null {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return { ...place, path, device: String(dev), inode: String(ino) };
  } catch {
    return null;
  }
}

/** Reads the record. Never throws for what it finds: where it is missing or damaged, the path decides. */
export function readProjectRecord(pidsDir: string): RecordRead<ProjectRecord> {
  return readJsonRecord(projectRecordPath(pidsDir), {
    parse: (fields) => toProjectRecord(fields) ?? 'a field is missing or malformed',
  });
}

/** @throws DevctlError 'records-unwritable' */
export function writeProjectRecord(record: ProjectRecord): void {
  writeFileAtomically(projectRecordPath(record.pidsDir), `${JSON.stringify(record, null, 2)}\n`);
}

function projectRecordPath(pidsDir: string): string {
  return join(pidsDir, 'project.json');
}

function toProjectRecord(fields: JsonFields): ProjectRecord | null {
  const { schema, id, path, formerPaths, alsoAt, pidsDir, device, inode } = fields;
  const { machineId, bootId, pidNamespace } = fields;
  if (schema !== 1 || !isProjectId(id) || !isAbsolutePath(path) || !isAbsolutePath(pidsDir)) {
    return null;
  }
  if (!isListOf(formerPaths, isAbsolutePath) || !isListOf(alsoAt, isAbsolutePath)) return null;
  if (!isNumber(device) || !isNumber(inode)) return null;
  if (machineId !== null && !isLabel(machineId)) return null;
  if (!isLabel(bootId) || !isLabel(pidNamespace)) return null;
  const folder = { path, device, inode, machineId, bootId, pidNamespace };
  return { schema, id, formerPaths, alsoAt, pidsDir, ...folder };
}

function isAbsolutePath(value: unknown): value is string {
  return isText(value) && isAbsolute(value);
}

function isNumber(value: unknown): value is string {
  return isText(value) && /^\d{1,20}$/.test(value);
}
