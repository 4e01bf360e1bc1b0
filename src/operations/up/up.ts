import { randomBytes } from 'node:crypto';
import { setTimeout as pass } from 'node:timers/promises';
import type { ForegroundHold, SupervisorClient } from '../../client/client.ts';
import { DevctlError } from '../../errors.ts';
import type { ResolvedManifest } from '../../manifest/resolved.ts';
import type { Host } from '../../processes/host.ts';
import { declaredServices, type OpenProject } from '../../project/open-project.ts';
import type { StopReport } from '../../stopping/report.ts';
import { type StartResult, startProject } from '../start/start.ts';
import { stopOptions } from '../stop/options.ts';
import { stopServices } from '../stop/stop.ts';
import { sweepSettingsOf } from '../stop/sweep-rules.ts';
import type { UpOptions } from './options.ts';
import { endScope, runningNames } from './scope.ts';
import type { UpVerdict } from './verdict.ts';
import { watchUp } from './watch.ts';

export interface UpResult {
  readonly verdict: UpVerdict;
  readonly report: StopReport;
}

/** How long an end waits for a start that is under way to drop what it has not spawned. */
const ABORT_MS = 500;
const RELEASE_MS = 1_000;

/**
 * Starts services, keeps them for as long as this process lives, and stops them with proof. Should this process
 * be killed, the supervisor does.
 *
 * @throws DevctlError as `startProject` and `stopProject`
 */
export async function upProject(
  host: Host,
  project: OpenProject,
  manifest: ResolvedManifest,
  options: UpOptions,
): Promise<UpResult> {
  const { folder } = project;
  const { names } = options;
  const before = await runningNames(host, project);
  const ours = options.everything
    ? null
    : names.filter((name) => options.named.includes(name) || !before.has(name));
  const watch = watchUp({ host, folder, manifest, options });
  let client: SupervisorClient | null = null;
  let hold: ForegroundHold | null = null;

  const reached = async (found: SupervisorClient): Promise<void> => {
    if (watch.verdict()) throw new Given();
    client = found;
    hold = await found.hold(
      {
        id: randomBytes(8).toString('hex'),
        names: ours,
        force: false,
        graceMs: null,
        sweep: sweepSettingsOf(project, false),
        declared: declaredServices(project),
      },
      watch.hear,
    );
    void hold.over.then(() => {
      if (!watch.verdict()) void lost();
    });
  };
  const start = (wanted: readonly string[]): Promise<StartResult> =>
    startProject(host, folder, manifest, {
      names: wanted,
      abortOnFailure: false,
      env: options.env,
      listen: watch.hearStart,
      warn: options.warn,
      reached,
    });

  /** The supervisor has ended: by a stop of everything, or it was killed and services live on. */
  const lost = async (): Promise<void> => {
    await watch.whenIdle();
    const running = await runningNames(host, project);
    const alive = names.filter((name) => running.has(name));
    if (watch.verdict()) return;
    if (alive.length === 0) {
      watch.conclude({ why: 'everything was stopped by another devctl', code: 0 });
      return;
    }
    options.warn('the supervisor has ended');
    try {
      const { services } = await start(alive);
      options.warn('a new supervisor has taken over what runs');
      watch.noteStarted(services);
    } catch (error) {
      if (error instanceof Given) return;
      options.warn(error instanceof Error ? error.message : String(error));
      watch.conclude({ why: 'no supervisor can be had', code: 1 });
    }
  };

  const starting = start(names);
  const finished = starting.then(
    (result) => {
      if (!watch.verdict()) options.started(result);
      watch.noteBegun(result.services);
    },
    (error: unknown) => {
      // What it has begun is stopped below, and then its failure told.
      if (!watch.verdict()) throw error;
    },
  );
  let failure: unknown = null;
  await Promise.race([watch.ended, finished.then(() => watch.ended)]).catch((error: unknown) => {
    failure = error;
  });
  // What it has spawned is known only when it has let go.
  for (let settled = false; !settled && failure === null; ) {
    await (client as SupervisorClient | null)?.abortStarts(ABORT_MS);
    settled = await Promise.race([
      finished.then(
        () => true,
        () => true,
      ),
      pass(ABORT_MS / 5, false),
    ]);
  }
  if (failure !== null && hold === null) throw failure;
  const reason = watch.verdict();
  options.ending(reason?.why ?? 'the start has failed');
  const { sweep, scope } = endScope(project, ours);
  const { forced, watch: onScan } = options;
  const declared = declaredServices(project);
  const report = await stopServices(host, folder, {
    ...stopOptions({ names: scope, declared, forced, onScan: onScan }),
    sweep,
  });
  await (hold as ForegroundHold | null)?.release(RELEASE_MS);
  if (failure !== null) throw failure;
  if (!reason) throw new Error('an up ends with a reason');
  return { verdict: reason, report };
}

/** It was to end before anything was spawned. */
class Given extends DevctlError {
  constructor() {
    super('start-failed', 'it was interrupted before anything was started');
  }
}
