import type { Spared } from '../../ownership/claim.ts';
import { ownedLookAlikes, type SweepRules } from '../../ownership/sweep.ts';
import { isoTime } from '../../processes/clock.ts';
import type { Host } from '../../processes/host.ts';
import { identityKey } from '../../processes/identity.ts';
import { livesIn, type Snapshot } from '../../processes/snapshot.ts';
import { declaredServices, type OpenProject, projectBelow } from '../../project/open-project.ts';
import { runStop } from '../../stopping/engine.ts';
import { createStopHistory } from '../../stopping/history.ts';
import { stopUntilNothingIsFound } from '../../stopping/passes.ts';
import type { SweepReport } from '../../stopping/report.ts';
import type { StopUnit } from '../../stopping/state.ts';
import { DEFAULT_GRACE_MS } from '../../stopping/waves.ts';
import { trackClaims } from '../../tracking/claim-tracker.ts';
import { openFilesReader } from '../../tracking/open-files.ts';
import { readProjectState } from '../../tracking/project-state.ts';
import { SWEPT, trackSweep } from '../../tracking/sweep-tracker.ts';
import { describeSpared, reportProcesses, reportSurvivors } from './build-report.ts';
import type { StopOptions } from './options.ts';

export interface SweepProjectOptions extends Pick<StopOptions, 'dryRun' | 'forced' | 'watch'> {
  readonly rules: SweepRules;
}

/**
 * The sweep alone: ends dev tools that work inside the project and belong to no service, politely, and
 * until two looks in a row find none.
 *
 * Services are left alone, whether they run or have left something behind, and so are records and lock:
 * it neither needs nor changes them.
 */
export async function sweepProject(
  host: Host,
  project: OpenProject,
  options: SweepProjectOptions,
): Promise<SweepReport> {
  const { folder } = project;
  const beganAtMs = host.nowMs();
  const at = isoTime();
  const rules: SweepRules = {
    ...options.rules,
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
  const ours = [...(await owned.deepScan(snapshot)).values()];
  history.recordLiving(swept.claim(snapshot));
  const before = [...swept.latest().spared, ...ownedLookAlikes(ours, snapshot, rules)];
  const report = {
    version: 1,
    project: folder.root,
    at,
    scope: rules.scope,
  } as const;
  if (options.dryRun) {
    const planned = reportProcesses({ owned, swept, history, unended: [], beganAtMs });
    return {
      ...report,
      kind: 'sweep-dry-run',
      tookMs: Math.round(host.nowMs() - beganAtMs),
      processes: planned.map((one) => ({ ...one, signals: [UNIT.signal] })),
      survivors: [],
      spared: describeLookAlikes(before, snapshot),
      scans: 1,
    };
  }

  const run = {
    host,
    history,
    source: swept,
    units: [UNIT],
    policy: { force: false },
    forced: options.forced,
    onScan: options.watch,
    runCommand: async () => {},
  };
  const { unended } = await stopUntilNothingIsFound(run, await runStop(run), null);
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
    spared: describeLookAlikes([...before, ...swept.latest().spared], after),
    scans: history.scans(),
  };
}

const UNIT: StopUnit = {
  name: SWEPT,
  wave: 0,
  leader: null,
  signal: 'SIGTERM',
  graceMs: DEFAULT_GRACE_MS,
  hasCommand: false,
};

/** Each of them once, and only those that are still there to be spared. */
function describeLookAlikes(all: readonly Spared[], snapshot: Snapshot): SweepReport['spared'] {
  const each = new Map(all.map((one) => [identityKey(one.process.identity), one]));
  return [...each.values()]
    .filter(({ process }) => livesIn(snapshot, process.identity))
    .sort((a, b) => a.process.identity.pid - b.process.identity.pid)
    .map((one) => ({ ...describeSpared(one, snapshot), why: whyOf(one.veto) }));
}

/** Of a veto from a cookie the detail is the cookie itself. */
function whyOf({ detail }: Spared['veto']): string {
  return /^DEVCTL_\w+=/.test(detail) ? `carries the mark of another project (${detail})` : detail;
}
