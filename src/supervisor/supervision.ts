/*
 * The files of this folder, which is the resident process of a project:
 *
 *   main              the entry: prepares the process, and listens
 *   supervision       puts together everything that a supervisor does
 *   context           what it was begun with
 *   watched-services  the services, and all that learns of their changes
 *   api/              its routes
 *   policies/         when it stops services
 *   services/         the state of each service
 *   log               its log, a file that stays small
 *   v8-flags          keeps its memory and its cost at rest small
 *   guard             the entry of the guard, the subreaper above it
 *   await-guard       waits until the guard is ready
 *   terminal-session  the entry of the leader of the session on a service's terminal
 *   container-init    the entry as process 1 of a container
 */

import type { SupervisedStopRequest } from '../client/protocol.ts';
import { inWords } from '../errors.ts';
import { readRecentSamples } from '../history/read.ts';
import { monotonicMs } from '../processes/clock.ts';
import { removeGroup } from '../processes/linux/control-groups.ts';
import { patienceWith } from '../processes/starvation.ts';
import type { StopReport } from '../stopping/report.ts';
import { createForegroundHolds } from './api/foreground-holds.ts';
import { supervisorRoutes } from './api/routes.ts';
import type { Route, Stream } from './api/server.ts';
import type { SupervisionContext } from './context.ts';
import { createLeaseKeeper, type LeaseKeeper } from './policies/lease-keeper.ts';
import { type PlaceWatch, watchPlace } from './policies/place-watch.ts';
import { createStops, hasLeader, type Stops } from './policies/stops.ts';
import { adoptServices, resumeRestarts } from './services/adopt.ts';
import type { Children } from './services/children.ts';
import { WatchedServices } from './watched-services.ts';

/** How far back the samples go that a new watcher gets first. */
const RECENT_MS = 5 * 60_000;

/** Time without services and connections after which the supervisor ends itself. */
const IDLE_END_MS = 5_000;

/** Everything that a supervisor does, behind its API. */
export interface Supervision {
  readonly routes: Readonly<Record<string, Route>>;
  readonly isAlone: Children['isAlone'];
  close(): void;
}

/** Begins to supervise a project. Adopts what earlier supervisors left running. */
export async function createSupervision(context: SupervisionContext): Promise<Supervision> {
  const watched = new WatchedServices(context, (request, why) =>
    supervisor.stopUnattended(request, why),
  );
  await adoptServices(context.host, watched.services, context.initialState.records);
  const supervisor = new Supervisor(context, watched);
  return supervisor;
}

/** A stop without a manifest: there is nothing to sweep, and no port that is not in a record. */
const STOP_EVERYTHING: SupervisedStopRequest = {
  names: null,
  force: false,
  graceMs: null,
  sweep: { patterns: [], scope: 'off', protect: [] },
  unprotected: false,
  declared: [],
};

/** The API of the watched services: stops, leases, holds, and the end of an idle supervisor. */
class Supervisor implements Supervision {
  readonly routes: Readonly<Record<string, Route>>;
  readonly isAlone: Children['isAlone'];
  readonly #context: SupervisionContext;
  readonly #watched: WatchedServices;
  readonly #stops: Stops;
  readonly #leases: LeaseKeeper;
  readonly #idleTimer: NodeJS.Timeout;
  readonly #place: PlaceWatch;
  #connections = 0;
  #idleSinceMs: number;

  constructor(context: SupervisionContext, watched: WatchedServices) {
    this.#context = context;
    this.#watched = watched;
    this.#idleSinceMs = monotonicMs();
    this.isAlone = watched.children.isAlone;
    this.#stops = this.#createStops();
    this.#idleTimer = setInterval(() => this.#checkIdle(), IDLE_END_MS / 2);
    this.#leases = this.#createLeases();
    this.#place = this.#watchPlace();
    this.routes = this.#createRoutes();
    watched.history.event({ atMs: Date.now(), kind: 'supervisor', what: 'began' });
  }

  async stopUnattended(request: SupervisedStopRequest, why: string): Promise<StopReport> {
    // No caller is connected, but the supervisor is not idle.
    this.#connections += 1;
    try {
      const report = await this.#stops.stopInProcess(request, why);
      this.#stops.endAfter(request, report);
      return report;
    } finally {
      this.#disconnect();
    }
  }

