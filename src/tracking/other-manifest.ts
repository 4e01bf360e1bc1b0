import { readCookie } from '../ownership/cookie.ts';
import type { Identity } from '../processes/identity.ts';
import { isGone, livesIn, type Snapshot } from '../processes/snapshot.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { findManifestName, variantOf } from '../project/names.ts';
import { heldElsewhere } from '../project/place/holders.ts';
import { folderIdOf, variantIn } from '../project/project-id.ts';
import { isOfOtherManifest } from '../project/recorded-project.ts';
import { readFolderRecords } from '../project/records.ts';
import { readSupervisor } from '../project/supervisor-record.ts';
import { readBeside } from './beside.ts';

/** A project of another manifest in the same folder. */
export interface OtherManifest {
  readonly id: string;
  /** The file name of that manifest; null where it is gone. */
  readonly manifest: string | null;
}

/** Finds another manifest of this folder that has records here, whether anything of it lives or not. */
export function recordedOtherManifest(folder: ProjectFolder): OtherManifest | null {
  const id = readFolderRecords(folder).others[0]?.projectId;
  return id === undefined ? null : named(folder, id);
}

/**
 * Finds another manifest of this folder of which something runs. Both have the mark and the socket of the folder, and
 * mostly the records too, so only one of them can run.
 */
export function runningOtherManifest(
  folder: ProjectFolder,
  snapshot: Snapshot,
): (OtherManifest & { readonly pid: number }) | null {
  for (const { id, identity } of [...recorded(folder), ...marked(folder, snapshot)]) {
    if (livesIn(snapshot, identity)) return { ...named(folder, id), pid: identity.pid };
  }
  return null;
}

interface Named {
  readonly id: string;
  readonly identity: Identity;
}

/** The processes that the records of another manifest name. */
function recorded(folder: ProjectFolder): readonly Named[] {
  const all = [...readFolderRecords(folder).others, ...readBeside(folder).others];
  const others = all.flatMap(({ projectId, leader, supervisor }) =>
    [leader, supervisor].flatMap((identity) =>
      identity && projectId ? [{ id: projectId, identity }] : [],
    ),
  );
  // Read as if the folder had no id: then the record of every manifest of the folder is believed.
  const read = readSupervisor({ ...folder, id: null });
  if (read.kind !== 'record' || !isOfOtherManifest(folder, read.record)) return others;
  const { identity, projectId = '' } = read.record;
  return [...others, { id: projectId, identity }];
}

/** The processes with the mark of this folder and the id of another manifest, wherever its records are. */
function* marked(folder: ProjectFolder, { byPid, details }: Snapshot): Generator<Named> {
  const variant = variantOf(folder.manifestName);
  for (const process of byPid.values()) {
    if (isGone(process) || process.kernelThread) continue;
    const { projects, projectId } = readCookie(details.environ(process) ?? '') ?? {};
    if (!projectId || projects?.length !== 1 || projects[0] !== folder.mark) continue;
    if (variantIn(projectId) === variant) continue;
    if (heldElsewhere(folderIdOf(projectId), folder.root)) continue;
    yield { id: projectId, identity: process.identity };
  }
}

function named({ root }: ProjectFolder, id: string): OtherManifest {
  return { id, manifest: findManifestName(root, variantIn(id)) };
}
