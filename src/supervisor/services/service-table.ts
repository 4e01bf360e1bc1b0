/*
 * The files of this folder, which carries the state of each service:
 *
 *   entry          the data: one service as the supervisor knows it, and the service table
 *   service-table  feeds events into the state machine, and carries out its effects
 *   effects        the effects that take time: spawn, readiness probe, liveness probe
 *   exits          the end of a leader, and what stands for a run that goes on
 *   record         the next record of a service, after an effect
 *   rebase         services and records after a move of the project folder
 *   respawn        starts a service again after a pause, with the project lock held
 *   log-access     reads a log while it is pinned
 *   socket-owners  finds out whose the listening sockets are
 *   start-session  one `start`: several services in the order of their dependencies
 *   adopt          takes services over, stands down for a stop, resumes afterwards
 *   children       what only the parent of all services can do for a stop
 */
import { setTimeout as delay } from 'node:timers/promises';
import { inWords } from '../../errors.ts';
import { lastLines } from '../../logs/reader.ts';
import type { LivenessProbe, ResolvedService } from '../../manifest/resolved.ts';
import { monotonicMs } from '../../processes/clock.ts';
import { livesNow } from '../../processes/lives-now.ts';
import { writeLegacyFiles } from '../../project/legacy-files.ts';
import { recordedProject } from '../../project/recorded-project.ts';
import { readRecord, writeRecord } from '../../project/records.ts';
import type { ServiceRecord } from '../../project/service-record.ts';
import type { LifecycleEffect, LifecycleEvent } from '../../services/lifecycle/events.ts';
import { blockersOf, idle, isProbedForLiveness } from '../../services/lifecycle/states.ts';
import { lifecycle } from '../../services/lifecycle/table.ts';
import { probeHealth, probeReadiness, spawnService } from './effects.ts';
import type { ServiceEntry, ServiceTable, ServiceTableContext } from './entry.ts';
import { followNext } from './exits.ts';
import { withPinnedLog } from './log-access.ts';
import { rebaseRecord, rebaseRequest, rebaseService } from './rebase.ts';
import { nextRecord } from './record.ts';
import { respawn } from './respawn.ts';

export function createServiceTable(context: ServiceTableContext): ServiceTable {
  return new Services(context);
}

type Effect<Kind extends LifecycleEffect['kind']> = Extract<LifecycleEffect, { kind: Kind }>;

class Services implements ServiceTable {
  readonly entries = new Map<string, ServiceEntry>();
  readonly #context: ServiceTableContext;
  /** Writes the files for scripts at the end of this turn of the event loop; null: they are in step. */
  #filesDue: NodeJS.Immediate | null = null;

  constructor(context: ServiceTableContext) {
    this.#context = context;
  }

  entry(name: string): ServiceEntry {
    const known = this.entries.get(name);
    if (known) return known;
    const made = idleEntry(name);
    this.entries.set(name, made);
    return made;
  }

