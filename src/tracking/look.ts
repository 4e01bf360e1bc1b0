import type { Claim } from '../ownership/claim.ts';
import type { Host } from '../processes/host.ts';
import { livesIn, type ProcessInfo, type Snapshot } from '../processes/snapshot.ts';
import type { ProjectFolder } from '../project/folder.ts';
import type { ServiceRecord } from '../project/service-record.ts';
import { type ClaimTracker, trackClaims } from './claim-tracker.ts';
import { type ProjectState, readProjectState } from './project-state.ts';

/** What the records say, and what one look at the process table shows of it. */
export interface ProjectLook {
  readonly state: ProjectState;
  readonly snapshot: Snapshot;
  /** Everything that is ours. */
  readonly claims: readonly Claim[];
  readonly latest: ReturnType<ClaimTracker['latest']>;
}

/** Needs no supervisor, no valid manifest and no lock, and changes nothing. */
export async function lookAtProject(
  host: Pick<Host, 'snapshot' | 'self'>,
  folder: ProjectFolder,
): Promise<ProjectLook> {
  const state = readProjectState(folder);
  const snapshot = await host.snapshot();
  const self = await host.self();
  const names = new Set(state.records.map(({ service }) => service));
  const tracker = trackClaims({ state, self, names });
  const claims = [...tracker.claim(snapshot).values()].filter(
    ({ service, process }) => service !== null || !isExiting(process, snapshot),
  );
  return { state, snapshot, claims, latest: tracker.latest() };
}

/**
 * Has it given back its memory, and with it arguments and environment? It may be the supervisor, which nothing
 * tells from an orphan below the guard any more; in a moment it is gone.
 */
function isExiting(process: ProcessInfo, { details }: Snapshot): boolean {
  const argv = details.argv(process) ?? [];
  // What is swapped out has no memory either, but arguments. `ps` puts the name where there are none.
  return process.rssBytes === 0 && ['', `[${process.name}]`].includes(argv.join(' '));
}

/** Has it outlived its run, or is there nothing left that it could belong to? */
export function isOrphan(claim: Claim, state: ProjectState, snapshot: Snapshot): boolean {
  // Below the supervisor, of no known service: as long as a service runs it may well be part of it.
  if (claim.service === null) {
    return !state.records.some((record) => livingLeader(record, snapshot) !== null);
  }
  const record = state.records.find(({ service }) => service === claim.service);
  if (!record) return true;
  if (claim.runId !== null && claim.runId !== record.runId) return true;
  return livingLeader(record, snapshot) === null;
}

/** Null: it has ended. */
export function livingLeader(record: ServiceRecord, snapshot: Snapshot): ServiceRecord['leader'] {
  const { leader } = record;
  return leader && livesIn(snapshot, leader) ? leader : null;
}
