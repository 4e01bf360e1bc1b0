/*
 * The files of this folder, which holds what outlives a command:
 *
 *   folder             the folders of a project
 *   names              the names that follow from its path: marks, sockets, control groups
 *   project-id         the two parts of its id
 *   records-folder     the records folder: made, and checked before use
 *   recorded-project   the project that a record speaks of
 *   place/             where the project is, and whether it is the one that the records speak of
 *   open-project       finds the project that is meant, with or without a valid manifest
 *   without-manifest   what shows that a folder is a project: records, and living processes with its mark
 *   select-names       the services that names on a command line mean
 *   service-record     the record of one run, `services/NAME.json`: its fields
 *   new-record         makes the record of a run that is about to be spawned
 *   definition-hash    keyed hashes of what a service was started with, to notice that the manifest has changed
 *   records            reads, writes and removes service records
 *   record-checks      checks the fields of a service record
 *   field-checks       checks single values that were read from disk
 *   supervisor-record  the record of the supervisor, `supervisor.json`
 *   last-stop          the report of the last stop, `last-stop.json`
 *   ledger             witnessed identities, `ledger/NAME`: appended, read, compacted
 *   ledger-lines       the text of a ledger
 *   legacy-files       `services.pids` and its companions, for old scripts
 *   legacy-lines       the text of these files
 *   legacy-marks       which of their lines devctl wrote itself, `founding.json`
 *   json-record        reads a JSON file as a record or as a problem
 *   record-problem     a file that devctl does not obey, and why
 *   set-aside          renames such a file, so that it is not in the way
 *   atomic-file        replaces a file at once, and removes files
 *   safe-file          reads only files of our own user, through no link
 *   kept-reads         what was read from files that have not changed since
 *   safe-folder        makes and checks folders in the same way
 *   socket-path        where the supervisor listens
 *   inside             whether a path lies in a folder, and which folders are around it
 */
import { basename, resolve } from 'node:path';
import { NO_PROTECTION, type ProtectionSettings } from '../manifest/resolved.ts';
import { markOfPath, markOfRealPath, realPath, USUAL_MANIFEST, variantOf } from './names.ts';
import { type FolderIdentity, identityOf } from './place/folder-identity.ts';
import { rebasePath } from './place/rebase-path.ts';
import { type FolderStanding, readStanding } from './place/standing.ts';

/** Where a project keeps the files that outlive a command. */
export interface ProjectFolder {
  /** Real path of the project folder. */
  readonly root: string;
  /** Absolute path of the records folder, `.pids` by default. */
  readonly pidsDir: string;
  /** The value of DEVCTL_PROJECT in the environment of everything that the project starts. */
  readonly mark: string;
  /** Values of that variable that may stand for this project: of its path, and of the paths that it had before. */
  readonly marks: readonly string[];
  /** The real path of the folder, and the paths that it had before. */
  readonly paths: readonly string[];
  /**
   * The id that travels with the folder, in DEVCTL_PROJECT_ID and in every record. Another manifest than
   * `.devctl.json` in the same folder has an id of its own. Null: none is proved, so the path decides.
   */
  readonly id: string | null;
  /** The file name of the manifest. */
  readonly manifestName: string;
  /** The protection that the manifest asks for now, as far as it was read. */
  readonly protection: ProtectionSettings;
  /** How the folder stands to the records in it. */
  readonly standing: FolderStanding;
  /** True where the folder was removed and another project has its path by now: nothing in the folder is ours. */
  readonly isReplaced?: boolean;
  /** The identity that the folder had when the project was found; null: it could not be looked at. */
  readonly identity: FolderIdentity | null;
  /**
   * Set while a command is at work: makes sure that the folder is still at its path. Each look that claims processes,
   * and each write or removal of records, calls it.
   *
   * @throws DevctlError 'folder-moved'
   */
  requireHere?(): void;
  /**
   * Set for the supervisor, which writes without being asked, and makes no folder.
   *
   * @throws DevctlError 'records-unwritable' where nothing may be written now
   */
  requireWritable?(): void;
}

/**
 * Names the folders of a project. Creates nothing.
 *
 * @param pidsDir absolute, or relative to the root
 * @param manifest the manifest, whose name tells the projects of one folder apart
 */
export function projectFolder(
  root: string,
  pidsDir = '.pids',
  manifest = USUAL_MANIFEST,
): ProjectFolder {
  const real = realPath(root);
  const standing = readStanding(real, resolve(real, pidsDir));
  const paths = [real, ...standing.formerPaths];
  return {
    root: real,
    pidsDir: standing.pidsDir,
    mark: markOfPath(real),
    marks: paths.map(markOfRealPath),
    paths,
    id: standing.id && `${standing.id}${variantOf(basename(manifest))}`,
    manifestName: basename(manifest),
    protection: NO_PROTECTION,
    standing,
    identity: identityOf(real),
  };
}

/** Names the folders of the project of a manifest. */
export function folderOfManifest(manifest: {
  readonly root: string;
  readonly pidsDir: string;
  readonly file: string;
  readonly protection: ProtectionSettings;
}): ProjectFolder {
  const { root, pidsDir, file, protection } = manifest;
  return { ...projectFolder(root, pidsDir, file), protection };
}

/**
 * The folder of the logs. By default it is in the records folder, and follows where those of this place are kept.
 *
 * @param manifest with absolute paths
 */
export function logsFolderOf(
  { pidsDir }: Pick<ProjectFolder, 'pidsDir'>,
  manifest: { readonly pidsDir: string; readonly logsDir: string },
): string {
  return rebasePath(manifest.logsDir, manifest.pidsDir, pidsDir);
}
