import type { ServiceChange, StartedService, StartRequest } from '../../client/protocol.ts';
import type { ResolvedService } from '../../manifest/resolved.ts';
import { monotonicMs } from '../../processes/clock.ts';
import { type Needs, nextToStart, type Standing } from '../../services/lifecycle/dependencies.ts';
import type { LifecycleState, StateKind } from '../../services/lifecycle/states.ts';
import { isUp } from '../../services/lifecycle/states.ts';
import type { ServiceEntry, ServiceTable } from './entry.ts';

/** One `start` that is under way. */
export interface StartSession {
  /** Resolves when every service of the start is up or has failed, or when the start was abandoned. */
  readonly done: Promise<StartOutcome>;
  /**
   * Drops the services that have not been spawned yet and stops waiting, so that the caller releases
   * the lock. Services that run go on running.
   */
  abandon(): void;
  /** Call it with every change of every service. */
  onChange(change: Omit<ServiceChange, 'afterMs'>): void;
}

export interface StartOutcome {
  readonly services: readonly StartedService[];
  readonly abandoned: boolean;
}

const LAST_LINES = 20;

/** Margin in ms, because a timer may be early by less than that. */
const TIMER_MS = 5;

/**
 * Starts services in the order of their dependencies, as parallel as the graph allows. Carries out what
 * `nextToStart` decides after each change, until no service of this start is under way.
 */
export function beginStart(
  lives: ServiceTable,
  request: StartRequest,
  listen: (change: ServiceChange) => void,
): StartSession {
  const beganAtMs = monotonicMs();
  const names = new Set(request.services.map(({ name }) => name));
  const needs: Needs = new Map(request.services.map(({ name, dependsOn }) => [name, dependsOn]));
  const settledAtMs = new Map<string, number>();
  const upBefore = new Set(
    request.services
      .filter((service) => isUpOrDone(lives.entry(service.name).state, service))
      .map(({ name }) => name),
  );
  let asked = false;
  let abandoned = false;
  let settle = (): void => {};
  const settled = new Promise<void>((resolve) => {
    settle = resolve;
  });

  /**
   * When to stop waiting for a service, by name. A service that is restarted again and again may never
   * settle, so the time that its first attempt has is the limit.
   */
  const giveUpAtMs = new Map<string, number>();
  /**
   * Timers for these moments, because no change may come for a long time: the pause before a restart
   * may be minutes.
   */
  const timers: NodeJS.Timeout[] = [];
  const standing = (name: string): Standing => {
    const { state: life } = lives.entry(name);
    const { kind } = life;
    if (kind === 'failed' && life.exit !== null) return 'crashed';
    const isRestarting = kind === 'clearing' || kind === 'backoff';
    const limitMs = giveUpAtMs.get(name) ?? Number.POSITIVE_INFINITY;
    return isRestarting && monotonicMs() >= limitMs ? 'looping' : kind;
  };
  const isOnItsWay = (name: string): boolean => {
    const now = standing(name);
    // A task that runs has neither succeeded nor failed yet.
    const isTask = lives.entry(name).service?.oneShot ?? false;
    return ON_ITS_WAY.has(now) || (isTask && now === 'running');
  };
  const states = (): ReadonlyMap<string, Standing> =>
    new Map([...lives.entries.keys()].map((name) => [name, standing(name)]));

  const advance = (): void => {
    // Nothing is judged before everything has been asked for, because a service that is not asked for
    // yet would count as unwanted. The asking itself causes changes that lead here.
    if (!asked) return;
    const { startable, blocked } = nextToStart(states(), needs);
    for (const name of startable) {
      if (names.has(name)) void lives.dispatch(name, { kind: 'dependenciesMet' });
    }
    for (const { name, chain, why } of blocked) {
      if (names.has(name)) void lives.dispatch(name, { kind: 'dependencyFailed', chain, why });
    }
    for (const name of names) {
      if (isOnItsWay(name)) settledAtMs.delete(name);
      else if (!settledAtMs.has(name)) settledAtMs.set(name, monotonicMs());
    }
    if (settledAtMs.size === names.size) settle();
  };

  const ask = async (): Promise<void> => {
    for (const service of request.services) {
      const entry = lives.entry(service.name);
      entry.unwanted = false;
      // A running service keeps the definition that it was started with. An adopted one has no other
      // than this.
      if (isUp(entry.state.kind) && entry.service !== null) {
        entry.service = withLimitsOf(entry.service, service);
        continue;
      }
      entry.service = service;
      entry.request = request;
    }
    for (const service of request.running ?? []) {
      const entry = lives.entry(service.name);
      if (!isUp(entry.state.kind) || entry.unwanted) continue;
      if (entry.service !== null) {
        entry.service = withLimitsOf(entry.service, service);
        continue;
      }
      entry.service = service;
      entry.request = request;
      // It is up, so this only begins its liveness probe.
      void lives.dispatch(service.name, { kind: 'askedToStart' });
    }
    await Promise.all([...names].map((name) => lives.dispatch(name, { kind: 'askedToStart' })));
    asked = true;
    advance();
  };

  const report = async (): Promise<StartOutcome> => {
    await ask();
    await settled;
    for (const timer of timers) clearTimeout(timer);
    const services = await Promise.all(
      request.services.map(({ name }) =>
        describe(lives, lives.entry(name), abandoned, {
          tookMs: Math.round((settledAtMs.get(name) ?? beganAtMs) - beganAtMs),
          alreadyRunning: upBefore.has(name),
        }),
      ),
    );
    return { services, abandoned };
  };

  return {
    done: report(),
    abandon() {
      for (const name of names) {
        const { state: life } = lives.entry(name);
        if (life.kind === 'waiting') void lives.dispatch(name, { kind: 'askedToStop' });
      }
      abandoned = true;
      settle();
    },
    onChange(change) {
      const { service: name, to } = change;
      if (to === 'spawning' && !giveUpAtMs.has(name)) {
        const timeoutMs = lives.entry(name).service?.ready?.timeoutMs ?? 0;
        giveUpAtMs.set(name, monotonicMs() + timeoutMs);
        timers.push(setTimeout(advance, timeoutMs + TIMER_MS));
      }
      if (names.has(name)) {
        listen({ ...change, afterMs: Math.round(monotonicMs() - beganAtMs) });
      }
      advance();
    },
  };
}

