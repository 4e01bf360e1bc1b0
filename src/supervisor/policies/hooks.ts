import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { NotifyRequest, ServiceChange } from '../../client/protocol.ts';
import type { Breach } from '../../limits/breach.ts';
import { breachInWords } from '../../limits/words.ts';
import type { HookName } from '../../manifest/resolved.ts';
import { monotonicMs } from '../../processes/clock.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import { desktopMessage, NOTIFY_SEND_MS } from '../../services/hooks/desktop.ts';
import {
  eventVariables,
  exitOf,
  type HookEvent,
  hookNamesOf,
} from '../../services/hooks/events.ts';
import {
  addEvent,
  closedGate,
  endCommand,
  type Gate,
  openGate,
} from '../../services/hooks/gate.ts';
import type { ServiceTable } from '../services/entry.ts';
import type { HookCommand, HookRuns } from '../services/hook-runs.ts';

interface HooksContext {
  readonly folder: ProjectFolder;
  readonly services: Pick<ServiceTable, 'entry'>;
  readonly runs: HookRuns;
  readonly log: (line: string) => void;
}

/** The longest time of a hook, in ms. */
const HOOK_MS = 30_000;
/** The longest time for which a stop at a limit waits until it is told, in ms. */
const TELL_MS = 2_000;
/** The events that `notify` tells of. */
const NOTIFIED: ReadonlySet<HookName> = new Set(['failed', 'limit']);

/**
 * Runs the commands that the manifest names for events: `on` of a service, and `notify`.
 *
 * A command is a one-off of its own: a restart of the service leaves it alone, and a stop of everything ends it, with what
 * it has left behind.
 */
export class Hooks {
  readonly #context: HooksContext;
  /** By a name for the command, which also is in the mark of its processes: `web:on:failed`. No service can have it. */
  readonly #gates = new Map<string, Gate<HookEvent>>();
  /** The run of each service whose `ready` has been told. */
  readonly #told = new Map<string, number>();
  /** The number of stops of everything that are under way. */
  #pauses = 0;
  #notify: NotifyRequest | null = null;
  #env: Readonly<Record<string, string>> = {};
  /** The keys of `#gates` that a timer runs for. */
  readonly #timed = new Set<string>();

  constructor(context: HooksContext) {
    this.#context = context;
  }

  /** Sets how somebody is told, as the latest start has it, and the environment of that start. */
  setProject(notify: NotifyRequest | null, env: Readonly<Record<string, string>>): void {
    this.#notify = notify;
    this.#env = env;
  }

  onChange({ service, from, to, reason }: Omit<ServiceChange, 'afterMs'>): void {
    const { state } = this.#context.services.entry(service);
    const exit = exitOf(state);
    const atMs = Date.now();
    for (const name of hookNamesOf(from, state)) {
      if (name !== 'ready') this.#tell({ name, service, reason, exit, atMs });
      else this.#tellReady(service, state.run);
    }
    if (to === 'running') this.#awaitSettled(service, state.run);
  }

  onBreach(breach: Breach): void {
    const { service, atMs } = breach;
    this.#tell({ name: 'limit', service, reason: breachInWords(breach), exit: null, atMs });
  }

  /** Ends the commands that run, and runs no others until `resume`: a stop of everything has read which there are. */
  pause(): void {
    this.#pauses += 1;
    this.#context.runs.endAll();
    this.#gates.clear();
  }