  /** A field, because the effects get it as a function of its own. */
  readonly dispatch = (name: string, event: LifecycleEvent): Promise<void> => {
    const entry = this.entry(name);
    entry.queue = entry.queue.then(() => this.#handle(entry, event));
    return entry.queue;
  };

  records(): readonly ServiceRecord[] {
    return [...this.entries.values()].flatMap(({ record, state }) =>
      record && state.kind !== 'idle' && state.kind !== 'waiting' ? [record] : [],
    );
  }

  relocate(from: string, to: string): void {
    for (const entry of this.entries.values()) {
      const { service, request, record } = entry;
      entry.service = service && rebaseService(service, from, to);
      entry.request = request && rebaseRequest(request, from, to);
      entry.record = record && {
        ...rebaseRecord(record, from, to),
        ...recordedProject(this.#context.folder),
      };
    }
    for (const record of this.records()) {
      try {
        writeRecord(this.#context.folder, record);
      } catch (error) {
        this.#context.log(`the record of ${record.service} after the move: ${inWords(error)}`);
      }
    }
  }

  bringFilesInStep(): void {
    if (this.#filesDue === null) return;
    clearImmediate(this.#filesDue);
    this.#filesDue = null;
    try {
      writeLegacyFiles(this.#context.folder, this.records(), livesNow);
    } catch (error) {
      this.#context.log(`the files for scripts: ${inWords(error)}`);
    }
  }

  async lastLines(name: string, count: number): Promise<readonly string[]> {
    const { record, logFrom, lastWords } = this.entry(name);
    if (!record) return [];
    await Promise.race([lastWords, delay(LAST_WORDS_MS, null, { ref: false })]);
    return withPinnedLog(this.#context, record, (log) => lastLines(log, count, logFrom)).catch(
      () => [],
    );
  }

  async #handle(entry: ServiceEntry, given: LifecycleEvent): Promise<void> {
    const mayGoOn = given.kind === 'exited' && entry.daemon;
    const event = mayGoOn ? await followNext(this.#context, entry, given) : given;
    const input = { nowMs: monotonicMs(), random: Math.random(), terms: entry.service };
    const { state, effects, refusal } = lifecycle(entry.state, event, input);
    if (refusal?.kind === 'impossible') {
      this.#context.log(`${entry.name}: ${event.kind} while ${entry.state.kind}: ${refusal.why}`);
    }
    entry.state = state;
    // Not an effect of the event alone: an adopted service gets its liveness probe only from the start
    // that names it.
    this.#tend(entry, 'health', entry.service?.live ?? null);
    this.#tend(entry, 'recheck', entry.service && repeatedReadiness(entry.service));
    for (const effect of effects) {
      try {
        await this.#carryOut(entry, effect);
      } catch (error) {
        const why = inWords(error);
        this.#context.log(`${entry.name}: ${effect.kind}: ${why}`);
        // Nothing may be spawned without its intent on disk, and each spawn must be answered.
        const endsSpawn = effect.kind === 'spawn' || effect.kind === 'writeRecord';
        if (!endsSpawn || state.kind !== 'spawning') continue;
        const { run } = effect;
        void this.dispatch(entry.name, { kind: 'spawnFailed', run, reason: why });
        return;
      }
    }
  }

  /** Starts or ends a repeated probe, as the state of the service asks for. */
  #tend(entry: ServiceEntry, place: 'health' | 'recheck', wanted: LivenessProbe | null): void {
    const { name, state } = entry;
    const live = isProbedForLiveness(state) ? wanted : null;
    const present = entry[place];
    if (present && (live === null || present.run !== state.run)) {
      present.controller.abort();
      entry[place] = null;
    }
    if (live === null || entry[place]) return;
    const { run } = state;
    const controller = new AbortController();
    entry[place] = { run, controller };
    const ill = place === 'health' ? 'liveness' : 'recheck';
    const { signal } = controller;
    probeHealth(this.#context, entry, { ill, run, live, signal }, this.dispatch).catch(
      (error: unknown) =>
        this.#context.log(`${name}: its ${ill} probe cannot be carried out: ${inWords(error)}`),
    );
  }

  async #carryOut(entry: ServiceEntry, effect: LifecycleEffect): Promise<void> {
    switch (effect.kind) {
      case 'writeRecord':
        this.#writeRecord(entry, effect);
        return;
      case 'spawn':
        await spawnService(this.#context, entry, effect.run, this.dispatch);
        return;
      case 'startProbe':
        this.#startProbe(entry, effect);
        return;
      case 'stopProbe':
        entry.probe?.abort();
        entry.probe = null;
        return;
      case 'stopTree':
        void this.#stopTree(entry, effect);
        return;
      case 'startPause':
        void this.#respawnAfterPause(entry, effect);
        return;
      case 'leaveTree':
      case 'stopPause':
        entry.restart?.abort();
        entry.restart = null;
        return;
      case 'tell':
        this.#reportChange(entry, effect);
    }
  }

  #writeRecord(entry: ServiceEntry, effect: Effect<'writeRecord'>): void {
    const { folder } = this.#context;
    const wasStopping = entry.record?.state === 'stopping' && effect.run === entry.run;
    entry.record = nextRecord(this.#context, entry, effect);
    entry.run = effect.run;
    // A stop removed this record after proving the process dead. Do not write it back, and do not
    // restart.
    const isRemoved = () => readRecord(folder, entry.name).kind === 'missing';
    if ((wasStopping || effect.state === 'backoff') && isRemoved()) return;
    writeRecord(folder, entry.record);
    // They name every service, so for hundreds of services that change together they are written once.
    this.#filesDue ??= setImmediate(() => this.bringFilesInStep());
  }

  #startProbe(entry: ServiceEntry, { run, late }: Effect<'startProbe'>): void {
    probeReadiness(this.#context, entry, { run, late }, this.dispatch).catch((error: unknown) => {
      const reason = `its probe cannot be carried out: ${inWords(error)}`;
      void this.dispatch(entry.name, { kind: 'probeTimedOut', run, reason });
    });
  }

  /** Ends the processes of a run. No caller waits for it, because the next event must not have to wait. */
  async #stopTree(entry: ServiceEntry, { run, command }: Effect<'stopTree'>): Promise<void> {
    entry.restart?.abort();
    const controller = new AbortController();
    entry.restart = controller;
    const { signal } = controller;
    const why = await this.#context
      .stopTree(entry.name, { command, signal })
      .catch((error: unknown) => inWords(error));
    if (signal.aborted) return;
    const { name } = entry;
    if (why === null) void this.dispatch(name, { kind: 'stopped', run });
    else void this.dispatch(name, { kind: 'stuck', run, reason: why });
  }

  async #respawnAfterPause(entry: ServiceEntry, { run, ms }: Effect<'startPause'>): Promise<void> {
    const controller = new AbortController();
    entry.restart = controller;
    const { signal } = controller;
    try {
      await respawn(this.#context, entry, { run, pauseMs: ms, signal }, this.dispatch);
    } catch (error) {
      const reason = `it cannot be started again: ${inWords(error)}`;
      void this.dispatch(entry.name, { kind: 'stuck', run, reason });
    }
  }

  #reportChange(entry: ServiceEntry, { from, to, reason, answer }: Effect<'tell'>): void {
    const { name: service, state } = entry;
    const pid = 'leader' in state ? (state.leader?.pid ?? null) : null;
    const oneShot = entry.service?.oneShot ?? false;
    const blockedBy = blockersOf(state);
    this.#context.onChange({
      type: 'change',
      service,
      from,
      to,
      reason,
      answer: answer ?? null,
      pid,
      blockedBy,
      oneShot,
    });
  }
}

