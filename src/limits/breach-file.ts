import { join } from 'node:path';
import type { Identity } from '../processes/identity.ts';
import { removeIfThere, writeFileAtomically } from '../project/atomic-file.ts';
import { isOwnIdentity } from '../project/field-checks.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { readJsonFields } from '../project/json-record.ts';
import { folderProblem, writableFolder } from '../project/records-folder.ts';
import type { Breach } from './breach.ts';
import { isBreach } from './check-breach.ts';

/** `.pids/breaches.json`: the limits that are exceeded at this time, for `status`. Missing when there are none. */
export interface BreachRecord {
  /** The supervisor that measured them. Without it the record no longer counts. */
  readonly supervisor: Identity;
  /** Each a `Breach`, not checked yet. */
  readonly breaches: readonly unknown[];
}

/** Reads the record; null when there is none that can be read, because it only informs people. Never throws. */
function readBreachRecord(folder: ProjectFolder): BreachRecord | null {
  if (folderProblem(folder, null)) return null;
  const { schema, supervisor, breaches } = readJsonFields(breachPath(folder)) ?? {};
  if (schema !== 1 || !isOwnIdentity(supervisor) || !Array.isArray(breaches)) return null;
  return { supervisor, breaches };
}

/** @throws DevctlError 'records-unwritable', 'unsafe' */
export function writeBreachRecord(folder: ProjectFolder, record: BreachRecord): void {
  writableFolder(folder, null);
  writeFileAtomically(breachPath(folder), `${JSON.stringify({ schema: 1, ...record }, null, 2)}\n`);
}

/** @throws DevctlError 'records-unwritable' */
export function removeBreachRecord(folder: ProjectFolder): void {
  if (folderProblem(folder, null)) return;
  removeIfThere(breachPath(folder));
}

function breachPath(folder: ProjectFolder): string {
  return join(folder.pidsDir, 'breaches.json');
}

/**
 * Reads the limits that are exceeded at this time; none when no supervisor lives that measured them.
 *
 * @param isAlive asked for that supervisor
 */
export function currentBreaches(
  folder: ProjectFolder,
  isAlive: (supervisor: Identity) => boolean,
): readonly Breach[] {
  const record = readBreachRecord(folder);
  if (!record || !isAlive(record.supervisor)) return [];
  return record.breaches.filter(isBreach);
}