/** Applies the limits of the manifest as it is now, which needs no restart. */
function withLimitsOf(running: ResolvedService, { limits }: ResolvedService): ResolvedService {
  return { ...running, limits };
}

const ON_ITS_WAY: ReadonlySet<Standing> = new Set([
  'waiting',
  'spawning',
  'starting',
  'cancelling',
  'clearing',
  'backoff',
]);

/**
 * True for a service that is up, and for a task that has succeeded, if the manifest still calls it a
 * task.
 */
function isUpOrDone(life: LifecycleState, { oneShot }: ResolvedService): boolean {
  return isUp(life.kind) || (oneShot && life.kind === 'exited' && life.done);
}

const HAS_FAILED: ReadonlySet<StateKind> = new Set([
  'failed',
  'exited',
  'unhealthy',
  'clearing',
  'backoff',
]);

async function describe(
  lives: ServiceTable,
  { name, state: life, record }: ServiceEntry,
  abandoned: boolean,
  timing: Pick<StartedService, 'tookMs' | 'alreadyRunning'>,
): Promise<StartedService> {
  const spawned = 'leader' in life ? life.leader : null;
  const dropped = abandoned && !isUp(life.kind) ? 'given up: a stop came first' : null;
  const reason = ('reason' in life ? life.reason : null) ?? dropped;
  const log = record?.log ?? '';
  const done = life.kind === 'exited' && life.done;
  const failed = HAS_FAILED.has(life.kind) && !done;
  // A service that was never spawned in this start has no explanation in its log.
  const explains = failed && record !== null && !(life.kind === 'failed' && life.exit === null);
  return {
    name,
    state: life.kind,
    pid: spawned?.pid ?? null,
    reason,
    ...timing,
    done,
    lastLines: explains ? await lives.lastLines(name, LAST_LINES) : [],
    log,
  };
}