/** Longest time that the last lines of a service on a terminal are waited for, in ms. */
const LAST_WORDS_MS = 1_000;

/** The number of failed rechecks in a row that make a service unhealthy. */
const RECHECK_FAILURES = 3;

/** The readiness probe as it is repeated once the service is ready; null: it is not. */
function repeatedReadiness({ ready }: ResolvedService): LivenessProbe | null {
  if (ready === null || ready.recheckMs === null) return null;
  const { check, recheckMs: intervalMs, attemptTimeoutMs } = ready;
  if (check.kind !== 'http' && check.kind !== 'tcp' && check.kind !== 'exec') return null;
  const timeoutMs = attemptTimeoutMs ?? (check.kind === 'exec' ? 30_000 : 5_000);
  return { check, timeoutMs, intervalMs, failures: RECHECK_FAILURES };
}

function idleEntry(name: string): ServiceEntry {
  return {
    name,
    state: idle,
    service: null,
    unwanted: false,
    request: null,
    run: 0,
    record: null,
    logFrom: 0,
    spawnedAtMs: 0,
    listenedBefore: new Set(),
    reliedPorts: [],
    probePids: new Set(),
    ills: new Set(),
    spawnedHere: false,
    daemon: false,
    lastWords: null,
    probed: false,
    probe: null,
    health: null,
    recheck: null,
    restart: null,
    queue: Promise.resolve(),
  };
}
