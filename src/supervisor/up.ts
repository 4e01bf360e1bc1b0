import { randomBytes } from 'node:crypto';
import { constants } from 'node:os';
import { setTimeout as pass } from 'node:timers/promises';
import { DevctlError } from '../errors.ts';
import type { ResolvedManifest } from '../manifest/resolved.ts';
import type { Host } from '../processes/host.ts';
import { acquireLock } from '../project/lock.ts';
import { readRecord } from '../project/records.ts';
import type { Exit } from '../project/service-record.ts';
import { eachOnce } from '../services/each-once.ts';
import type { LifeKind } from '../services/life.ts';
import type { Breach } from '../services/limits.ts';
import { judgeUp, type UpRules, type UpVerdict } from '../services/up-verdict.ts';
import type { StopReport } from '../stopping/report.ts';
import type { Hold, SupervisorClient } from './client.ts';
import { declaredServices, type OpenProject, sweepSettingsOf } from './open-project.ts';
import type { ServiceChange, SupervisorEvent } from './protocol.ts';
import { type StartResult, startProject } from './start.ts';
import type { StopOptions } from './stop.ts';
import { stopFromHere } from './stop-from-here.ts';
import { isAlive } from './take-lock.ts';
import { endScope, runningNames } from './up-scope.ts';

export interface UpOptions extends UpRules {
  /** What is started: services, with all that they depend on. */
  readonly names: readonly string[];
  /** Was everything meant? Then the end is a whole `devctl stop`. */
  readonly everything: boolean;
  /** Services that were named: they end with this `up` even if they ran before. */
  readonly named: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly listen: (change: ServiceChange) => void;
  /** Told of each limit that is exceeded, of those services and of everything. */
  readonly breached: (breach: Breach) => void;
  readonly started: (result: StartResult) => void;
  /** Told why it ends, before anything is stopped. */
  readonly ending: (why: string) => void;
  readonly warn: (line: string) => void;
  /** Resolves when somebody wants it to end: a signal, a closed terminal. */
  readonly asked: Promise<UpVerdict>;
  readonly forced: () => boolean;
  readonly watch: StopOptions['watch'];
}

export interface UpResult {
  readonly verdict: UpVerdict;
  readonly report: StopReport;
}

