import type { RecordedElsewhere, Witnessed } from '../ownership/claim.ts';
import { type ProjectFolder, projectFolder } from '../project/folder.ts';
import { readLedgers } from '../project/ledger.ts';
import type { LedgerEntry } from '../project/ledger-lines.ts';
import { markOfPath, variantOf } from '../project/names.ts';
import { isOfFolder, recordsFoldersBeside } from '../project/place/beside.ts';
import { variantIn } from '../project/project-id.ts';
import { readFolderRecords } from '../project/records.ts';
import type { ServiceRecord } from '../project/service-record.ts';

/** The runs and processes that the other records folders of a project folder name. */
export interface RecordsBeside {
  /** The services of other manifests. */
  readonly others: readonly ServiceRecord[];
  /** The processes that other manifests have witnessed. */
  readonly othersSeen: readonly LedgerEntry[];
  /** The services that this manifest has recorded while it had another `pidsDir`. */
  readonly before: readonly ServiceRecord[];
  /** The processes that it has recorded or witnessed then. */
  readonly ours: readonly Witnessed[];
}

/** The records of one folder, whichever manifest has written them. */
export interface RecordsIn {
  readonly records: readonly ServiceRecord[];
  readonly ledger: readonly LedgerEntry[];
  /** True where the records are certain to be of the folder that is at this path now. */
  readonly isOfFolder: boolean;
}

/** Reads the other records folders of a project folder. Never throws, and changes nothing. */
export function readBeside(folder: ProjectFolder): RecordsBeside {
  const { root, manifestName } = folder;
  const read = recordsFoldersBeside(folder).map((pidsDir): RecordsIn => {
    // Read as if the folder had no id: then the records of every manifest are believed.
    const there = { ...projectFolder(root, pidsDir, manifestName), id: null };
    const { records } = readFolderRecords(there);
    return {
      records,
      ledger: readLedgers(there, []).entries,
      isOfFolder: isOfFolder(root, pidsDir),
    };
  });
  return sortByManifest(variantOf(manifestName), read);
}

/**
 * Tells the records of other manifests from those of the manifest with this variant. A ledger does not say of which
 * manifest it is, so the records beside it decide, and an entry without a run may be of either, so it counts as theirs.
 * Records without an id are of neither.
 */
export function sortByManifest(variant: string, folders: readonly RecordsIn[]): RecordsBeside {
  const sorted = folders.map(({ records, ledger, isOfFolder: isHere }) => {
    const named = records.filter(({ projectId }) => projectId !== undefined);
    const isOurs = ({ projectId = '' }: ServiceRecord): boolean => variantIn(projectId) === variant;
    const others = named.filter((record) => !isOurs(record));
    const ours = isHere ? named.filter(isOurs) : [];
    const isOf = (runs: readonly ServiceRecord[], { runId }: LedgerEntry): boolean =>
      runs.some((run) => run.runId === runId);
    const isNameless = (entry: LedgerEntry): boolean => !isOf(named, entry);
    const othersSeen = ledger.filter(
      (entry) => isOf(others, entry) || (others.length > 0 && isNameless(entry)),
    );
    const oursSeen = ledger.filter(
      (entry) => isOf(ours, entry) || (ours.length > 0 && others.length === 0 && isNameless(entry)),
    );
    return { others, othersSeen, before: ours, ours: [...ours.flatMap(asSeen), ...oursSeen] };
  });
  return {
    others: sorted.flatMap(({ others }) => others),
    othersSeen: sorted.flatMap(({ othersSeen }) => othersSeen),
    before: sorted.flatMap(({ before }) => before),
    ours: sorted.flatMap(({ ours }) => ours),
  };
}

/** The leader of a run, as a witness would have noted it: it leads a session and a group. */
function asSeen({ leader, service, runId, oneOff }: ServiceRecord): readonly Witnessed[] {
  if (!leader) return [];
  const leads = oneOff?.terminal ? {} : { pgid: leader.pid, sid: leader.pid };
  return [{ identity: leader, service, runId, ...leads }];
}

/** The processes that a record of another project names. */
export function namedBy(record: ServiceRecord): readonly RecordedElsewhere[] {
  const { leader, guard, supervisor, project, projectId = null } = record;
  const mark = markOfPath(project);
  return [leader, guard, supervisor].flatMap((identity) =>
    identity ? [{ mark, projectId, identity }] : [],
  );
}

/** The processes that other manifests of the folder have recorded or witnessed. */
export function namedByOthers({ others, othersSeen }: RecordsBeside): readonly RecordedElsewhere[] {
  const seen = othersSeen.flatMap(({ runId, identity }) => {
    const run = others.find((record) => record.runId === runId) ?? others[0];
    return run
      ? [{ mark: markOfPath(run.project), projectId: run.projectId ?? null, identity }]
      : [];
  });
  return [...others.flatMap(namedBy), ...seen];
}
