import { stopWaves } from '../../manifest/dependency-order.ts';
import type { Claim } from '../../ownership/claim.ts';
import type { SweepRules } from '../../ownership/sweep.ts';
import type { Host } from '../../processes/host.ts';
import type { Identity } from '../../processes/identity.ts';
import type { DeclaredService } from '../../project/open-project.ts';
import type { ServiceRecord } from '../../project/service-record.ts';
import { eventVariables } from '../../services/hooks/events.ts';
import { withTimeLimit } from '../../services/launch/run-command.ts';
import {
  commandProblem,
  type RunContained,
  runStopCommand,
  runStoppedHook,
} from '../../services/launch/stop-command.ts';
import { runStop, type StopRun } from '../../stopping/engine.ts';
import { createStopHistory, type StopHistory } from '../../stopping/history.ts';
import { scanAgain, stopUntilNothingIsFound } from '../../stopping/passes.ts';
import type { StopState, StopUnit } from '../../stopping/state.ts';
import { DEFAULT_GRACE_MS } from '../../stopping/waves.ts';
import {
  type ClaimTracker,
  type ClaimTrackerOptions,
  trackClaims,
} from '../../tracking/claim-tracker.ts';
import { openFilesReader, outputsReader } from '../../tracking/open-files.ts';
import { type ProjectState, UNATTRIBUTED } from '../../tracking/project-state.ts';
import { thawRunGroups } from '../../tracking/run-groups.ts';
import { SWEPT, trackSweep } from '../../tracking/sweep-tracker.ts';
import { recordClaims } from '../../tracking/write-ledger.ts';
import type { StopOutcome } from './outcome.ts';

/** The longest time of a hook for `stopped`, in ms: the stop waits for it. */
const STOPPED_HOOK_MS = 5_000;
/** How soon a second Ctrl-C ends such a hook, in ms. */
const FORCED_POLL_MS = 100;

export interface StopRunsRequest {
  /** Null: everything of the project. */
  readonly names: readonly string[] | null;
  /** The services that a stop of everything reports by name. Default: those of the records and the ledger. */
  readonly known?: readonly string[];
  readonly force: boolean;
  /** Replaces the grace period of every service, in ms. */
  readonly graceMs: number | null;
  /** Null: no sweep. */
  readonly sweep: SweepRules | null;
  /** How open files and ports serve as evidence. Missing: they do not. */
  readonly deepScan?: {
    readonly declared: readonly DeclaredService[];
    /** True: from the first scan on. False: only when everything else is proved gone. */
    readonly atOnce: boolean;
    /** True: ports do not serve. Default: false. */
    readonly outputsOnly?: boolean;
  };
  /** False: run no stop commands, for example because they have run already. Default: true. */
  readonly commands?: boolean;
  /** True: run the hooks for `stopped`, which a restart by policy does not. Default: false. */
  readonly hooks?: boolean;
}

/** The surroundings of a stop: the machine, the records, and the callbacks of the caller. */
export interface StopContext {
  readonly host: Host;
  readonly self: Identity;
  readonly state: ProjectState;
  /** Becomes true when the user asks a second time. Missing: nobody asks. */
  readonly forced?: () => boolean;
  /** Called after each scan with the claims that are still alive. */
  readonly onScan?: (living: readonly Claim[]) => void;
  /** Missing: stop commands are children of this process, which does not contain the processes that they leave. */
  readonly runContained?: RunContained;
  /** True: ends the protected processes too. Default: false. */
  readonly unprotected?: boolean;
  /** The history of an earlier part of the same stop, which this part continues. */
  readonly history?: StopHistory;
  /** Runs of which that part saw a process outside their control group. */
  readonly outside?: ReadonlySet<string>;
}

/**
 * Ends the runs of the named services, or everything. Returns when two scans in a row have found nothing, or when the
 * remaining processes have outlived SIGKILL. Takes no lock and removes no record.
 */
export async function stopRuns(
  context: StopContext,
  request: StopRunsRequest,
): Promise<StopOutcome> {
  return new RunsStop(context, request).stop();
}

/** One call of `stopRuns`. */
class RunsStop {
  readonly #context: StopContext;
  readonly #request: StopRunsRequest;
  readonly #beganAtMs: number;
  readonly #history: StopHistory;
  readonly #names: readonly string[];
  readonly #units: readonly StopUnit[];
  readonly #problems = new Set<string>();
  readonly #commands: Promise<void>[] = [];
  readonly #uncontainedCommands: string[] = [];
  /** Aborted when the units are proved gone: then a stop command that still runs is killed. */
  readonly #unitsOver = new AbortController();

