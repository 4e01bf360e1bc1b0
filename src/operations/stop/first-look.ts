import type { Claim, Ownership } from '../../ownership/claim.ts';
import type { Host } from '../../processes/host.ts';
import { settledSnapshot } from '../../processes/settled-snapshot.ts';
import type { Snapshot } from '../../processes/snapshot.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import { trackClaims } from '../../tracking/claim-tracker.ts';
import { type ProjectState, readProjectState } from '../../tracking/project-state.ts';
import { trackSweep } from '../../tracking/sweep-tracker.ts';
import type { StopHeader } from './options.ts';

/** The first look of a stop: all processes that it is to end. */
export interface FirstLook {
  readonly state: ProjectState;
  readonly snapshot: Snapshot;
  readonly claims: readonly Claim[];
  /** The processes that only the sweep claims. */
  readonly swept: readonly Claim[];
  readonly supervisors: Ownership['supervisors'];
  readonly guards: Ownership['guards'];
  readonly oneOffParents: Ownership['oneOffParents'];
  readonly spared: Ownership['spared'];
  readonly stale: Ownership['stale'];
  /** The number of processes to end, supervisors and guards included. */
  readonly found: number;
}

/** Reads the records and takes a snapshot in which no process is in the middle of execve(2). */
export async function readForStop(
  host: Host,
  folder: ProjectFolder,
  exempt: readonly string[] = [],
): Promise<Pick<FirstLook, 'state' | 'snapshot'>> {
  const state = readProjectState(folder, exempt);
  return { state, snapshot: await settledSnapshot(host) };
}

/** Finds all processes that a stop with these options would end. */
export async function lookBeforeStop(
  state: ProjectState,
  snapshot: Snapshot,
  { options, self }: Pick<StopHeader, 'options' | 'self'>,
): Promise<FirstLook> {
  const names = new Set(options.names ?? state.records.map(({ service }) => service));
  const readOpenFiles = options.force
    ? (await import('../../tracking/open-files.ts')).openFilesReader(state, options.declared, true)
    : null;
  const tracking = {
    state,
    self,
    names,
    protects: !options.unprotected,
    keepsCommands: false,
    ...(options.names === null ? {} : { wanted: names }),
    ...(readOpenFiles ? { readOpenFiles } : {}),
  };
  const owned = trackClaims(tracking);
  const claimed = readOpenFiles ? await owned.deepScan(snapshot) : owned.claim(snapshot);
  const all = [...claimed.values()];
  const claims =
    options.names === null ? all : all.filter((claim) => names.has(claim.service ?? ''));
  const swept =
    options.names === null && options.sweep ? trackSweep(tracking, options.sweep, owned) : null;
  const sweepClaims = [...(swept?.claim(snapshot).values() ?? [])].filter(
    ({ process }) => !all.some((claim) => claim.process === process),
  );
  const { supervisors, guards, oneOffParents, spared, stale } = owned.latest();
  return {
    state,
    snapshot,
    claims,
    swept: sweepClaims,
    supervisors,
    guards,
    oneOffParents,
    stale,
    spared: [...spared, ...(swept?.latest().spared ?? [])],
    found: claims.length + sweepClaims.length + supervisors.length + guards.length,
  };
}
