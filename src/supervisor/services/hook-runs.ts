import { inWords } from '../../errors.ts';
import { serviceCookie } from '../../ownership/cookie.ts';
import { isoTime } from '../../processes/clock.ts';
import { newRecord } from '../../project/new-record.ts';
import { readRecord, removeRecord, writeRecord } from '../../project/records.ts';
import type { ServiceRecord } from '../../project/service-record.ts';
import type { Contain } from '../../services/launch/launch.ts';
import {
  type Environment,
  runCommandToEnd,
  withoutCookie,
  withTimeLimit,
} from '../../services/launch/run-command.ts';
import type { RunSurroundings } from './entry.ts';

/** A command for an event. */
export interface HookCommand {
  readonly command: string | readonly string[];
  readonly cwd: string;
  readonly env: Environment;
  /** Absolute path of the file for its output. */
  readonly log: string;
  /** The longest time that it may take, in ms. */
  readonly limitMs: number;
}

/**
 * Runs commands for events as one-offs: each has a record of its own before it is spawned, so a stop ends it, and what it
 * has left behind, with the same proof as a service.
 */
export class HookRuns {
  readonly #context: RunSurroundings;
  /** The commands that run, by what is aborted to end one. */
  readonly #running = new Map<AbortController, Promise<unknown>>();
  /** The records of commands that `endAll` has ended: a stop removes them, if it comes so far. */
  #abandoned: ServiceRecord[] = [];

  constructor(context: RunSurroundings) {
    this.#context = context;
  }

  /** The number of commands that run. */
  count(): number {
    return this.#running.size;
  }

  /** Resolves when the commands that run now have ended. */
  async ended(): Promise<void> {
    await Promise.all(this.#running.values());
  }

  /** Ends the processes of the commands that run. A stop of everything ends what they have started, and removes the records. */
  endAll(): void {
    for (const over of this.#running.keys()) over.abort();
    this.#running.clear();
  }

  /** Removes the records that a stop of everything has left, because it did not come so far. */
  async settle(): Promise<void> {
    const { folder, log } = this.#context;
    for (const record of this.#abandoned.splice(0)) {
      const read = readRecord(folder, record.service);
      if (read.kind !== 'record' || read.record.runId !== record.runId) continue;
      await this.#end(record).catch((error: unknown) =>
        log(`${record.service}: ${inWords(error)}`),
      );
    }
  }

  /**
   * Runs a command to its end. Its record stays while it has left something behind.
   *
   * @param name no service can have it
   * @returns why it has not done its work; null: it has. Never rejects
   */
  async run(name: string, hook: HookCommand): Promise<string | null> {
    try {
      return await this.#runRecorded(this.#intent(name, hook), hook);
    } catch (error) {
      return `could not be run: ${inWords(error)}`;
    }
  }

  async #runRecorded(intent: ServiceRecord, hook: HookCommand): Promise<string | null> {
    const { folder, groups, stopTree } = this.#context;
    const { service, runId, log } = intent;
    const { command, cwd, limitMs } = hook;
    writeRecord(folder, intent);
    let record = intent;
    let noted: Promise<void> = Promise.resolve();
    const contain: Contain = (spawn) => {
      const inside = groups?.spawnInside(runId, false, spawn) ?? { child: spawn(), why: 'none' };
      const { cgroup } = record;
      if (cgroup && inside.why === null) record = { ...record, cgroup: { ...cgroup, held: true } };
      return inside;
    };
    const onBorn = (pid: number): void => {
      noted = this.#noteLeader(pid, () => record).then((known) => {
        record = known;
      });
    };
    const env = { ...withoutCookie(hook.env), ...serviceCookie(folder, service, runId) };
    const over = new AbortController();
    // It may have started the user's own browser, which only a stop can tell from the rest.
    const place = { cwd, env, log, contain, onBorn, spareGroup: true };
    const running = withTimeLimit(limitMs, over, (signal) =>
      runCommandToEnd(command, { ...place, over: signal }),
    );
    this.#running.set(over, running);
    const why = await running;
    await noted;
    if (!this.#running.delete(over)) {
      this.#abandoned.push(record);
      return why;
    }
    const { signal } = new AbortController();
    if (over.signal.aborted) await stopTree(service, { command: false, signal });
    await this.#end(record);
    return why;
  }

  /** Writes the process of the command into its record. */
  async #noteLeader(pid: number, recordNow: () => ServiceRecord): Promise<ServiceRecord> {
    const { table, folder, log } = this.#context;
    const reading = table.read(pid);
    try {
      const leader = (await reading)?.identity ?? null;
      const record: ServiceRecord = { ...recordNow(), state: 'running', leader };
      writeRecord(folder, record);
      return record;
    } catch (error) {
      log(`${recordNow().service}: its record cannot be written: ${inWords(error)}`);
      return recordNow();
    }
  }

  /** Removes the record of a command that has ended, if it is proved that nothing of it is alive. */
  async #end(record: ServiceRecord): Promise<void> {
    const { folder, processesOf } = this.#context;
    // A process may have left the control group, so an empty one is no proof here.
    const left = await processesOf(record.runId);
    if (left.length === 0) removeRecord(folder, record.service, record.runId);
    else writeRecord(folder, { ...record, state: 'exited', exitedAt: isoTime() });
  }

  #intent(name: string, { command, cwd, log }: HookCommand): ServiceRecord {
    const { folder, table, self, guard, subreaper, groups } = this.#context;
    const base = newRecord(this.#freeName(name), folder, table, self);
    return {
      ...base,
      guard,
      subreaper,
      cgroup: groups ? { path: groups.groupOf(base.runId), held: false, view: groups.view } : null,
      command,
      cwd,
      ports: [],
      dependsOn: [],
      stop: { signal: 'SIGTERM', graceMs: STOP_GRACE_MS, command: null },
      log,
      stdin: null,
      oneOff: { terminal: false, hook: true },
    };
  }

  /** An earlier run keeps its record while something of it is alive. */
  #freeName(name: string): string {
    const { folder } = this.#context;
    for (let count = 1; ; count += 1) {
      const free = count === 1 ? name : `${name}:${count}`;
      if (readRecord(folder, free).kind === 'missing') return free;
    }
  }
}

/** The grace period of a command that a stop ends, and of what it has left, in ms. */
const STOP_GRACE_MS = 1_000;
