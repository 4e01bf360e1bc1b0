import type { Claim } from '../ownership/claim.ts';
import type { SweepRules } from '../ownership/sweep.ts';
import type { Host } from '../processes/host.ts';
import type { Identity } from '../processes/identity.ts';
import type { ProcessInfo, Snapshot } from '../processes/snapshot.ts';
import type { ProjectFolder } from '../project/folder.ts';
import type { StopReport } from '../stopping/report.ts';
import { planDryRun } from './dry-run.ts';
import { endSupervisors } from './end-supervisors.ts';
import { findSupervisor } from './ensure.ts';
import { finishStop } from './finish-stop.ts';
import { isBlank, type ProjectState, readProjectState } from './project-state.ts';
import { trackOwned, trackSwept } from './quarry.ts';
import { type StopContext, type StopOutcome, stopRuns } from './stop-runs.ts';
import { takeLockToStop } from './take-lock.ts';

export interface StopOptions {
  /** Service names; null: the whole project, its supervisor, and the sweep. */
  readonly names: readonly string[] | null;
  readonly force: boolean;
  readonly dryRun: boolean;
  /** Overrides every service's own grace period, in ms. */
  readonly graceMs: number | null;
  /** Null: no sweep. */
  readonly sweep: SweepRules | null;
  readonly forced: () => boolean;
  readonly watch: (living: readonly Claim[]) => void;
}

/** How long a supervisor may take to stand down before the stop goes on without it. */
const STAND_DOWN_MS = 500;
const FORCE_GRACE_MS = 500;

/**
 * Stops services, or the whole project, and proves that nothing of them is left.
 *
 * @throws DevctlError 'locked' when another command is at work and this one may not break in
 */
export async function stopProject(
  host: Host,
  folder: ProjectFolder,
  options: StopOptions,
): Promise<StopReport> {
  const self = await host.self();
  const startedAt = new Date();
  const beganAtMs = host.nowMs();
  const before = readProjectState(folder);
  const first = await look(host, before, self, options);
  const header = { folder, options, startedAt, beganAtMs, self };
  if (options.dryRun) return planDryRun(header, before, first);
  if (isBlank(before) && first.found === 0) return finishStop(host, header, before, null, first);

  const problems: string[] = [];
  const lock = await takeLockToStop({
    host,
    folder,
    self,
    force: options.force,
    snapshot: first.snapshot,
    supervisors: first.supervisors,
    warn: (problem) => problems.push(problem),
  });
  try {
    // Only now: the holder of the lock may have started something, a supervisor even.
    const second = await look(host, readProjectState(folder), self, options);
    const resume = await standDown(host, folder, options, self, second.supervisors);
    try {
      const state = readProjectState(folder);
      const outcome = await stopAndVerify({ host, self, state, ...options }, options);
      const told = { ...outcome, problems: [...problems, ...outcome.problems] };
      return await finishStop(host, header, state, told, second);
    } finally {
      resume?.();
    }
  } finally {
    lock?.release();
  }
}

/**
 * Stops, ends the supervisor where everything is to be stopped, and looks again: what a supervisor
 * held could not hide while it lived, but it may have been spawning something when it was found.
 */
async function stopAndVerify(context: StopContext, options: StopOptions): Promise<StopOutcome> {
  const { names, force } = options;
  const graceMs = options.graceMs ?? (force ? FORCE_GRACE_MS : null);
  const sweep = names === null ? options.sweep : null;
  const outcome = await stopRuns(context, { names, force, graceMs, sweep });
  if (names !== null) return outcome;
  const { host, self } = context;
  await endSupervisors(host, outcome.owned.latest().supervisors, self);
  if (outcome.owned.claim(await host.snapshot()).size === 0) return outcome;
  const state = readProjectState(context.state.folder);
  const again = { ...context, state, history: outcome.history };
  return stopRuns(again, { names, force, graceMs, sweep: null });
}

/** What the first look at the machine saw. */
export interface FirstLook {
  readonly snapshot: Snapshot;
  readonly claims: readonly Claim[];
  readonly swept: readonly Claim[];
  readonly supervisors: ReturnType<ReturnType<typeof trackOwned>['latest']>['supervisors'];
  readonly spared: ReturnType<ReturnType<typeof trackOwned>['latest']>['spared'];
  readonly stale: ReturnType<ReturnType<typeof trackOwned>['latest']>['stale'];
  readonly commands: ReadonlyMap<number, string>;
  /** How many processes there are to be stopped, supervisors included. */
  readonly found: number;
}

async function look(
  host: Host,
  state: ProjectState,
  self: Identity,
  options: StopOptions,
): Promise<FirstLook> {
  const snapshot = await host.snapshot();
  const names = new Set(options.names ?? state.records.map(({ service }) => service));
  const tracking = { state, self, names, remember: () => {} };
  const owned = trackOwned(tracking);
  const all = [...owned.claim(snapshot).values()];
  const claims =
    options.names === null ? all : all.filter((claim) => names.has(claim.service ?? ''));
  const swept =
    options.names === null && options.sweep ? trackSwept(tracking, options.sweep) : null;
  const sweepClaims = [...(swept?.claim(snapshot).values() ?? [])].filter(
    ({ process }) => !all.some((claim) => claim.process === process),
  );
  const { supervisors, spared, stale } = owned.latest();
  return {
    snapshot,
    claims,
    swept: sweepClaims,
    supervisors,
    stale,
    spared: [...spared, ...(swept?.latest().spared ?? [])],
    commands: new Map([...(swept?.commands ?? []), ...owned.commands]),
    found: claims.length + sweepClaims.length + supervisors.length,
  };
}

/**
 * Keeps the supervisor from interfering. One that does not answer is frozen when everything is to be
 * stopped: as a subreaper it still holds every orphan below it, and it is ended last.
 */
async function standDown(
  host: Host,
  folder: ProjectFolder,
  { names }: StopOptions,
  self: Identity,
  supervisors: readonly ProcessInfo[],
): Promise<(() => void) | null> {
  const others = supervisors.filter(({ identity }) => identity.pid !== self.pid);
  if (others.length === 0) return null;
  const recorded = readProjectState(folder).supervisor?.socket ?? null;
  const found = await findSupervisor(folder, recorded, STAND_DOWN_MS);
  const resume = (await found?.client.standDown({ names }, STAND_DOWN_MS)) ?? null;
  if (!resume && names === null) {
    for (const { identity } of others) await host.signal(identity, 'SIGSTOP');
  }
  return resume;
}
