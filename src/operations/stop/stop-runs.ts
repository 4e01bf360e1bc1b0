import { stopWaves } from '../../manifest/dependency-order.ts';
import type { Claim } from '../../ownership/claim.ts';
import type { SweepRules } from '../../ownership/sweep.ts';
import type { Host } from '../../processes/host.ts';
import type { Identity } from '../../processes/identity.ts';
import type { DeclaredService } from '../../project/open-project.ts';
import type { ServiceRecord } from '../../project/service-record.ts';
import {
  commandProblem,
  type RunContained,
  runStopCommand,
} from '../../services/launch/stop-command.ts';
import { runStop } from '../../stopping/engine.ts';
import { createStopHistory, type StopHistory } from '../../stopping/history.ts';
import { scanAgain, stopUntilNothingIsFound } from '../../stopping/passes.ts';
import type { StopState, StopUnit } from '../../stopping/state.ts';
import { DEFAULT_GRACE_MS } from '../../stopping/waves.ts';
import { trackClaims } from '../../tracking/claim-tracker.ts';
import { openFilesReader } from '../../tracking/open-files.ts';
import { type ProjectState, UNATTRIBUTED } from '../../tracking/project-state.ts';
import { thawRunGroups } from '../../tracking/run-groups.ts';
import { SWEPT, trackSweep } from '../../tracking/sweep-tracker.ts';
import { recordClaims } from '../../tracking/write-ledger.ts';
import type { StopOutcome } from './outcome.ts';

export interface StopRunsRequest {
  /** Null: everything of the project. */
  readonly names: readonly string[] | null;
  /** With everything: the services that it is told of by name; missing: those of records and ledger. */
  readonly known?: readonly string[];
  readonly force: boolean;
  /** Overrides every service's own grace period, in ms. */
  readonly graceMs: number | null;
  /** Null: no sweep. */
  readonly sweep: SweepRules | null;
  /** Missing: open files and ports are no evidence here. */
  readonly closer?: {
    readonly declared: readonly DeclaredService[];
    /** True: from the first scan on. False: when all else has been proved gone. */
    readonly atOnce: boolean;
  };
  /** False: run no stop commands, for example because they have been run already. */
  readonly commands?: boolean;
}

/** What a stop needs of the world around it. */
export interface StopContext {
  readonly host: Host;
  readonly self: Identity;
  readonly state: ProjectState;
  /** Becomes true when the person asks a second time; missing: nobody does. */
  readonly forced?: () => boolean;
  /** Called with the claims that are still alive after each scan. */
  readonly watch?: (living: readonly Claim[]) => void;
  /** Missing: stop commands are run below this process, which holds nothing that they leave. */
  readonly runContained?: RunContained;
  /** Of an earlier part of the same stop, to be continued. */
  readonly history?: StopHistory;
  /** Of that part too: runs that were seen outside of their control groups. */
  readonly outside?: ReadonlySet<string>;
}

/**
 * Ends the runs of the named services, or everything, and returns when two scans in a row found
 * nothing of it, or when what is left has outlived SIGKILL. Takes no lock and removes no record.
 */
