import type { StaleRun } from '../ownership/claim.ts';
import { recordedNames } from '../project/place/places.ts';
import type { ProjectState } from './project-state.ts';

/** A record that names no process here, for people: why, and of which service. */
export interface StaleRecord {
  readonly service: string;
  readonly detail: string;
}

/**
 * Lists the records that name no process here: the process is no longer alive, or lives on another machine or in
 * another container. Records of other places are named, and nothing else is done with them.
 */
export function listStaleRecords(
  { folder }: Pick<ProjectState, 'folder'>,
  stale: readonly StaleRun[],
): readonly StaleRecord[] {
  const own = stale.map(({ run, detail }) => ({ service: run.service, detail }));
  const elsewhere = folder.standing.elsewhere.flatMap((pidsDir) =>
    recordedNames(pidsDir).map((service) => ({
      service,
      detail: `${pidsDir} was written on another machine or in another container; devctl leaves it alone`,
    })),
  );
  return [...own, ...elsewhere];
}