  constructor(context: StopContext, request: StopRunsRequest) {
    const { host, state, history } = context;
    this.#context = context;
    this.#request = request;
    this.#beganAtMs = host.nowMs();
    this.#history = history ?? createStopHistory();
    this.#names = request.names ?? request.known ?? knownNames(state);
    this.#units = unitsOf(state, this.#names, request);
  }

  async stop(): Promise<StopOutcome> {
    thawRunGroups(this.#context.state);
    const tracking = this.#tracking();
    const owned = trackClaims(tracking);
    const { state, unended } = await this.#stopUnits(owned);
    const sweep = await this.#sweep(tracking, owned);
    return {
      units: [...this.#units, ...sweep.units],
      state: { ...state, units: new Map([...state.units, ...sweep.states]) },
      history: this.#history,
      owned,
      swept: sweep.swept,
      problems: [...this.#problems],
      uncontainedCommands: this.#uncontainedCommands,
      beganAtMs: this.#beganAtMs,
      unended,
    };
  }

  #tracking(): ClaimTrackerOptions {
    const { state, self, outside, unprotected = false } = this.#context;
    return {
      state,
      self,
      names: new Set(this.#names),
      ...(this.#request.names ? { wanted: new Set(this.#names) } : {}),
      protects: !unprotected,
      remember: (claims) => this.#writeLedger(claims),
      ...(outside ? { outsideBefore: outside } : {}),
      ...this.#openFiles(),
    };
  }

  #openFiles(): Pick<ClaimTrackerOptions, 'readOpenFiles'> {
    const { state } = this.#context;
    const { deepScan } = this.#request;
    if (!deepScan) return {};
    const { declared, atOnce, outputsOnly = false } = deepScan;
    return {
      readOpenFiles: outputsOnly ? outputsReader(state) : openFilesReader(state, declared, atOnce),
    };
  }

  async #stopUnits(owned: ClaimTracker) {
    const { deepScan } = this.#request;
    const run: StopRun = { ...this.#engineInput(), units: this.#units, source: owned };
    const look = deepScan ? owned.deepScan : null;
    // A terminal is known to be ours only until its holder ends, which it does with the units.
    const hasTerminal = this.#units.some(({ terminal }) => terminal !== undefined);
    if (deepScan && (deepScan.atOnce || hasTerminal)) await scanAgain(run, look);
    let ended: StopState;
    try {
      ended = await runStop(run);
    } finally {
      // A command that outlasted the grace period of its unit must not outlast the proof.
      this.#unitsOver.abort();
    }
    await Promise.all(this.#commands);
    if (await this.#runHooks(ended)) ended = await stopAgain(run, ended);
    return stopUntilNothingIsFound(run, ended, look);
  }

  /**
   * Runs the hooks of the services that this stop has ended.
   *
   * @returns true where there were any: they may have left something, so the proof begins anew
   */
  async #runHooks({ units }: StopState): Promise<boolean> {
    if (!this.#request.hooks || this.#request.force || this.#isForced()) return false;
    const seen = new Set(this.#history.entries().map(({ claim }) => claim.service));
    const hooked = this.#context.state.records.filter(
      ({ service, stop }) =>
        stop.stopped !== undefined &&
        seen.has(service) &&
        units.get(service)?.phase.kind === 'ended',
    );
    await Promise.all(hooked.map((record) => this.#runHook(record)));
    return hooked.length > 0;
  }

  #isForced(): boolean {
    return this.#context.forced?.() ?? false;
  }

  async #runHook(record: ServiceRecord): Promise<void> {
    const { state, runContained } = this.#context;
    const { service } = record;
    const event = { name: 'stopped', service, reason: null, exit: null, atMs: Date.now() } as const;
    const env = { ...process.env, ...eventVariables(event, 1) };
    const limit = new AbortController();
    const timer = setInterval(() => {
      if (this.#isForced()) limit.abort();
    }, FORCED_POLL_MS);
    const why = await withTimeLimit(STOPPED_HOOK_MS, limit, async (over) => {
      const { end, held } = (await runContained?.(service, env, over, true)) ?? {
        end: await runStoppedHook(state.folder, record, { env, over }),
        held: false,
      };
      if (!held) this.#uncontainedCommands.push(service);
      return end;
    });
    clearInterval(timer);
    if (why) this.#problems.add(`${service}: its hook for "stopped" ${why}`);
  }

  #engineInput(): Omit<StopRun, 'units' | 'source'> {
    const { host, forced = () => false, onScan = () => {} } = this.#context;
    const { force, graceMs } = this.#request;
    return {
      host,
      history: this.#history,
      // With force too, a grace period that the user has chosen holds.
      policy: { force, patient: graceMs !== null },
      forced,
      onScan,
      runCommand: (name) => {
        const running = this.#runCommand(name);
        this.#commands.push(running);
        return running;
      },
    };
  }

  async #runCommand(name: string): Promise<void> {
    const { host, state, runContained } = this.#context;
    const record = state.records.find(({ service }) => service === name);
    if (!record) return;
    const graceMs = this.#units.find((unit) => unit.name === name)?.graceMs ?? 0;
    const begunMs = host.nowMs();
    const { env } = process;
    const over = this.#unitsOver.signal;
    const { end, held } = (await runContained?.(name, env, over)) ?? {
      end: await runStopCommand(state.folder, record, { env, over }),
      held: false,
    };
    if (!held) this.#uncontainedCommands.push(name);
    const late = over.aborted || host.nowMs() - begunMs >= graceMs;
    const problem = end && commandProblem(name, end, late);
    if (problem) this.#problems.add(problem);
  }

  async #sweep(tracking: ClaimTrackerOptions, owned: ClaimTracker) {
    const { sweep } = this.#request;
    const states: StopState['units'] = new Map();
    if (!sweep) return { swept: null, units: [], states };
    const swept = trackSweep(tracking, sweep, owned);
    const units = [unitOf(SWEPT, 0, null, this.#request)];
    const snapshot = await this.#context.host.snapshot();
    if (swept.claim(snapshot).size === 0) return { swept, units, states };
    const ended = await runStop({ ...this.#engineInput(), units, source: swept });
    return { swept, units, states: ended.units };
  }

  /** Writes the ledger. A failure becomes a problem of the report: a full disk must not keep a stop from stopping. */
  #writeLedger(claims: readonly Claim[]): void {
    const { state, self } = this.#context;
    try {
      recordClaims(state.folder, self, claims);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#problems.add(
        `the ledger could not be written (${why}): what was seen is kept in memory only`,
      );
    }
  }
}

/** Stops the units once more that were proved gone. One of which nothing is found ended when it did before. */
async function stopAgain(run: StopRun, before: StopState): Promise<StopState> {
  const gone = run.units.filter(({ name }) => before.units.get(name)?.phase.kind === 'ended');
  const units = gone.map((unit) => ({ ...unit, hasCommand: false }));
  const after = await runStop({ ...run, units });
  const found = [...after.units].filter(
    ([, { phase, asked }]) => phase.kind !== 'ended' || asked.size > 0,
  );
  return { ...before, units: new Map([...before.units, ...found]) };
}

/** Every service name in the records and the ledger. */
export function knownNames(state: ProjectState): readonly string[] {
  const witnessed = state.ledger.map(({ service }) => service);
  const names = new Set([...state.records.map(({ service }) => service), ...witnessed]);
  names.delete(UNATTRIBUTED);
  return [...names];
}

function unitsOf(
  state: ProjectState,
  names: readonly string[],
  request: StopRunsRequest,
): readonly StopUnit[] {
  const records = new Map(state.records.map((record) => [record.service, record]));
  const graph = new Map([...records].map(([name, { dependsOn }]) => [name, dependsOn]));
  const waves = stopWaves(names, graph);
  const units = waves.flatMap((wave, index) =>
    wave.map((name) => unitOf(name, index, records.get(name) ?? null, request)),
  );
  // Orphans of no known service come last, because services may still use them.
  const last = Math.max(0, waves.length - 1);
  const unattributed = { ...unitOf(UNATTRIBUTED, last, null, request), awaitsCommands: true };
  return request.names === null ? [...units, unattributed] : units;
}

function unitOf(
  name: string,
  wave: number,
  record: ServiceRecord | null,
  request: StopRunsRequest,
): StopUnit {
  return {
    name,
    wave,
    leader: record?.leader ?? null,
    ...(record?.terminal ? { terminal: record.terminal } : {}),
    signal: record?.stop.signal ?? 'SIGTERM',
    graceMs: request.graceMs ?? record?.stop.graceMs ?? DEFAULT_GRACE_MS,
    hasCommand: request.commands !== false && (record?.stop.command ?? null) !== null,
  };
}