  resume(): void {
    this.#pauses -= 1;
    if (this.#pauses === 0) void this.#context.runs.settle();
  }

  /** Forgets the events of these services that wait, because somebody has asked for their stop. */
  forget(services: readonly string[]): void {
    for (const [key, gate] of this.#gates) {
      if (services.some((name) => key.startsWith(`${name}:`))) {
        this.#gates.set(key, { ...gate, folded: null });
      }
    }
  }

  /** True while a command runs, or an event waits for one. */
  isPending(): boolean {
    const isWaiting = [...this.#gates.values()].some(({ folded }) => folded !== null);
    return isWaiting || this.#context.runs.count() > 0;
  }

  /** Resolves when the commands that run have ended, after 2 s at the latest. */
  async told(): Promise<void> {
    await Promise.race([this.#context.runs.ended(), delay(TELL_MS, null, { ref: false })]);
  }

  /** A service without a probe is up when it has lived for its settle time, as for `start`. */
  #awaitSettled(service: string, run: number): void {
    const entry = this.#context.services.entry(service);
    const timer = setTimeout(() => {
      if (entry.state.kind === 'running' && entry.state.run === run) this.#tellReady(service, run);
    }, entry.service?.settleMs ?? 0);
    timer.unref();
  }

  #tellReady(service: string, run: number): void {
    if (this.#told.get(service) === run) return;
    this.#told.set(service, run);
    this.#tell({ name: 'ready', service, reason: null, exit: null, atMs: Date.now() });
  }

  #tell(event: HookEvent): void {
    const { name, service } = event;
    const hook =
      service === null ? undefined : this.#context.services.entry(service).service?.on[name];
    if (hook !== undefined) this.#add(`${service}:on:${name}`, event);
    if (this.#notify !== null && NOTIFIED.has(name))
      this.#add(`${service ?? ''}:notify:${name}`, event);
  }

  #add(key: string, event: HookEvent): void {
    if (this.#pauses > 0) return;
    this.#gates.set(key, addEvent(this.#gates.get(key) ?? closedGate, event));
    this.#advance(key);
  }

  #advance(key: string): void {
    const { gate, run, againInMs } = openGate(this.#gates.get(key) ?? closedGate, monotonicMs());
    this.#gates.set(key, gate);
    if (againInMs !== null) this.#advanceLater(key, againInMs);
    if (run === null) return;
    void this.#run(key, run.event, run.count).then(() => {
      this.#gates.set(key, endCommand(this.#gates.get(key) ?? closedGate));
      this.#advance(key);
    });
  }

  /** A crash loop brings many events, of which one timer is enough. */
  #advanceLater(key: string, afterMs: number): void {
    if (this.#timed.has(key)) return;
    this.#timed.add(key);
    const timer = setTimeout(() => {
      this.#timed.delete(key);
      this.#advance(key);
    }, afterMs);
    timer.unref();
  }

  async #run(key: string, event: HookEvent, count: number): Promise<void> {
    const found = key.includes(':notify:') ? this.#notifyCommand(event) : this.#hookCommand(event);
    if (typeof found === 'string') {
      this.#context.log(`${key}: nobody was told: ${found}`);
      return;
    }
    const env = { ...found.env, ...eventVariables(event, count) };
    const why = await this.#context.runs.run(key, { ...found, env });
    if (why !== null) this.#context.log(`${key}: its command ${why}`);
  }

  #hookCommand({ name, service }: HookEvent): HookCommand | string {
    const entry = this.#context.services.entry(service ?? '');
    const { service: defined = null, record, request } = entry;
    const command = defined?.on[name];
    if (!defined || command === undefined) return 'it is not looked after any more';
    const env = { ...(request?.env ?? this.#env), ...defined.env };
    const { cwd } = defined;
    return { command, cwd, env, log: record?.log ?? this.#ownLog(), limitMs: HOOK_MS };
  }

  #notifyCommand(event: HookEvent): HookCommand | string {
    const notify = this.#notify;
    if (notify === null) return 'its manifest has no notify any more';
    const { root } = this.#context.folder;
    const place = { cwd: root, log: this.#ownLog() };
    if (notify.how !== 'desktop') {
      return { ...place, command: notify.how.command, env: this.#env, limitMs: HOOK_MS };
    }
    const message = desktopMessage(event, notify.project, this.#env);
    return typeof message === 'string'
      ? message
      : { ...place, ...message, limitMs: NOTIFY_SEND_MS };
  }

  #ownLog(): string {
    return join(this.#context.folder.pidsDir, 'supervisor.log');
  }
}
