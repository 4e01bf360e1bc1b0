import type { Claim } from '../ownership/claim.ts';
import type { Host } from '../processes/host.ts';
import { livesIn, type ProcessInfo, type Snapshot } from '../processes/snapshot.ts';
import type { ProjectFolder } from '../project/folder.ts';
import type { ServiceRecord } from '../project/service-record.ts';
import { type ClaimTracker, trackClaims } from './claim-tracker.ts';
import { type ProjectState, readProjectState } from './project-state.ts';

/** The records of a project and one snapshot of the process table, and what the one shows of the other. */
export interface ProjectLook {
  readonly state: ProjectState;
  readonly snapshot: Snapshot;
  /** Every process that is ours. */
  readonly claims: readonly Claim[];
  readonly latest: ReturnType<ClaimTracker['latest']>;
}

/**
 * Looks once at a project. Needs no supervisor, no valid manifest and no lock, and changes nothing.
 *
 * Each step of a command takes the look of the step before. A step that has waited, signalled or written
 * makes a new one.
 *
 * @param state the records, where they have just been read
 */
export async function lookAtProject(
  host: Pick<Host, 'snapshot' | 'self'>,
  folder: ProjectFolder,
  state = readProjectState(folder),
): Promise<ProjectLook> {
  const snapshot = await host.snapshot();
  const self = await host.self();
  const tracker = trackClaims({ state, self, names: new Set(), keepsCommands: false });
  const claims = [...tracker.claim(snapshot).values()].filter(
    ({ service, process }) => service !== null || !isExiting(process, snapshot),
  );
  return { state, snapshot, claims, latest: tracker.latest() };
}

/**
 * True while a process exits: its memory is gone, so its arguments and environment read as empty. The claims
 * leave it out, because an exiting supervisor looks like an orphan of the guard.
 */
function isExiting(process: ProcessInfo, { details }: Snapshot): boolean {
  const argv = details.argv(process) ?? [];
  // A process that is swapped out uses no memory either, but has arguments. `ps` prints the name in brackets
  // where there are none.
  return process.rssBytes === 0 && ['', `[${process.name}]`].includes(argv.join(' '));
}

/** Tells whether the process has outlived its run, or no run is left that it could belong to. */
export function isOrphan(
  claim: Pick<Claim, 'service' | 'runId'>,
  state: Pick<ProjectState, 'records'>,
  snapshot: Snapshot,
): boolean {
  // The process is below the supervisor and of no known service: it may belong to any service that runs.
  if (claim.service === null) {
    return !state.records.some((record) => livingLeader(record, snapshot) !== null);
  }
  const record = state.records.find(({ service }) => service === claim.service);
  if (!record) return true;
  if (claim.runId !== null && claim.runId !== record.runId) return true;
  return livingLeader(record, snapshot) === null && !isBeingStarted(record, snapshot);
}

/** True between the spawn of a run and the note of its leader. */
function isBeingStarted({ state, leader, supervisor }: ServiceRecord, snapshot: Snapshot): boolean {
  return state === 'starting' && leader === null && livesIn(snapshot, supervisor);
}

/** The leader of a run that is alive; null once it has ended. */
export function livingLeader(record: ServiceRecord, snapshot: Snapshot): ServiceRecord['leader'] {
  const { leader } = record;
  return leader && livesIn(snapshot, leader) ? leader : null;
}
