import { DevctlError } from '../../errors.ts';
import { takeLockToStart } from '../../lock/for-start.ts';
import type { ResolvedManifest } from '../../manifest/resolved.ts';
import { type Choices, choicesOf, selectForStart, selectServices } from '../../manifest/select.ts';
import type { Host } from '../../processes/host.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import type { DeclaredService } from '../../project/open-project.ts';
import type { StopReport } from '../../stopping/report.ts';
import { findEnclosingRun } from '../../tracking/enclosing-run.ts';
import { readProjectState } from '../../tracking/project-state.ts';
import { type StopOptions, stopHeader, stopOptions } from '../stop/options.ts';
import { stopLocked } from '../stop/stop-locked.ts';
import { knownNames } from '../stop/stop-runs.ts';
import { type StartOptions, type StartResult, startLocked } from './start.ts';

export interface RestartOptions
  extends Pick<StartOptions, 'env' | 'listen' | 'warn'>,
    Pick<StopOptions, 'graceMs' | 'forced' | 'watch'> {
  /** Services and groups as they were asked for; empty: everything. */
  readonly names: readonly string[];
  /** Restart as well what depends on them, directly or not. */
  readonly dependents: boolean;
  readonly declared: readonly DeclaredService[];
  /** Told once the old runs are proved gone, before anything is started. */
  readonly stopped: (report: StopReport) => void;
}

export interface RestartResult {
  readonly stop: StopReport;
  /** Null: something outlived the stop, so nothing was started in its place. */
  readonly start: StartResult | null;
}

/**
 * Stops services with proof, and starts them again, under one lock. What depends on them stays up unless
 * it is asked for; what they depend on is started where it is down.
 *
 * @throws DevctlError as `startProject`; 'unsafe' inside one of the services; 'service-unknown'
 */
export async function restartProject(
  host: Host,
  folder: ProjectFolder,
  manifest: ResolvedManifest,
  options: RestartOptions,
): Promise<RestartResult> {
  const choices = choicesOf(manifest);
  const named = options.names.length > 0 ? selectServices(choices, options.names) : null;
  const lock = await takeLockToStart(host, folder, 'restart', options.warn);
  try {
    const state = readProjectState(folder);
    const snapshot = await host.snapshot();
    const { service: inside } = findEnclosingRun(state, snapshot, await host.self(), process.env);
    // One-offs are no services: nothing but a stop or their own end ends them.
    const oneOffs = state.records.flatMap(({ oneOff, service }) => (oneOff ? [service] : []));
    const known = knownNames(state).filter((name) => !oneOffs.includes(name));
    const { stop, start } = planRestart(choices, named, known, options.dependents);
    if (inside !== null && stop.includes(inside)) throw insideIt(inside);
    const { graceMs, forced, watch, declared } = options;
    const wish = stopOptions({ names: stop, graceMs, declared, forced, watch });
    const report = await stopLocked(host, await stopHeader(host, folder, wish), []);
    options.stopped(report);
    if (report.survivors.length > 0) return { stop: report, start: null };
    const { env, listen, warn } = options;
    const wanted = { names: start, abortOnFailure: false, env, listen, warn };
    return { stop: report, start: await startLocked(host, folder, manifest, wanted) };
  } finally {
    lock.release();
  }
}

/**
 * What a restart stops, and what it starts.
 *
 * @param named services of the manifest; null: all that run or that `start` starts
 * @param known what there are records of
 */
export function planRestart(
  choices: Choices,
  named: readonly string[] | null,
  known: readonly string[],
  dependents: boolean,
): { readonly stop: readonly string[]; readonly start: readonly string[] } {
  const planned = choices.services.map(({ name }) => name);
  if (named === null) {
    const again = planned.filter((name) => known.includes(name));
    const start = new Set([...selectForStart(choices, []), ...selectAll(choices, again)]);
    // What was taken out of the manifest has nothing to be started from, but a run to be ended.
    return { stop: known, start: planned.filter((name) => start.has(name)) };
  }
  const again = dependents ? withDependents(choices, named, known) : named;
  return { stop: again, start: selectAll(choices, again) };
}

/** Named services, with what they need: no names would mean all of them. */
function selectAll(choices: Choices, names: readonly string[]): readonly string[] {
  return names.length === 0 ? [] : selectForStart(choices, names);
}

/** Only those that were started: a restart is no reason to start what nobody has asked for. */
function withDependents(
  { services }: Choices,
  names: readonly string[],
  known: readonly string[],
): readonly string[] {
  const all = new Set(names);
  for (let before = -1; before !== all.size; ) {
    before = all.size;
    for (const { name, dependsOn } of services) {
      if (known.includes(name) && dependsOn.some((one) => all.has(one))) all.add(name);
    }
  }
  return services.flatMap(({ name }) => (all.has(name) ? [name] : []));
}

function insideIt(service: string): DevctlError {
  return new DevctlError(
    'unsafe',
    `devctl runs inside the service ${service}, and would end with it`,
    {
      hint: `restart it from a terminal outside of it; nothing was stopped`,
    },
  );
}
