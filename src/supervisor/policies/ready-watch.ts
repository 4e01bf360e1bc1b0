import { monotonicMs } from '../../processes/clock.ts';
import { isUp } from '../../services/lifecycle/states.ts';
import { whyNotListening } from '../../services/probes/whose-socket.ts';
import { reportIll, reportWell } from '../services/effects.ts';
import type { ServiceEntry, ServiceTable } from '../services/entry.ts';
import type { SocketOwners } from '../services/socket-owners.ts';

export interface ReadyWatchContext {
  readonly services: ServiceTable;
  readonly sockets: SocketOwners;
  /** True where another program (lsof) lists the sockets, which takes a second of CPU time on some machines. */
  readonly isSlow: boolean;
  readonly log: (line: string) => void;
}

/** Pause between two looks at the listening sockets of all services, in ms. */
const LOOK_MS = 10_000;
const SLOW_LOOK_MS = 60_000;
/** The same after a look that missed a socket. */
const MISSED_MS = 2_000;
/** The number of looks in a row that miss a socket of a service before it counts as unhealthy. */
const MOST_MISSES = 3;
/** A look that is later than that says that this process slept or starved, and perhaps the service did, too; in ms. */
const LATE_MS = 5_000;

/**
 * Watches whether the services that became ready by a port, or by an answer on one, are still listened for. One look serves
 * all of them, and asks none of them. It never restarts a service: only a liveness probe does.
 */
export class ReadyWatch {
  readonly #context: ReadyWatchContext;
  /** Number of looks in a row that have missed a socket, by service. */
  readonly #misses = new Map<string, { readonly run: number; readonly count: number }>();
  #timer: NodeJS.Timeout | undefined;
  #dueMs = 0;
  #closed = false;

  constructor(context: ReadyWatchContext) {
    this.#context = context;
    this.#timer = this.#schedule();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  /** Looks at once, for a start that is about to call services up: one miss is enough then. */
  async lookNow(): Promise<void> {
    if (![...this.#context.services.entries.values()].some(isWatched)) return;
    await this.#look(false, 1);
    if (this.#misses.size > 0 && !this.#closed) this.#timer = this.#schedule();
  }

  #schedule(): NodeJS.Timeout {
    clearTimeout(this.#timer);
    const restMs = this.#context.isSlow ? SLOW_LOOK_MS : LOOK_MS;
    const pauseMs = this.#misses.size > 0 && !this.#context.isSlow ? MISSED_MS : restMs;
    this.#dueMs = monotonicMs() + pauseMs;
    return setTimeout(() => void this.#lookAndGoOn(), pauseMs);
  }

  async #lookAndGoOn(): Promise<void> {
    try {
      await this.#look(monotonicMs() - this.#dueMs > LATE_MS, MOST_MISSES);
    } catch (error) {
      this.#context.log(`looking at the sockets of services: ${error}`);
    }
    if (!this.#closed) this.#timer = this.#schedule();
  }

  async #look(isLate: boolean, mostMisses: number): Promise<void> {
    const { services, sockets, log } = this.#context;
    const watched = [...services.entries.values()].filter(isWatched);
    for (const name of this.#misses.keys()) {
      if (!watched.some((entry) => entry.name === name)) this.#misses.delete(name);
    }
    for (const entry of watched) {
      // One list of sockets serves all: see `SocketOwners`.
      const held = await sockets.held(entry.reliedPorts, entry);
      if (held === null) return;
      const scope = entry.service?.ready?.check.kind === 'ports' ? 'service' : 'project';
      const terms = { service: entry.name, scope, before: entry.listenedBefore } as const;
      const why = whyNotListening(entry.reliedPorts, held, terms);
      if (why === null) this.#found(entry);
      else if (!isLate) this.#missed(entry, why, mostMisses);
      else log(`${entry.name}: ${why}, but this look came too late to count`);
    }
  }

  #found(entry: ServiceEntry): void {
    this.#misses.delete(entry.name);
    if (!entry.ills.has('sockets')) return;
    reportWell(entry, { ill: 'sockets', run: entry.state.run }, this.#context.services.dispatch);
  }

  #missed(entry: ServiceEntry, why: string, mostMisses: number): void {
    const { name, state } = entry;
    const { run } = state;
    const before = this.#misses.get(name);
    const count = (before?.run === run ? before.count : 0) + 1;
    this.#misses.set(name, { run, count });
    if (count < mostMisses || entry.ills.has('sockets')) return;
    const reason = `${why} any more`;
    reportIll(entry, { ill: 'sockets', run, reason }, this.#context.services.dispatch);
  }
}

/** True for a service that is ready by its sockets, or would be if they were there. */
function isWatched({ state, reliedPorts }: ServiceEntry): boolean {
  if (reliedPorts.length === 0) return false;
  return isUp(state.kind) || (state.kind === 'unhealthy' && state.was === 'ready');
}
