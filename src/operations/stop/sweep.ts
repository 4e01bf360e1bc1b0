import type { Claim, Spared } from '../../ownership/claim.ts';
import { ownedLookAlikes, type SweepRules } from '../../ownership/sweep.ts';
import { isoTime } from '../../processes/clock.ts';
import type { Host } from '../../processes/host.ts';
import { identityKey } from '../../processes/identity.ts';
import { livesIn, type Snapshot } from '../../processes/snapshot.ts';
import { declaredServices, type OpenProject, projectBelow } from '../../project/open-project.ts';
import { holdingFolder } from '../../project/place/hold-folder.ts';
import { runStop } from '../../stopping/engine.ts';
import { createStopHistory, type StopHistory } from '../../stopping/history.ts';
import { stopUntilNothingIsFound } from '../../stopping/passes.ts';
import type { SweepReport } from '../../stopping/report.ts';
import type { StopUnit } from '../../stopping/state.ts';
import { DEFAULT_GRACE_MS } from '../../stopping/waves.ts';
import {
  type ClaimTracker,
  type TrackedClaims,
  trackClaims,
} from '../../tracking/claim-tracker.ts';
import { openFilesReader } from '../../tracking/open-files.ts';
import { readProjectState } from '../../tracking/project-state.ts';
import { SWEPT, trackSweep } from '../../tracking/sweep-tracker.ts';
import { describeSpared, inWordsOfVeto, reportProcesses, reportSurvivors } from './build-report.ts';
import type { StopOptions } from './options.ts';

export interface SweepProjectOptions extends Pick<StopOptions, 'dryRun' | 'forced' | 'onScan'> {
  readonly rules: SweepRules;
}

/**
 * Sweeps a project: asks dev tools that work inside the project and belong to no service to end, until two looks in a
 * row find none.
 *
 * The sweep leaves services alone, running ones and their orphans, and neither needs nor changes records and lock.
 */
export function sweepProject(
  host: Host,
  project: OpenProject,
  options: SweepProjectOptions,
): Promise<SweepReport> {
  return holdingFolder(project.folder, (folder) =>
    sweepHeld(host, { ...project, folder }, options),
  );
}

async function sweepHeld(
  host: Host,
  project: OpenProject,
  options: SweepProjectOptions,
): Promise<SweepReport> {
  const beganAtMs = host.nowMs();
  const at = isoTime();
  const first = await lookBeforeSweep(host, project, options.rules);
  const { owned, swept, history, spared, snapshot } = first;
  const report = {
    version: 1,
    project: project.folder.root,
    at,
    scope: options.rules.scope,
  } as const;
  if (options.dryRun) {
    const planned = reportProcesses({ owned, swept, history, unended: [], beganAtMs });
    return {
      ...report,
      kind: 'sweep-dry-run',
      tookMs: Math.round(host.nowMs() - beganAtMs),
      processes: planned.map((process) => ({ ...process, signals: [UNIT.signal] })),
      survivors: [],
      spared: describeLookAlikes(spared, snapshot),
      scans: 1,
    };
  }

  const unended = await endLookAlikes(host, first, options);
  const after = await host.snapshot();
  history.recordGone(after, host.nowMs());
  const outcome = { owned, swept, history, unended, beganAtMs };
  const processes = reportProcesses(outcome);
  return {
    ...report,
    kind: 'sweep',
    tookMs: Math.round(host.nowMs() - beganAtMs),
    processes,
    survivors: reportSurvivors(outcome, processes),
    spared: describeLookAlikes([...spared, ...swept.latest().spared], after),
    scans: history.scans(),
  };
}

interface SweepLook {
  readonly owned: ClaimTracker;
  readonly swept: TrackedClaims;
  readonly history: StopHistory;
  readonly snapshot: Snapshot;
  /** The look-alikes that the sweep leaves alone, those of services among them. */
  readonly spared: readonly Spared[];
}

async function lookBeforeSweep(
  host: Host,
  project: OpenProject,
  configured: SweepRules,
): Promise<SweepLook> {
  const { folder } = project;
  const rules: SweepRules = {
    ...configured,
    projectBelow: (cwd) => projectBelow(folder.root, cwd),
  };
  const state = readProjectState(folder);
  const readOpenFiles = openFilesReader(state, declaredServices(project), true);
  const self = await host.self();
  const tracking = { state, self, names: new Set<string>() };
  const owned = trackClaims({ ...tracking, readOpenFiles });
  const swept = trackSweep(tracking, rules, owned);
  const history = createStopHistory();
  const snapshot = await host.snapshot();
  const claims = [...(await owned.deepScan(snapshot)).values()];
  history.recordLiving(swept.claim(snapshot));
  const spared = [...swept.latest().spared, ...ownedLookAlikes(claims, snapshot, rules)];
  return { owned, swept, history, snapshot, spared };
}

/** @returns the look-alikes that are replaced faster than they can be ended */
async function endLookAlikes(
  host: Host,
  { history, swept }: SweepLook,
  { forced, onScan }: SweepProjectOptions,
): Promise<readonly Claim[]> {
  const run = {
    host,
    history,
    source: swept,
    units: [UNIT],
    policy: { force: false },
    forced,
    onScan,
    runCommand: async () => {},
  };
  const { unended } = await stopUntilNothingIsFound(run, await runStop(run), null);
  return unended;
}

const UNIT: StopUnit = {
  name: SWEPT,
  wave: 0,
  leader: null,
  signal: 'SIGTERM',
  graceMs: DEFAULT_GRACE_MS,
  hasCommand: false,
};

/** The living processes among these, each once, in order of pid. */
function describeLookAlikes(all: readonly Spared[], snapshot: Snapshot): SweepReport['spared'] {
  const unique = new Map(all.map((spared) => [identityKey(spared.process.identity), spared]));
  return [...unique.values()]
    .filter(({ process }) => livesIn(snapshot, process.identity))
    .sort((a, b) => a.process.identity.pid - b.process.identity.pid)
    .map((spared) => ({
      ...describeSpared(spared, snapshot),
      why: inWordsOfVeto(spared.veto.detail),
    }));
}
