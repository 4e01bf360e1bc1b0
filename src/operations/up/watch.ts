import { setTimeout as delay } from 'node:timers/promises';
import type { ServiceChange, SupervisorEvent } from '../../client/protocol.ts';
import { isAlive } from '../../lock/holder.ts';
import { acquireLock } from '../../lock/lock.ts';
import type { ResolvedManifest } from '../../manifest/resolved.ts';
import { monotonicMs } from '../../processes/clock.ts';
import type { Host } from '../../processes/host.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import { readRecord } from '../../project/records.ts';
import type { Exit } from '../../project/service-record.ts';
import type { StateKind } from '../../services/lifecycle/states.ts';
import type { StartResult } from '../start/result.ts';
import { dedupeChanges } from './once.ts';
import type { UpOptions } from './options.ts';
import { STOPPED_BY_OTHER, type UpService, type UpVerdict, upEnded } from './verdict.ts';

interface UpWatchContext {
  readonly host: Host;
  readonly folder: ProjectFolder;
  readonly manifest: ResolvedManifest;
  readonly options: UpOptions;
}

/** Follows the services of a `devctl up`, and decides when it ends. */
export interface UpWatch {
  /** Takes an event of the supervisor. */
  onEvent(event: SupervisorEvent): void;
  /** Takes a change from the answer to a start. A change that the supervisor sends too is reported once. */
  onStartChange(change: ServiceChange): void;
  /** Takes the result of a later start, with which a new supervisor has adopted the services. */
  onRestarted(services: StartResult['services']): void;
  /** Takes the result of the first start, which is over now. */
  onStarted(services: StartResult['services']): void;
  /** Resolves when no other command is at work, and the events that it caused have arrived. */
  whenIdle(): Promise<void>;
  /** Ends the `up`, unless it has ended already. */
  end(verdict: UpVerdict): void;
  /** Null while the `up` goes on. */
  verdict(): UpVerdict | null;
  readonly ended: Promise<void>;
}

/** The time that another command, such as a restart, has to finish before the `up` is judged, in ms. */
const OTHER_COMMAND_DONE_MS = 120_000;
/** The time in which the events of such a command arrive, in ms. */
const EVENTS_MS = 500;

export function watchUp(context: UpWatchContext): UpWatch {
  return new ServicesWatch(context);
}

class ServicesWatch implements UpWatch {
  readonly ended: Promise<void>;
  readonly #context: UpWatchContext;
  readonly #report: (source: 'start' | 'hold', change: ServiceChange) => void;
  /** The services in the order in which they ended; living services come last. */
  readonly #kinds = new Map<string, StateKind>();
  readonly #exits = new Map<string, Exit | null>();
  readonly #spawnedAtMs = new Map<string, number>();
  #begun = false;
  #verdict: UpVerdict | null = null;
  #resolveEnded = (): void => {};

  constructor(context: UpWatchContext) {
    const { options } = context;
    this.#context = context;
    this.#report = dedupeChanges(options.onChange);
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    void options.askedToEnd.then((verdict) => this.end(verdict));
  }

  onEvent(event: SupervisorEvent): void {
    const { names, onBreach } = this.#context.options;
    if (event.type === 'change') {
      if (names.includes(event.service)) this.#onChange(event);
      return;
    }
    const { breach } = event;
    if (breach.service === null || names.includes(breach.service)) onBreach(breach);
  }

  onStartChange(change: ServiceChange): void {
    this.#report('start', change);
  }

  onStarted(services: StartResult['services']): void {
    this.#begun = true;
    this.onRestarted(services);
  }

  onRestarted(services: StartResult['services']): void {
    // An event may be newer than this result. Only a service that ran before has had none.
    for (const { name, state } of services) {
      if (!this.#kinds.has(name)) this.#kinds.set(name, state);
    }
    this.#endIfOver();
  }

  async whenIdle(): Promise<void> {
    const { host, folder } = this.#context;
    const lock = await acquireLock(folder, {
      identity: await host.self(),
      command: 'up',
      isAlive: (holder) => isAlive(host, holder),
      waitMs: OTHER_COMMAND_DONE_MS,
    });
    if (lock.kind === 'held') lock.release();
    await delay(EVENTS_MS);
  }

  end(verdict: UpVerdict): void {
    this.#verdict ??= verdict;
    this.#resolveEnded();
  }

  verdict(): UpVerdict | null {
    return this.#verdict;
  }

  #onChange(change: ServiceChange): void {
    const { service, to } = change;
    // Deleted first, so that the map is in the order of the latest changes.
    this.#kinds.delete(service);
    this.#kinds.set(service, to);
    const read = readRecord(this.#context.folder, service);
    this.#exits.set(service, read.kind === 'record' ? read.record.exit : null);
    const nowMs = monotonicMs();
    if (to === 'spawning') this.#spawnedAtMs.set(service, nowMs);
    const afterMs = Math.round(nowMs - (this.#spawnedAtMs.get(service) ?? nowMs));
    this.#report('hold', { ...change, afterMs });
    this.#endIfOver();
  }

  #endIfOver(): void {
    // The changes of our own stop decide nothing.
    if (this.#verdict) return;
    const found = this.#judge();
    if (!found) return;
    // A restart takes services down too: wait for it, because the `up` goes on with the services that it starts.
    const { exitCodeFrom } = this.#context.options;
    const isNamedStopped = this.#kinds.get(exitCodeFrom ?? '') === 'idle';
    if (this.#begun && (isNamedStopped || this.#isAllStopped())) {
      void this.whenIdle().then(() => this.#endIfStillOver());
    } else this.end(found);
  }

  #endIfStillOver(): void {
    const found = this.#isAllStopped() ? STOPPED_BY_OTHER : this.#judge();
    if (found) this.end(found);
  }

  #judge(): UpVerdict | null {
    const { manifest, options } = this.#context;
    const services = [...this.#kinds].map(
      ([name, kind]): UpService => ({
        name,
        kind,
        exit: this.#exits.get(name) ?? null,
        oneShot: manifest.services[name]?.oneShot ?? false,
      }),
    );
    return upEnded(services, options, this.#begun);
  }

  #isAllStopped(): boolean {
    return [...this.#kinds.values()].every((kind) => kind === 'idle');
  }
}
