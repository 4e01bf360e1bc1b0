import { takeLockToStart } from '../../lock/for-start.ts';
import { requireReadableEnvFiles } from '../../manifest/env-file.ts';
import type { ResolvedManifest } from '../../manifest/resolved.ts';
import { type Choices, choicesOf, selectForStart } from '../../manifest/select.ts';
import type { Host } from '../../processes/host.ts';
import type { Snapshot } from '../../processes/snapshot.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import { isEndedTask } from '../../project/service-record.ts';
import type { StopReport } from '../../stopping/report.ts';
import { findEnclosingRun } from '../../tracking/enclosing-run.ts';
import { type ProjectState, readProjectState } from '../../tracking/project-state.ts';
import { type Changes, changesIn } from '../status/changes.ts';
import { stopHeader, stopOptions } from '../stop/options.ts';
import { stopLocked } from '../stop/stop-locked.ts';
import { stopIfLeaseEnded } from './lease.ts';
import { endedForGood, insideService, type RestartOptions, withDependents } from './restart.ts';
import type { StartResult } from './result.ts';
import { requireUsableCompose, type StartOptions, startLocked } from './start.ts';
import { requireTerminals } from './terminals.ts';

/** The steps that bring the running services in line with the manifest. Each list is in the order of the manifest. */
export interface ApplyPlan {
  readonly restart: readonly PlannedRestart[];
  readonly start: readonly string[];
  /** Services that this manifest has started and names no more. */
  readonly stop: readonly string[];
  /** Services that run, or are done, as the manifest defines them. */
  readonly keep: readonly string[];
  /** Services that run, and of which nobody can tell whether they have changed. They are left alone. */
  readonly unknown: readonly string[];
}

export interface PlannedRestart {
  readonly service: string;
  /** The manifest keys that have changed. Empty: it depends on a service that is restarted. */
  readonly keys: readonly string[];
}

export interface ApplyOptions
  extends Pick<
      StartOptions,
      'abortOnFailure' | 'lease' | 'containers' | 'onContainer' | 'onComposeLine'
    >,
    Omit<RestartOptions, 'graceMs'> {
  /** Called with the plan before anything is done. */
  readonly onPlan: (plan: ApplyPlan) => void;
}

export interface ApplyResult {
  readonly plan: ApplyPlan;
  /** Null: there was nothing to stop. */
  readonly stop: StopReport | null;
  /** Null: a process outlived the stop, so nothing was started. */
  readonly start: StartResult | null;
}

/**
 * Restarts what has changed in the manifest since it was started, starts what is new, and stops what this
 * manifest has started and names no more, under one lock.
 *
 * @throws DevctlError as `restartProject`
 */
export async function applyProject(
  host: Host,
  unsettled: ProjectFolder,
  manifest: ResolvedManifest,
  options: ApplyOptions,
): Promise<ApplyResult> {
  const { warn } = options;
  await stopIfLeaseEnded(host, unsettled, manifest.file, warn);
  const { folder, release } = await takeLockToStart(host, unsettled, 'restart', warn);
  try {
    const state = readProjectState(folder);
    const snapshot = await host.snapshot();
    const plan = planOf(folder, manifest, options, { state, snapshot });
    const stopped = [...plan.restart.map(({ service }) => service), ...plan.stop];
    const { service: inside } = findEnclosingRun(state, snapshot, await host.self(), process.env);
    if (inside !== null && stopped.includes(inside)) throw insideService(inside);
    const names = namesToStart(choicesOf(manifest), options.names, plan);
    requireReadableEnvFiles(manifest, names, warn);
    await requireTerminals(manifest, names);
    await requireUsableCompose(manifest, { ...options, names });
    options.onPlan(plan);
    const stop = stopped.length > 0 ? await stopNamed(host, folder, stopped, options) : null;
    if (stop && stop.survivors.length > 0) return { plan, stop, start: null };
    return { plan, stop, start: await startLocked(host, folder, manifest, { ...options, names }) };
  } finally {
    release();
  }
}

/** Makes the plan without carrying it out: takes no lock and changes nothing. */
export async function readApplyPlan(
  host: Pick<Host, 'snapshot'>,
  folder: ProjectFolder,
  manifest: ResolvedManifest,
  wish: Pick<ApplyOptions, 'names' | 'dependents'>,
): Promise<ApplyPlan> {
  const state = readProjectState(folder);
  return planOf(folder, manifest, wish, { state, snapshot: await host.snapshot() });
}

function planOf(
  folder: ProjectFolder,
  manifest: ResolvedManifest,
  { names, dependents }: Pick<ApplyOptions, 'names' | 'dependents'>,
  look: { readonly state: ProjectState; readonly snapshot: Snapshot },
): ApplyPlan {
  // A service that the command line has started is not in the manifest, and has not been taken out of it.
  const recorded = look.state.records.flatMap(({ oneOff, adHoc, service }) =>
    oneOff || adHoc ? [] : [service],
  );
  const ended = look.state.records.flatMap((one) => (isEndedTask(one) ? [one.service] : []));
  const changes = changesIn(look, folder, manifest);
  return planApply({ choices: choicesOf(manifest), names, dependents, recorded, ended, changes });
}

/**
 * Decides what `start --apply` does.
 *
 * @param names the services and groups that the user named. None: everything
 * @param recorded the services that have a record; one-offs are none
 * @param ended the tasks that have ended
 * @param changes of the services that run or are done
 */
export function planApply({
  choices,
  names,
  dependents,
  recorded,
  ended,
  changes,
}: {
  readonly choices: Choices;
  readonly names: readonly string[];
  readonly dependents: boolean;
  readonly recorded: readonly string[];
  readonly ended: readonly string[];
  readonly changes: Changes;
}): ApplyPlan {
  const planned = choices.services.map(({ name }) => name);
  const wanted = selectForStart(choices, names);
  // Without names, a service counts too that runs although it does not start by itself.
  const done = endedForGood(choices, ended, wanted);
  const concerned = names.length > 0 ? wanted : planned.filter((name) => !done.includes(name));
  const changed = concerned.filter((name) => (changes.get(name) ?? []).length > 0);
  const again = dependents
    ? withDependents(choices, changed, [...changes.keys()]).filter((name) => !done.includes(name))
    : changed;
  const needed = again.length > 0 ? selectForStart(choices, again) : [];
  const toRun = new Set([...wanted, ...needed]);
  const staying = concerned.filter((name) => changes.has(name) && !again.includes(name));
  return {
    restart: again.map((service) => ({ service, keys: changes.get(service) ?? [] })),
    start: planned.filter((name) => toRun.has(name) && !changes.has(name)),
    stop: names.length > 0 ? [] : recorded.filter((name) => !planned.includes(name)),
    keep: staying.filter((name) => changes.get(name) !== null),
    unknown: staying.filter((name) => changes.get(name) === null),
  };
}

/** All services that the start waits for: those of the plan, and those that the user named and that run already. */
function namesToStart(
  choices: Choices,
  names: readonly string[],
  { restart, start }: ApplyPlan,
): readonly string[] {
  const all = new Set([...selectForStart(choices, names), ...start]);
  for (const { service } of restart) all.add(service);
  return choices.services.flatMap(({ name }) => (all.has(name) ? [name] : []));
}

async function stopNamed(
  host: Host,
  folder: ProjectFolder,
  names: readonly string[],
  { declared, forced, onScan, onStopped }: ApplyOptions,
): Promise<StopReport> {
  const options = stopOptions({ names, declared, forced, onScan });
  const report = await stopLocked(host, await stopHeader(host, folder, options), []);
  onStopped(report);
  return report;
}
