import type { ServiceChange, StartedService, StartRequest } from '../../client/protocol.ts';
import type { ResolvedService } from '../../manifest/resolved.ts';
import { monotonicMs } from '../../processes/clock.ts';
import { type Needs, nextToStart, type Standing } from '../../services/lifecycle/dependencies.ts';
import type { LifecycleState, StateKind } from '../../services/lifecycle/states.ts';
import { isUp } from '../../services/lifecycle/states.ts';
import type { ServiceEntry, ServiceTable } from './entry.ts';

/** One `start` that is being carried out. */
export interface StartSession {
  /** Resolves when every service of it is up or has failed, or when it was abandoned. */
  readonly done: Promise<StartOutcome>;
  /**
   * Drops what has not been spawned yet and waits for nothing any more, so that the caller lets go of
   * the lock; what runs goes on running.
   */
  abandon(): void;
  /** To be called with every change of every service. */
  hear(change: Omit<ServiceChange, 'afterMs'>): void;
}

export interface StartOutcome {
  readonly services: readonly StartedService[];
  readonly abandoned: boolean;
}

const LAST_LINES = 20;

/** A timer may be early by less than that. */
const TIMER_MS = 5;

/**
 * Starts services in order of dependence, as parallel as the graph allows. Carries out what
 * `nextToStart` decides after each change, until nothing of this start is on its way any more.
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

  /** Of what is restarted again and again nobody knows when that will be over: its first time is the limit. */
  const giveUpAtMs = new Map<string, number>();
  /** Then nothing may happen for a long time: the pause before a restart may be minutes. */
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
    // Of a task that is being done nobody knows yet whether it succeeds.
    const isTask = lives.entry(name).service?.oneShot ?? false;
    return ON_ITS_WAY.has(now) || (isTask && now === 'running');
  };
  const states = (): ReadonlyMap<string, Standing> =>
    new Map([...lives.entries.keys()].map((name) => [name, standing(name)]));

  const advance = (): void => {
    // Everything is asked for before anything is judged, or the rest would count as not wanted. The
    // asking itself is a change that we hear of.
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
      // What runs keeps the definition that it was started with; of what was taken over this is the only one.
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
      // It is up, so this begins nothing but its liveness probe.
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
    hear(change) {
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

/** What runs is kept to what the manifest says now: nothing needs to be started again for that. */
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

/** As a task it may have succeeded; if the manifest calls it one no longer, that does not count. */
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
  // One that was never spawned in this start has nothing in the log that explains it.
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