/** How long an end waits for a start that is under way to drop what it has not spawned. */
const ABORT_MS = 500;
const RELEASE_MS = 1_000;
/** Another command that is at work (a restart, say) is waited for before anything is concluded. */
const LOCK_WAIT_MS = 120_000;

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
  const kinds = new Map<string, LifeKind>();
  const exits = new Map<string, Exit | null>();
  const spawnedAt = new Map<string, number>();
  const tellOnce = eachOnce(options.listen);
  const before = await runningNames(host, project);
  const ours = options.everything
    ? null
    : names.filter((name) => options.named.includes(name) || !before.has(name));
  let client: SupervisorClient | null = null;
  let hold: Hold | null = null;
  let begun = false;
  let verdict: UpVerdict | null = null;
  let concluded = (): void => {};
  const ended = new Promise<void>((resolve) => {
    concluded = resolve;
  });
  const conclude = (found: UpVerdict): void => {
    verdict ??= found;
    concluded();
  };
  void options.asked.then(conclude);

  const verdictNow = (): UpVerdict | null => {
    const services = [...kinds].map(([name, kind]) => ({
      name,
      kind,
      exit: exits.get(name) ?? null,
      oneShot: manifest.services[name]?.oneShot ?? false,
    }));
    return judgeUp(services, options, begun, signalNumber);
  };
  const isAllStopped = (): boolean => [...kinds.values()].every((kind) => kind === 'idle');
  const judge = (): void => {
    const found = verdictNow();
    if (!found) return;
    // A restart takes services down as well; what it has brought up by then goes on.
    const isNamedStopped = kinds.get(options.exitCodeFrom ?? '') === 'idle';
    if (begun && (isNamedStopped || isAllStopped())) void whenIdle().then(() => judgeAgain());
    else conclude(found);
  };
  const judgeAgain = (): void => {
    const found = verdictNow();
    if (isAllStopped()) conclude({ why: 'everything was stopped by another devctl', code: 0 });
    else if (found) conclude(found);
  };
  /** When no other command is at work. */
  const whenIdle = async (): Promise<void> => {
    const identity = await host.self();
    const lock = await acquireLock(folder, {
      identity,
      command: 'up',
      isAlive: (holder) => isAlive(host, holder),
      waitMs: LOCK_WAIT_MS,
    });
    if (lock.kind === 'held') lock.release();
    // The news of what it has brought about may be on its way.
    await pass(ABORT_MS);
  };

  const hearAny = (event: SupervisorEvent): void => {
    if (event.type === 'change') hear(event);
    else if (event.breach.service === null || names.includes(event.breach.service))
      options.breached(event.breach);
  };
  const hear = (change: ServiceChange): void => {
    const { service, to } = change;
    if (!names.includes(service)) return;
    // Those that end come in the order in which they do.
    kinds.delete(service);
    kinds.set(service, to);
    const record = readRecord(folder, service);
    exits.set(service, record.kind === 'record' ? record.record.exit : null);
    const now = performance.now();
    if (to === 'spawning') spawnedAt.set(service, now);
    tellOnce('hold', { ...change, afterMs: Math.round(now - (spawnedAt.get(service) ?? now)) });
    judge();
  };
  const reached = async (found: SupervisorClient): Promise<void> => {
    if (verdict) throw new Given();
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
      hearAny,
    );
    void hold.over.then(() => {
      if (!verdict) void lost();
    });
  };
  const start = (wanted: readonly string[]): Promise<StartResult> =>
    startProject(host, folder, manifest, {
      names: wanted,
      abortOnFailure: false,
      env: options.env,
      listen: (change) => tellOnce('start', change),
      warn: options.warn,
      reached,
    });

  /** Of what ran before nothing was heard; of the rest, what was heard may be younger than the result. */
  const noteStarted = (services: StartResult['services']): void => {
    for (const { name, state } of services) if (!kinds.has(name)) kinds.set(name, state);
  };

  /** The supervisor has ended: by a stop of everything, or it was killed and services live on. */
  const lost = async (): Promise<void> => {
    await whenIdle();
    const running = await runningNames(host, project);
    const alive = names.filter((name) => running.has(name));
    if (verdict) return;
    if (alive.length === 0) {
      conclude({ why: 'everything was stopped by another devctl', code: 0 });
      return;
    }
    options.warn('the supervisor has ended');
    try {
      const { services } = await start(alive);
      noteStarted(services);
      options.warn('a new supervisor has taken over what runs');
      judge();
    } catch (error) {
      if (error instanceof Given) return;
      options.warn(error instanceof Error ? error.message : String(error));
      conclude({ why: 'no supervisor can be had', code: 1 });
    }
  };

  const starting = start(names);
  const finished = starting.then(
    (result) => {
      noteStarted(result.services);
      begun = true;
      if (verdict) return;
      options.started(result);
      judge();
    },
    (error: unknown) => {
      // What it has begun is stopped below, and then its failure told.
      if (!verdict) throw error;
    },
  );
  let failure: unknown = null;
  await Promise.race([ended, finished.then(() => ended)]).catch((error: unknown) => {
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
  const reason = verdict as UpVerdict | null;
  options.ending(reason?.why ?? 'the start has failed');
  const { sweep, scope } = endScope(project, ours);
  const report = await stopFromHere(host, folder, {
    names: scope,
    force: false,
    dryRun: false,
    graceMs: null,
    sweep,
    declared: declaredServices(project),
    forced: options.forced,
    watch: options.watch,
    handedOver: () => {},
  });
  await (hold as Hold | null)?.release(RELEASE_MS);
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

function signalNumber(name: string): number {
  const numbers: Readonly<Record<string, number>> = constants.signals;
  return numbers[name] ?? 0;
}
