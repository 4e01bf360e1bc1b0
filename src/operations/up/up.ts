/*
 * The files of this folder: how `devctl up` starts services, keeps them up, and stops them.
 *
 *   up       the session from the start to the stop, and the stop at its end
 *   watch    follows the services by the events of the supervisor
 *   verdict  decides whether the session ends, and with which exit code
 *   once     reports each change once although two sources have it
 *   options  the options of a session
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  ABORT_AGAIN_MS,
  ABORT_STARTS_MS,
  type ForegroundHold,
  type SupervisorClient,
} from '../../client/client.ts';
import { DevctlError } from '../../errors.ts';
import type { ResolvedManifest, SweepSettings } from '../../manifest/resolved.ts';
import type { Host } from '../../processes/host.ts';
import { livesIn } from '../../processes/snapshot.ts';
import { declaredServices, type OpenProject } from '../../project/open-project.ts';
import { readRecords } from '../../project/records.ts';
import type { StopReport } from '../../stopping/report.ts';
import type { StartResult } from '../start/result.ts';
import { startProject } from '../start/start.ts';
import { stopOptions } from '../stop/options.ts';
import { stopServices } from '../stop/stop.ts';
import { sweepSettingsOf } from '../stop/sweep-rules.ts';
import type { UpOptions } from './options.ts';
import { STOPPED_BY_OTHER, type UpVerdict } from './verdict.ts';
import { type UpWatch, watchUp } from './watch.ts';

export interface UpResult {
  readonly verdict: UpVerdict;
  readonly report: StopReport;
}

/** The time that the supervisor has to release the hold, in ms. */
const RELEASE_HOLD_MS = 1_000;

/**
 * Starts services, keeps them up for as long as this process lives, and stops them with proof. If this process is
 * killed, the supervisor stops them.
 *
 * @throws DevctlError as `startProject` and `stopProject`
 */
export async function upProject(
  host: Host,
  project: OpenProject,
  manifest: ResolvedManifest,
  options: UpOptions,
): Promise<UpResult> {
  const before = await runningNames(host, project);
  const ours = options.everything
    ? null
    : options.names.filter((name) => options.named.includes(name) || !before.has(name));
  return new ForegroundSession(host, project, manifest, options, ours).run();
}

/** One call of `upProject`. */
class ForegroundSession {
  readonly #host: Host;
  readonly #project: OpenProject;
  readonly #manifest: ResolvedManifest;
  readonly #options: UpOptions;
  /** The services that end with this session; null: everything. */
  readonly #ours: readonly string[] | null;
  readonly #watch: UpWatch;
  /** Aborted when the session ends: compose may be at work for minutes. */
  readonly #over = new AbortController();
  #client: SupervisorClient | null = null;
  #hold: ForegroundHold | null = null;

  constructor(
    host: Host,
    project: OpenProject,
    manifest: ResolvedManifest,
    options: UpOptions,
    ours: readonly string[] | null,
  ) {
    this.#host = host;
    this.#project = project;
    this.#manifest = manifest;
    this.#options = options;
    this.#ours = ours;
    this.#watch = watchUp({ host, folder: project.folder, manifest, options });
    void this.#watch.ended.then(() => this.#over.abort());
  }

  async run(): Promise<UpResult> {
    const started = this.#startAll();
    const failure = await this.#untilEnd(started);
    if (failure === null) await this.#abortStart(started);
    else if (this.#hold === null) throw failure.error;
    const verdict = this.#watch.verdict();
    this.#options.onEnding(verdict?.why ?? 'the start has failed');
    const report = await this.#stop();
    if (failure !== null) throw failure.error;
    if (!verdict) throw new Error('an up ends with a reason');
    return { verdict, report };
  }

  /** Rejects when the start fails, unless the session is to end anyway. */
  async #startAll(): Promise<void> {
    try {
      const result = await this.#start(this.#options.names);
      if (!this.#watch.verdict()) this.#options.onStarted(result);
      this.#watch.onStarted(result.services);
    } catch (error) {
      if (!this.#watch.verdict()) throw error;
    }
  }

  #start(names: readonly string[]): Promise<StartResult> {
    const { env, onTerminal, warn } = this.#options;
    return startProject(this.#host, this.#project.folder, this.#manifest, {
      names,
      abortOnFailure: false,
      containers: this.#options.everything ? 'all' : 'needed',
      over: this.#over.signal,
      env,
      onTerminal,
      onChange: (change) => this.#watch.onStartChange(change),
      warn,
      onConnected: (client) => this.#takeHold(client),
    });
  }

