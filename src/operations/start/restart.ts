import { DevctlError } from '../../errors.ts';
import { takeLockToStart } from '../../lock/for-start.ts';
import { requireReadableEnvFiles } from '../../manifest/env-file.ts';
import type { ResolvedManifest } from '../../manifest/resolved.ts';
import { type Choices, choicesOf, selectForStart, selectServices } from '../../manifest/select.ts';
import type { Host } from '../../processes/host.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import type { DeclaredService } from '../../project/open-project.ts';
import { isEndedTask } from '../../project/service-record.ts';
import type { StopReport } from '../../stopping/report.ts';
import { findEnclosingRun } from '../../tracking/enclosing-run.ts';
import { readForStop } from '../stop/first-look.ts';
import { type StopOptions, stopHeader, stopOptions } from '../stop/options.ts';
import { stopLocked } from '../stop/stop-locked.ts';
import { knownNames } from '../stop/stop-runs.ts';
import type { StartResult } from './result.ts';
import { requireUsableCompose, type StartOptions, startLocked } from './start.ts';
import { requireTerminals } from './terminals.ts';

export interface RestartOptions
  extends Pick<StartOptions, 'env' | 'onTerminal' | 'onChange' | 'warn'>,
    Pick<StopOptions, 'graceMs' | 'forced' | 'onScan'> {
  /** The services and groups that the user named. Empty: everything. */
  readonly names: readonly string[];
  /** True: restart the services too that depend on them, directly or indirectly. */
  readonly dependents: boolean;
  readonly declared: readonly DeclaredService[];
  /** Called when the old runs are proved gone, before anything is started. */
  readonly onStopped: (report: StopReport) => void;
}

export interface RestartResult {
  readonly stop: StopReport;
  /** Null: a process outlived the stop, so nothing was started. */
  readonly start: StartResult | null;
}

/**
 * Stops services with proof, and starts them again, under one lock. Services that depend on them stay up unless
 * `dependents` says otherwise. Their dependencies are started if they are down.
 *
 * @throws DevctlError as `startProject`; 'unsafe' inside one of the services; 'service-unknown'
 */
export async function restartProject(
  host: Host,
  unsettled: ProjectFolder,
  manifest: ResolvedManifest,
  options: RestartOptions,
): Promise<RestartResult> {
  const choices = choicesOf(manifest);
  const named = options.names.length > 0 ? selectServices(choices, options.names) : null;
  const { folder, release } = await takeLockToStart(host, unsettled, 'restart', options.warn);
  try {
    const look = await readForStop(host, folder);
    const { state, snapshot } = look;
    const { service: inside } = findEnclosingRun(state, snapshot, await host.self(), process.env);
    // A restart leaves one-offs alone: only a stop or the end of its own command ends a one-off.
    const oneOffs = state.records.flatMap(({ oneOff, service }) => (oneOff ? [service] : []));
    const known = knownNames(state).filter((name) => !oneOffs.includes(name));
    const ended = state.records.flatMap((one) => (isEndedTask(one) ? [one.service] : []));
    const { stop, start } = planRestart(choices, named, { known, ended }, options.dependents);
    if (inside !== null && stop.includes(inside)) throw insideService(inside);
    requireReadableEnvFiles(manifest, start, options.warn);
    await requireTerminals(manifest, start);
    await requireUsableCompose(manifest, { ...options, names: start });
    const { graceMs, forced, onScan, declared } = options;
    const toStop = stopOptions({ names: stop, graceMs, declared, forced, onScan });
    const report = await stopLocked(host, await stopHeader(host, folder, toStop), [], look);
    options.onStopped(report);
    if (report.survivors.length > 0) return { stop: report, start: null };
    const { env, onTerminal = false, onChange, warn } = options;
    const toStart = { names: start, abortOnFailure: false, env, onTerminal, onChange, warn };
    return { stop: report, start: await startLocked(host, folder, manifest, toStart) };
  } finally {
    release();
  }
}

/**
 * Decides which services a restart stops and which it starts.
 *
 * @param named services of the manifest. Null: all that run, and all that `start` starts
 * @param known the services that have a record
 * @param ended the tasks among them that have ended: they run again where `start` starts them, or by name
 */
export function planRestart(
  choices: Choices,
  named: readonly string[] | null,
  { known, ended }: { readonly known: readonly string[]; readonly ended: readonly string[] },
  dependents: boolean,
): { readonly stop: readonly string[]; readonly start: readonly string[] } {
  const planned = choices.services.map(({ name }) => name);
  const staying = endedForGood(choices, ended, named ?? []);
  if (named === null) {
    // A service that was taken out of the manifest cannot be started, but its run must end.
    const stop = known.filter((name) => !staying.includes(name));
    const again = planned.filter((name) => stop.includes(name));
    const start = new Set([...selectForStart(choices, []), ...selectAll(choices, again)]);
    return { stop, start: planned.filter((name) => start.has(name)) };
  }
  const all = dependents ? withDependents(choices, named, known) : named;
  const again = all.filter((name) => !staying.includes(name));
  return { stop: again, start: selectAll(choices, again) };
}

/** The tasks that have ended, and that run again only by name, because no start without names runs them. */
export function endedForGood(
  choices: Choices,
  ended: readonly string[],
  named: readonly string[],
): readonly string[] {
  const running = new Set([...selectForStart(choices, []), ...named]);
  const planned = choices.services.map(({ name }) => name);
  return planned.filter((name) => ended.includes(name) && !running.has(name));
}

/** Named services with their dependencies. No names mean none here, while `selectForStart` takes them for all. */
function selectAll(choices: Choices, names: readonly string[]): readonly string[] {
  return names.length === 0 ? [] : selectForStart(choices, names);
}

/** Adds the dependents that were started. A restart must not start services that the user has not started. */
export function withDependents(
  { services }: Choices,
  names: readonly string[],
  known: readonly string[],
): readonly string[] {
  const all = new Set(names);
  for (let before = -1; before !== all.size; ) {
    before = all.size;
    for (const { name, dependsOn } of services) {
      if (known.includes(name) && dependsOn.some((needed) => all.has(needed))) all.add(name);
    }
  }
  return services.flatMap(({ name }) => (all.has(name) ? [name] : []));
}

/** The failure of a command that would end itself with the service that it runs in. */
export function insideService(service: string): DevctlError {
  return new DevctlError(
    'unsafe',
    `devctl runs inside the service ${service}, and would end with it`,
    {
      hint: `restart it from a terminal outside of it; nothing was stopped`,
    },
  );
}
