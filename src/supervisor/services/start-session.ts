import type { ServiceChange, StartRequest } from '../../client/protocol.ts';
import type { StartedService } from '../../client/started-service.ts';
import { QUOTED_LINES } from '../../logs/quote.ts';
import type { ResolvedService } from '../../manifest/resolved.ts';
import { monotonicMs } from '../../processes/clock.ts';
import { patienceWith } from '../../processes/starvation.ts';
import { type Needs, nextToStart, type Standing } from '../../services/lifecycle/dependencies.ts';
import type { LifecycleEvent } from '../../services/lifecycle/events.ts';
import { LONGEST_SETTLING_MS, settleTimeMs } from '../../services/lifecycle/settle.ts';
import type { LifecycleState, StateKind } from '../../services/lifecycle/states.ts';
import { blockersOf, isUp } from '../../services/lifecycle/states.ts';
import type { ServiceEntry, ServiceTable } from './entry.ts';

/** One `start` that is under way. */
export interface StartSession {
  /** Resolves when every service of the start is up or has failed, or when the start was abandoned. */
  readonly done: Promise<StartOutcome>;
  /**
   * Drops the services that have not been spawned yet and stops waiting, so that the caller releases
   * the lock. Services that run go on running.
   *
   * @param why the reason, where no user asked for it
   */
  abandon(why?: string): void;
  /**
   * Tells whether one of these services (null: all) is to be started. The name of a one-off is that of no service.
   */
  concerns(names: readonly string[] | null): boolean;
  /** Call it with every change of every service. */
  onChange(change: Omit<ServiceChange, 'afterMs'>): void;
}

/** The result of a start. */
export interface StartOutcome {
  readonly services: readonly StartedService[];
  readonly abandoned: boolean;
}

/** How long a dependent waits for an unhealthy service without a readiness probe, in ms. */
const LONGEST_RECOVERY_MS = 30_000;

/** Margin in ms, because a timer may be early by less than that. */
const TIMER_MS = 5;

/**
 * Starts services in the order of their dependencies, as parallel as the graph allows. Carries out what
 * `nextToStart` decides after each change, until no service of this start is under way.
 *
 * @param onChange called with every change of a service of this start
 */
export function beginStart(
  services: ServiceTable,
  request: StartRequest,
  onChange: (change: ServiceChange) => void,
): StartSession {
  return new Session(services, request, onChange);
}

class Session implements StartSession {
  readonly done: Promise<StartOutcome>;
  readonly #services: ServiceTable;
  readonly #request: StartRequest;
  readonly #notify: (change: ServiceChange) => void;
  readonly #beganAtMs = monotonicMs();
  /** How much longer a mistyped command needs to fail on a machine that is as busy as this one. */
  readonly #stretch = patienceWith({ state: 'R' }, 1);
  readonly #names: ReadonlySet<string>;
  readonly #needs: Needs;
  readonly #upBefore: ReadonlySet<string>;
  readonly #settledAtMs = new Map<string, number>();
  readonly #settled: Promise<void>;
  #settle = (): void => {};
  #asked = false;
  /** Until when a service that is unhealthy since before this start may become well again, by name. */
  readonly #recoversUntilMs = new Map<string, number>();
  /** The look that is due after this turn of the event loop; null: none. */
  #look: NodeJS.Immediate | null = null;
  #abandonedBecause: string | null = null;
  /**
   * When to stop waiting for a service, by name. A service that is restarted again and again may never
   * settle, so the time that its first attempt has is the limit.
   */
  readonly #giveUpAtMs = new Map<string, number>();
  /**
   * Timers for these moments, because no change may come for a long time: the pause before a restart
   * may be minutes.
   */
  readonly #timers: NodeJS.Timeout[] = [];

