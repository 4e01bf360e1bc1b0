import { readDefinitions } from '../../manifest/definition.ts';
import type { Definition, ResolvedManifest } from '../../manifest/resolved.ts';
import type { Snapshot } from '../../processes/snapshot.ts';
import { changedKeys, readDefinitionKey } from '../../project/definition-hash.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import type { OpenProject } from '../../project/open-project.ts';
import { isDone, isRestarting, type ServiceRecord } from '../../project/service-record.ts';
import { livingLeader } from '../../tracking/look.ts';

/**
 * The manifest keys that have changed since the run of a service began, by service; null where that cannot
 * be known. A service that the next start begins anew in any case is missing.
 */
export type Changes = ReadonlyMap<string, readonly string[] | null>;

type Look = {
  readonly state: { readonly records: readonly ServiceRecord[] };
  readonly snapshot: Snapshot;
};

/** Compares what runs with the manifest as it is on disk. It need not be valid. */
export function readChanges(look: Look, { folder, outline }: OpenProject): Changes {
  const records = recordsInUse(look);
  const isComparable = records.some(({ definition }) => definition !== undefined);
  if (!isComparable || outline.kind === 'absent')
    return new Map(records.map(({ service }) => [service, null]));
  const services = records.map(({ service }) => service);
  const definitions = readDefinitions(outline, services);
  return compare(folder, records, (service) => definitions.get(service) ?? null);
}

/** Compares what runs with a manifest that was loaded. A service that it does not name any more is missing. */
export function changesIn(
  look: Look,
  folder: ProjectFolder,
  { definitions, services }: Pick<ResolvedManifest, 'definitions' | 'services'>,
): Changes {
  const records = recordsInUse(look).filter(({ service }) => Object.hasOwn(services, service));
  return compare(folder, records, (service) => definitions[service] ?? null);
}

/** The records of services that a start leaves as they are: they run, are about to be restarted, or are done. */
function recordsInUse({ state, snapshot }: Look): readonly ServiceRecord[] {
  return state.records.filter(
    (record) =>
      !record.oneOff && (livingLeader(record, snapshot) || isDone(record) || isRestarting(record)),
  );
}

function compare(
  folder: ProjectFolder,
  records: readonly ServiceRecord[],
  definitionOf: (service: string) => Definition | null,
): Changes {
  const key = readDefinitionKey(folder);
  return new Map(
    records.map(({ service, definition }) => [
      service,
      changedKeys(service, definition, definitionOf(service), key),
    ]),
  );
}