  close(): void {
    clearInterval(this.#idleTimer);
    this.#place.close();
    this.#leases.close();
    this.#watched.history.event({ atMs: Date.now(), kind: 'supervisor', what: 'ended' });
    this.#watched.close();
    if (this.#context.groups) removeGroup(this.#context.groups.folder);
  }

  #createStops(): Stops {
    const { host, folder, log, end } = this.#context;
    const { services, witness, starts, children } = this.#watched;
    return createStops({
      host,
      folder,
      services,
      witness,
      starts,
      hasChildren: children.hasChildren,
      runContained: children.runContained,
      onStop: (names) => {
        if (names === null) this.#watched.hooks.pause();
        else this.#watched.hooks.forget(names);
      },
      onStoppedAll: () => {
        this.#watched.hooks.resume();
        this.#leases.reread();
      },
      log,
      end,
    });
  }

  #createLeases(): LeaseKeeper {
    const { folder, table, native, initialState, log } = this.#context;
    return createLeaseKeeper({
      folder,
      table,
      initialRecord: initialState.lease,
      endWatch: native?.endWatch() ?? null,
      stop: (request, why) => this.stopUnattended(request, why),
      onEnded: (why) => this.#watched.history.event({ atMs: Date.now(), kind: 'lease', why }),
      log,
    });
  }

  #watchPlace(): PlaceWatch {
    const { host, self, folder, log, onMoved } = this.#context;
    return watchPlace({
      host,
      self,
      folder,
      onMoved: (from) => {
        this.#watched.relocate(from);
        this.#leases.relocate(from, folder.root);
        onMoved();
      },
      onRemoved: (why) => {
        log(`${why}: stopping everything`);
        this.stopUnattended(STOP_EVERYTHING, why).catch((error: unknown) =>
          log(`stopping, because ${why}: ${inWords(error)}`),
        );
      },
      log,
    });
  }

  #createRoutes(): Readonly<Record<string, Route>> {
    const { folder, self, version, capabilities, log } = this.#context;
    const { services, witness, sampler, starts, listeners, limits, children, readyWatch, hooks } =
      this.#watched;
    return supervisorRoutes({
      hello: { version, pid: self.pid, projectId: folder.mark, capabilities },
      services,
      witness,
      sampler,
      recentSamples: () => readRecentSamples(folder, RECENT_MS),
      starts,
      listeners,
      holds: createForegroundHolds({
        log,
        stop: (request, why) => this.stopUnattended(request, why),
      }),
      leases: this.#leases,
      limits,
      hooks,
      readyWatch,
      resumeRestarts: (request) => resumeRestarts(services, folder, self, request),
      ...children,
      ...this.#stops,
      checkPlace: () => this.#place.checkLocked(),
      whileConnected: (stream, work) => this.#whileConnected(stream, work),
    });
  }

  /** Counts a caller as connected until the whole answer is sent, which may be after the work. */
  #whileConnected(stream: Stream, work: () => Promise<unknown>): Promise<unknown> {
    this.#connections += 1;
    void stream.closed.then(() => this.#disconnect());
    return work();
  }

  #disconnect(): void {
    this.#connections -= 1;
    this.#idleSinceMs = monotonicMs();
  }

  #checkIdle(): void {
    this.#leases.check();
    if (this.#isBusy()) this.#idleSinceMs = monotonicMs();
    else if (monotonicMs() - this.#idleSinceMs >= idleLimitMs()) void this.#endIdle();
  }

  #isBusy(): boolean {
    const { witness, services, hooks } = this.#watched;
    if (hooks.isPending()) return true;
    return this.#connections > 0 || witness.ownedCount() > 0 || hasLeader(services);
  }

  /**
   * Ends the supervisor, unless it has become busy. Zombies are reaped first, because they would count
   * as processes below it; a start may come meanwhile.
   */
  async #endIdle(): Promise<void> {
    await this.#context.reaper?.reapNow();
    if (this.#isBusy()) return;
    this.#leases.drop();
    this.#context.end();
  }
}

/** On a busy machine a command that has started us needs longer for its first request. */
function idleLimitMs(): number {
  return patienceWith({ state: 'R' }, IDLE_END_MS);
}
