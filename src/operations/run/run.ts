/*
 * The files of this folder: how `devctl run` runs one command with the containment of a service.
 *
 *   run         the one-off from its beginning to its result
 *   begin       takes the lock, chooses the name, writes the record, and spawns the command
 *   control     ends everything early: at a timeout, a signal, or a limit
 *   decisions   decides about signals, the exit code, and the name
 *   limits      measures the one-off at each scan
 *   suspension  mirrors Ctrl-Z between this process and the command
 *   end         finds orphans, ends them, and removes the record after the proof
 */
import { setTimeout as delay } from 'node:timers/promises';
import { DevctlError } from '../../errors.ts';
import type { Breach } from '../../limits/breach.ts';
import type { Limit } from '../../manifest/resolved.ts';
import { openProcessTable } from '../../processes/open-table.ts';
import { openHost } from '../../processes/real-host.ts';
import { controllingTerminal, retakeTerminal } from '../../processes/terminal.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import type { Exit } from '../../project/service-record.ts';
import { idle } from '../../services/lifecycle/states.ts';
import type { Proof, StopReport } from '../../stopping/report.ts';
import type { WatchedRun } from '../../tracking/adopted-leaders.ts';
import { readProjectState } from '../../tracking/project-state.ts';
import { type ScanListener, startWitness } from '../../tracking/witness.ts';
import type { StopOptions } from '../stop/options.ts';
import { type BeginOptions, type BegunRun, beginRun, type RunContext } from './begin.ts';
import { RunControl, type RunControlOptions } from './control.ts';
import type { RunCause } from './decisions.ts';
import { type EndingRun, endOneOff, findOrphans, type LeftBehind } from './end.ts';
import { watchRunLimits } from './limits.ts';
import { mirrorSuspension } from './suspension.ts';

export interface RunOptions extends Omit<BeginOptions, 'onSpawn'>, RunControlOptions {
  /** Each kind at most once. A limit that does more than warn ends everything. */
  readonly limits: readonly Limit[];
  /** Called for each limit that is exceeded. */
  readonly onBreach: (breach: Breach) => void;
  /** Called when the command runs. */
  readonly onBegun: (run: { readonly name: string; readonly pid: number }) => void;
  /** Called before everything is ended although the command still runs. */
  readonly onEnding: (cause: RunCause) => void;
  readonly onScan: StopOptions['onScan'];
}

export interface RunResult {
  readonly name: string;
  readonly pid: number;
  readonly runId: string;
  readonly tookMs: number;
  readonly cause: RunCause;
  /** The limit for which it was ended; null when it was not ended for a limit. */
  readonly breach: Breach | null;
  /** The reason of a stop that no user asked for, such as the end of a lease. Null otherwise. */
  readonly why: string | null;
  readonly exit: Exit;
  /** The processes that the command left behind when it ended by itself. They are ended by now. */
  readonly orphans: readonly LeftBehind[];
  readonly survivors: StopReport['survivors'];
  readonly proof: Proof;
  /** The report of the stop; null when there was nothing to stop. */
  readonly stop: StopReport | null;
}

const UNKNOWN: Exit = { code: null, signal: null };

/** The time in which Node reports the exit of the command, after a stop has seen its end, in ms. */
const EXIT_REPORT_MS = 2_000;

/**
 * Runs one command in a project, contained as a service is. When the command has ended, or its time is up, or a signal
 * says so, everything that it has started is ended.
 *
 * The command is a child of this process, with our own standard files and on our own terminal, so that it reads and
 * writes as if there were no devctl. This process is its witness, and its subreaper if it can be.
 *
 * @throws DevctlError as `beginRun`
 */
