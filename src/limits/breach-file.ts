import { join } from 'node:path';
import type { Identity } from '../processes/identity.ts';
import { livesIn, type Snapshot } from '../processes/snapshot.ts';
import { removeIfThere, writeFileAtomically } from '../project/atomic-file.ts';
import { isOwnIdentity } from '../project/field-checks.ts';
import { folderProblem, type ProjectFolder, writableFolder } from '../project/folder.ts';
import { readJsonFields } from '../project/json-record.ts';
import { isBreach } from './check-breach.ts';
import type { Breach } from './evaluate.ts';

/** `.pids/breaches.json`: limits that are exceeded at this time, for `status`. There while there are any. */
export interface BreachRecord {
  /** The supervisor that has seen it: what another one said counts no longer. */
  readonly supervisor: Identity;
  /** `Breach` of services/limits.ts; not looked at here. */
  readonly breaches: readonly unknown[];
}

/** Null for none, and for what cannot be read: it is only said for people. Never throws. */
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

/** The limits that are exceeded at this time, as the supervisor sees it; none where there is no supervisor. */
export function currentBreaches(folder: ProjectFolder, snapshot: Snapshot): readonly Breach[] {
  const record = readBreachRecord(folder);
  if (!record || !livesIn(snapshot, record.supervisor)) return [];
  return record.breaches.filter(isBreach);
}