  constructor(
    services: ServiceTable,
    request: StartRequest,
    notify: (change: ServiceChange) => void,
  ) {
    this.#services = services;
    this.#request = request;
    this.#notify = notify;
    this.#names = new Set(request.services.map(({ name }) => name));
    this.#needs = new Map(request.services.map(({ name, dependsOn }) => [name, dependsOn]));
    const up = request.services.filter((service) =>
      isUpOrDone(services.entry(service.name).state, service),
    );
    this.#upBefore = new Set(up.map(({ name }) => name));
    this.#settled = new Promise<void>((resolve) => {
      this.#settle = resolve;
    });
    this.done = this.#run();
  }

  abandon(why = 'a stop came first'): void {
    for (const name of this.#names) {
      const { state } = this.#services.entry(name);
      if (state.kind === 'waiting') void this.#services.dispatch(name, { kind: 'askedToStop' });
    }
    this.#abandonedBecause ??= why;
    this.#settle();
  }

  concerns(names: readonly string[] | null): boolean {
    return names === null || names.some((name) => this.#names.has(name));
  }

  onChange(change: Omit<ServiceChange, 'afterMs'>): void {
    const { service: name, to } = change;
    this.#settledAtMs.delete(name);
    if (to === 'spawning' && !this.#giveUpAtMs.has(name)) this.#limitWait(name);
    if (isUp(to)) this.#lookAfter(this.#settleMs(name));
    // It was asked, and has timed out in this start.
    if (to === 'starting') this.#recoversUntilMs.delete(name);
    if (this.#names.has(name)) {
      this.#notify({ ...change, afterMs: Math.round(monotonicMs() - this.#beganAtMs) });
    }
    // Hundreds of services change together, and each look at what may start next is a look at all of them.
    this.#look ??= setImmediate(() => {
      this.#look = null;
      this.#advance();
    });
  }

  #limitWait(name: string): void {
    const { service } = this.#services.entry(name);
    const settlesMs = this.#settleMs(name) > 0 ? LONGEST_SETTLING_MS : 0;
    const longestMs = service?.ready?.timeoutMs ?? settlesMs;
    this.#giveUpAtMs.set(name, monotonicMs() + longestMs);
    this.#lookAfter(longestMs);
  }

  #lookAfter(ms: number): void {
    this.#timers.push(setTimeout(() => this.#advance(), ms + TIMER_MS));
  }

  #settleMs(name: string): number {
    const { service } = this.#services.entry(name);
    return service ? settleTimeMs(service) * this.#stretch : 0;
  }

  async #run(): Promise<StartOutcome> {
    await this.#ask();
    await this.#settled;
    for (const timer of this.#timers) clearTimeout(timer);
    // A script may read them as soon as the start has answered.
    this.#services.bringFilesInStep();
    const services = await Promise.all(
      this.#request.services.map(({ name }) =>
        startedService(this.#services, this.#services.entry(name), this.#abandonedBecause, {
          tookMs: Math.round((this.#settledAtMs.get(name) ?? this.#beganAtMs) - this.#beganAtMs),
          alreadyRunning: this.#upBefore.has(name),
          isSettling: this.#isSettling(name),
        }),
      ),
    );
    return { services, abandoned: this.#abandonedBecause !== null };
  }

  async #ask(): Promise<void> {
    const services = this.#services;
    const { services: wanted, running = [] } = this.#request;
    for (const { name, state, service } of services.entries.values()) {
      if (state.kind !== 'unhealthy') continue;
      // An adopted service has its definition from this request.
      const defined = service ?? [...wanted, ...running].find((one) => one.name === name);
      const longestMs = defined?.ready?.timeoutMs ?? LONGEST_RECOVERY_MS;
      this.#recoversUntilMs.set(name, monotonicMs() + longestMs);
      this.#lookAfter(longestMs);
    }
    for (const service of wanted) {
      const entry = services.entry(service.name);
      entry.unwanted = false;
      this.#define(entry, service);
    }
    for (const service of running) {
      const entry = services.entry(service.name);
      const isAdopted = entry.service === null;
      const isIll = entry.state.kind === 'unhealthy' && isAdopted;
      if ((!isUp(entry.state.kind) && !isIll) || entry.unwanted) continue;
      const isNew = this.#define(entry, service);
      // It lives, so this only begins its probes.
      if (isNew) void services.dispatch(service.name, { kind: 'askedToStart' });
    }
    await Promise.all(
      [...this.#names].map((name) => services.dispatch(name, { kind: 'askedToStart' })),
    );
    this.#asked = true;
    for (const name of this.#upBefore) {
      const ageMs = monotonicMs() - services.entry(name).state.sinceMs;
      if (ageMs < this.#settleMs(name)) this.#lookAfter(this.#settleMs(name) - ageMs);
    }
    this.#advance();
  }

  /**
   * Gives a service its definition. A running service keeps the one that it was started with; an adopted
   * one has none yet.
   *
   * @returns true when the definition is new
   */
  #define(entry: ServiceEntry, service: ResolvedService): boolean {
    if (isUp(entry.state.kind) && entry.service !== null) {
      entry.service = withLimitsOf(entry.service, service);
      return false;
    }
    entry.service = service;
    entry.request = this.#request;
    return true;
  }

  #advance(): void {
    // Nothing is judged before everything has been asked for, because a service that is not asked for
    // yet would count as unwanted. The asking itself causes changes that lead here.
    if (!this.#asked) return;
    const { startable, blocked } = nextToStart(this.#standings(), this.#needs);
    for (const name of startable) this.#dispatch(name, { kind: 'dependenciesMet' });
    for (const { name, chain, why } of blocked) {
      this.#dispatch(name, { kind: 'dependencyFailed', chain, why });
    }
    for (const name of this.#names) {
      if (this.#isUnderWay(name)) this.#settledAtMs.delete(name);
      else if (!this.#settledAtMs.has(name)) this.#settledAtMs.set(name, monotonicMs());
    }
    if (this.#settledAtMs.size < this.#names.size) return;
    if (![...this.#names].some((name) => this.#isSettling(name))) this.#settle();
  }

  /** Leaves services alone that another start has asked for. */
  #dispatch(name: string, event: LifecycleEvent): void {
    if (this.#names.has(name)) void this.#services.dispatch(name, event);
  }

  #standings(): ReadonlyMap<string, Standing> {
    return new Map([...this.#services.entries.keys()].map((name) => [name, this.#standing(name)]));
  }

  #standing(name: string): Standing {
    const { state } = this.#services.entry(name);
    const { kind } = state;
    if (kind === 'failed' && state.exit !== null) return 'crashed';
    const recoversUntilMs = this.#recoversUntilMs.get(name) ?? 0;
    if (kind === 'unhealthy' && monotonicMs() < recoversUntilMs) return 'recovering';
    const isRestarting = kind === 'clearing' || kind === 'backoff';
    const limitMs = this.#giveUpAtMs.get(name) ?? Number.POSITIVE_INFINITY;
    return isRestarting && monotonicMs() >= limitMs ? 'looping' : kind;
  }

  #isUnderWay(name: string): boolean {
    const standing = this.#standing(name);
    // A task that runs has neither succeeded nor failed yet.
    const isTask = this.#services.entry(name).service?.oneShot ?? false;
    return UNDER_WAY.has(standing) || (isTask && standing === 'running');
  }

  /** True for a service that is up, and may still turn out not to stay up. */
  #isSettling(name: string): boolean {
    const { state } = this.#services.entry(name);
    if (!isUp(state.kind)) return false;
    return monotonicMs() - state.sinceMs < this.#settleMs(name);
  }
}

/** Applies the limits of the manifest as it is now, which needs no restart. */
function withLimitsOf(running: ResolvedService, { limits }: ResolvedService): ResolvedService {
  return { ...running, limits };
}

const UNDER_WAY: ReadonlySet<Standing> = new Set([
  'waiting',
  'spawning',
  'starting',
  'cancelling',
  'clearing',
  'backoff',
  'recovering',
]);

/**
 * True for a service that is up, and for a task that has succeeded, if the manifest still calls it a
 * task.
 */
function isUpOrDone(state: LifecycleState, { oneShot }: ResolvedService): boolean {
  return isUp(state.kind) || (oneShot && state.kind === 'exited' && state.done);
}

const HAS_FAILED: ReadonlySet<StateKind> = new Set([
  'failed',
  'exited',
  'unhealthy',
  'clearing',
  'backoff',
]);

async function startedService(
  services: ServiceTable,
  { name, state, record }: ServiceEntry,
  abandonedBecause: string | null,
  {
    isSettling,
    ...timing
  }: Pick<StartedService, 'tookMs' | 'alreadyRunning'> & {
    readonly isSettling: boolean;
  },
): Promise<StartedService> {
  const spawned = 'leader' in state ? state.leader : null;
  const givenUp = abandonedBecause !== null && (isSettling || !isUp(state.kind));
  const dropped = givenUp ? `given up: ${abandonedBecause}` : null;
  const reason = ('reason' in state ? state.reason : null) ?? dropped;
  const log = record?.log ?? '';
  const done = state.kind === 'exited' && state.done;
  const failed = HAS_FAILED.has(state.kind) && !done;
  // A service that was never spawned in this start has no explanation in its log.
  const explains = failed && record !== null && !(state.kind === 'failed' && state.exit === null);
  return {
    name,
    state: state.kind,
    pid: spawned?.pid ?? null,
    reason,
    blockedBy: blockersOf(state),
    ...timing,
    done,
    givenUp: givenUp && !done,
    lastLines: explains ? await services.lastLines(name, QUOTED_LINES) : [],
    log,
  };
}