  /** Called before anything is spawned, so that the supervisor stops it if this process dies. */
  async #takeHold(client: SupervisorClient): Promise<void> {
    if (this.#watch.verdict()) throw new InterruptedStart();
    this.#client = client;
    const hold = await client.hold(
      {
        id: randomBytes(8).toString('hex'),
        names: this.#ours,
        force: false,
        graceMs: null,
        sweep: sweepSettingsOf(this.#project, false),
        unprotected: false,
        declared: declaredServices(this.#project),
      },
      (event) => this.#watch.onEvent(event),
    );
    this.#hold = hold;
    void hold.over.then(() => {
      if (!this.#watch.verdict()) void this.#onSupervisorEnd();
    });
  }

  /** The supervisor has ended because everything was stopped, or it was killed and the services live on. */
  async #onSupervisorEnd(): Promise<void> {
    const { names, warn } = this.#options;
    await this.#watch.whenIdle();
    const running = await runningNames(this.#host, this.#project);
    const alive = names.filter((name) => running.has(name));
    if (this.#watch.verdict()) return;
    if (alive.length === 0) {
      this.#watch.end(STOPPED_BY_OTHER);
      return;
    }
    warn('the supervisor has ended');
    try {
      const { services } = await this.#start(alive);
      warn('a new supervisor has taken over what runs');
      this.#watch.onRestarted(services);
    } catch (error) {
      if (error instanceof InterruptedStart) return;
      warn(error instanceof Error ? error.message : String(error));
      this.#watch.end({ why: 'no supervisor can be had', code: 1 });
    }
  }

  /** @returns the error of the start, if it failed before the end; null otherwise */
  async #untilEnd(started: Promise<void>): Promise<{ readonly error: unknown } | null> {
    const { ended } = this.#watch;
    return Promise.race([ended, started.then(() => ended)]).then(
      () => null,
      (error: unknown) => ({ error }),
    );
  }

  /** Waits until the start is over, because only then it is known which processes it has spawned. */
  async #abortStart(started: Promise<void>): Promise<void> {
    for (let isOver = false; !isOver; ) {
      await this.#client?.abortStarts(ABORT_STARTS_MS);
      isOver = await Promise.race([
        started.then(
          () => true,
          () => true,
        ),
        delay(ABORT_AGAIN_MS, false),
      ]);
    }
  }

  async #stop(): Promise<StopReport> {
    const { forced, onScan } = this.#options;
    const { sweep, names } = endScope(this.#project, this.#ours);
    const declared = declaredServices(this.#project);
    const report = await stopServices(this.#host, this.#project.folder, {
      ...stopOptions({ names, declared, forced, onScan }),
      sweep,
    });
    await this.#hold?.release(RELEASE_HOLD_MS);
    return report;
  }
}

/**
 * The names and the sweep of the stop at the end. Where no other service runs, the supervisor ends too; only a session
 * of everything sweeps.
 */
function endScope(
  project: OpenProject,
  ours: readonly string[] | null,
): { readonly names: readonly string[] | null; readonly sweep: SweepSettings } {
  const sweep = sweepSettingsOf(project, false);
  if (ours === null) return { names: null, sweep };
  const { records, problems } = readRecords(project.folder);
  const isAll = problems.length === 0 && records.every(({ service }) => ours.includes(service));
  return { names: isAll ? null : ours, sweep: { ...sweep, scope: 'off' } };
}

/** The services whose leader is alive. */
async function runningNames(host: Host, { folder }: OpenProject): Promise<ReadonlySet<string>> {
  const { records } = readRecords(folder);
  if (records.length === 0) return new Set();
  const snapshot = await host.snapshot();
  const alive = records.filter(({ leader }) => leader && livesIn(snapshot, leader));
  return new Set(alive.map(({ service }) => service));
}

/** The session ended before anything was spawned. */
class InterruptedStart extends DevctlError {
  constructor() {
    super('start-failed', 'it was interrupted before anything was started');
  }
}