export async function runOneOff(folder: ProjectFolder, options: RunOptions): Promise<RunResult> {
  const table = openProcessTable();
  const host = openHost(table);
  const unsettled: RunContext = { folder, host, table, self: await host.self() };
  const startedOnTerminal = controllingTerminal()?.isForeground ?? false;
  const beganAtMs = host.nowMs();
  const control = new RunControl(host, options);
  const onSpawn = (): void => control.subscribe();
  const run = await beginRun(unsettled, { ...options, onSpawn }).catch((error: unknown) => {
    control.unsubscribe();
    throw error;
  });
  const { folderNow } = run;
  const context: RunContext = { ...unsettled, folder: folderNow() };
  const { service: name, runId } = run.record;
  const { pid } = run.leader;
  options.onBegun({ name, pid });
  const { witness, record } = witnessRun(
    context,
    run,
    limitListener(name, options, control),
    options,
  );
  const endMirror = mirrorOnTerminal(context, run);
  control.begin(run);
  try {
    const first = await Promise.race([run.exited, control.due]);
    const early = typeof first === 'string' ? first : null;
    if (early !== null) options.onEnding(early);
    control.setEnding();
    endMirror();

    const ending: Omit<EndingRun, 'folder'> = {
      ...context,
      run,
      record,
      endWitness: () => witness.setStoodDown(true),
      forced: () => control.isForced(),
      killed: typeof first !== 'string' && first.signal !== null,
      onScan: options.onScan,
    };
    const orphans =
      early === null
        ? await whereItIs(folderNow, (at) => findOrphans({ ...ending, folder: at }))
        : [];
    const { proof, survivors, report, stopped } = await whereItIs(folderNow, (at) =>
      endOneOff({ ...ending, folder: at }),
    );
    const cause = early ?? (stopped ? 'stopped' : 'ended');
    const exit = await Promise.race([run.exited, delay(EXIT_REPORT_MS, UNKNOWN, { ref: false })]);
    if (startedOnTerminal) await retakeTerminal(await host.snapshot());
    return {
      name,
      pid,
      runId,
      tookMs: Math.round(host.nowMs() - beganAtMs),
      cause,
      breach: cause === 'limit' ? control.breach() : null,
      why: stopped?.why ?? null,
      exit,
      orphans: cause === 'stopped' ? [] : orphans,
      survivors,
      proof,
      stop: report,
    };
  } finally {
    // Both would keep this process alive.
    control.unsubscribe();
    witness.stop();
    run.reaper?.stop();
  }
}

/** Does a part of the end at the place of the project, and once more after each move. */
async function whereItIs<T>(
  folderNow: () => ProjectFolder,
  part: (folder: ProjectFolder) => Promise<T>,
): Promise<T> {
  const folder = folderNow();
  try {
    return await part(folder);
  } catch (error) {
    if (!(error instanceof DevctlError && error.code === 'folder-moved')) throw error;
    return whereItIs(folderNow, part);
  }
}

/** Measures the run at each scan of the witness, and ends it at a limit that does more than warn. */
function limitListener(
  name: string,
  { limits, onBreach }: RunOptions,
  control: RunControl,
): ScanListener {
  return watchRunLimits(name, limits, (breach) => {
    onBreach(breach);
    if (breach.action !== 'warn') control.exceed(breach);
  });
}

/** @returns the function that ends the mirroring */
function mirrorOnTerminal({ host, table }: RunContext, { record, leader }: BegunRun): () => void {
  const isMirrored = record.oneOff?.terminal === true && table.kind === 'proc';
  return isMirrored ? mirrorSuspension(host, table, leader) : () => {};
}

/** Witnesses the run, and no other process of the project: those are for the supervisor to witness. */
function witnessRun(
  { folder, table, self }: RunContext,
  { record: begun, native, leader, folderNow }: BegunRun,
  listener: ScanListener,
  { warn }: RunOptions,
) {
  const state = { ...idle, kind: 'running', run: 1, leader } as const;
  const watched: WatchedRun = { name: begun.service, state, record: begun, spawnedHere: true };
  const record = () => watched.record ?? begun;
  const nothing = { records: [], ledger: [], nameless: [], legacy: [], problems: [] };
  const witness = startWitness({
    table,
    self,
    initialState: {
      ...readProjectState(folder),
      ...nothing,
      // The project may be moved while the command runs, and another one may be at its old path then.
      get folder() {
        return folderNow();
      },
    },
    runs: {
      entries: new Map([[watched.name, watched]]),
      records: () => [record()],
      dispatch: async () => {},
    },
    concerns: ({ runId }) => runId === begun.runId,
    native,
    // `endOneOff` removes the group of this run. An empty group of another run may just have been made, to be entered.
    groups: null,
    listener,
    log: warn,
    kill: async () => {},
  });
  return { witness, record };
}