export async function stopRuns(
  context: StopContext,
  request: StopRunsRequest,
): Promise<StopOutcome> {
  const { host, state } = context;
  const beganAtMs = host.nowMs();
  const history = context.history ?? createStopHistory();
  const problems = new Set<string>();
  const names = request.names ?? request.known ?? knownNames(state);
  const units = unitsOf(state, names, request);
  const moment = await host.self();
  const remember = (claims: readonly Claim[]): void => {
    const problem = writeLedger(state, moment, claims);
    if (problem) problems.add(problem);
  };
  const over = new AbortController();
  const commands: Promise<void>[] = [];
  const unheld: string[] = [];
  const runCommand = async (name: string): Promise<void> => {
    const record = state.records.find(({ service }) => service === name);
    if (!record) return;
    const graceMs = units.find((one) => one.name === name)?.graceMs ?? 0;
    const begunMs = host.nowMs();
    const { env } = process;
    const { end, held } = (await context.runContained?.(name, env, over.signal)) ?? {
      end: await runStopCommand(state.folder, record, { env, over: over.signal }),
      held: false,
    };
    if (!held) unheld.push(name);
    const late = over.signal.aborted || host.nowMs() - begunMs >= graceMs;
    const problem = end && commandProblem(name, end, late);
    if (problem) problems.add(problem);
  };
  thawRunGroups(state);
  const { closer } = request;
  const tracking = {
    state,
    self: context.self,
    names: new Set(names),
    remember,
    ...(context.outside ? { outsideBefore: context.outside } : {}),
    ...(closer ? { readOpenFiles: openFilesReader(state, closer.declared, closer.atOnce) } : {}),
  };
  const owned = trackClaims(tracking);
  const common = {
    host,
    history,
    // Who forces may have said how long it takes.
    policy: { force: request.force, patient: request.graceMs !== null },
    forced: context.forced ?? (() => false),
    onScan: context.watch ?? (() => {}),
    runCommand: (name: string) => {
      const running = runCommand(name);
      commands.push(running);
      return running;
    },
  };

  const run = { ...common, units, source: owned };
  const look = closer ? owned.deepScan : null;
  if (closer?.atOnce) await scanAgain(run, look);
  let result: StopState;
  try {
    result = await runStop(run);
  } finally {
    // A command that outlasted its unit's grace must not outlast the proof.
    over.abort();
  }
  await Promise.all(commands);
  const end = await stopUntilNothingIsFound(run, result, look);
  result = end.state;

  const swept = request.sweep ? trackSweep(tracking, request.sweep, owned) : null;
  if (swept) {
    const sweepUnit = unit(SWEPT, 0, null, request);
    const snapshot = await host.snapshot();
    if (swept.claim(snapshot).size > 0) {
      const sweeping = await runStop({ ...common, units: [sweepUnit], source: swept });
      result = { ...result, units: new Map([...result.units, ...sweeping.units]) };
    }
    units.push(sweepUnit);
  }
  const { unended } = end;
  return {
    units,
    state: result,
    history,
    owned,
    swept,
    problems: [...problems],
    unheld,
    beganAtMs,
    unended,
  };
}

/** Every name that a record or a witnessed process speaks of. */
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
): StopUnit[] {
  const records = new Map(state.records.map((record) => [record.service, record]));
  const graph = new Map([...records].map(([name, { dependsOn }]) => [name, dependsOn]));
  const waves = stopWaves(names, graph);
  const units = waves.flatMap((wave, index) =>
    wave.map((name) => unit(name, index, records.get(name) ?? null, request)),
  );
  // Orphans that no service is known for: last, because services may still be using them.
  const last = Math.max(0, waves.length - 1);
  const nobodys = { ...unit(UNATTRIBUTED, last, null, request), awaitsCommands: true };
  return request.names === null ? [...units, nobodys] : units;
}

function unit(
  name: string,
  wave: number,
  record: ServiceRecord | null,
  request: StopRunsRequest,
): StopUnit {
  return {
    name,
    wave,
    leader: record?.leader ?? null,
    signal: record?.stop.signal ?? 'SIGTERM',
    graceMs: request.graceMs ?? record?.stop.graceMs ?? DEFAULT_GRACE_MS,
    hasCommand: request.commands !== false && (record?.stop.command ?? null) !== null,
  };
}

/** @returns what went wrong: a full disk must not keep a stop from stopping */
function writeLedger(
  state: ProjectState,
  moment: Pick<Identity, 'bootId' | 'pidNamespace'>,
  claims: readonly Claim[],
): string | null {
  try {
    recordClaims(state.folder, moment, claims);
    return null;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return `the ledger could not be written (${why}): what was seen is kept in memory only`;
  }
}
