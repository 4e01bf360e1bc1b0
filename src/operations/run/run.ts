import { setTimeout as pause } from 'node:timers/promises';
import type { Breach } from '../../limits/evaluate.ts';
import type { Limit } from '../../manifest/resolved.ts';
import type { Identity } from '../../processes/identity.ts';
import { openProcessTable } from '../../processes/open-table.ts';
import { openHost } from '../../processes/real-host.ts';
import { controllingTerminal, retakeTerminal } from '../../processes/terminal.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import type { Exit } from '../../project/service-record.ts';
import { idle } from '../../services/lifecycle/states.ts';
import type { Proof, StopReport } from '../../stopping/report.ts';
import type { WatchedRun } from '../../tracking/adopted-leaders.ts';
import { readProjectState } from '../../tracking/project-state.ts';
import { startWitness, type WitnessContext } from '../../tracking/witness.ts';
import type { StopOptions } from '../stop/options.ts';
import { type BeginOptions, type BegunRun, beginRun, type RunPlace } from './begin.ts';
import { onRunSignal, type RunCause, type RunSignal, type SignalSituation } from './decisions.ts';
import { type EndingRun, endOneOff, findOrphans, type LeftBehind } from './end.ts';
import { watchRunLimits } from './limits.ts';
import { mirrorSuspension } from './suspension.ts';

export interface RunOptions extends BeginOptions {
  /** At most what a timer of Node can be, as every duration is (`LONGEST_MS`). Null: it may take for ever. */
  readonly timeoutMs: number | null;
  /** Each kind at most once; beyond one that does not only warn, everything is ended. */
  readonly limits: readonly Limit[];
  /** Told of each limit that is exceeded. */
  readonly breached: (breach: Breach) => void;
  /** Calls back for each signal that this process gets; returns how to end that. */
  readonly hearSignals: (listen: (signal: RunSignal) => void) => () => void;
  /** Told once it runs. */
  readonly begun: (run: { readonly name: string; readonly pid: number }) => void;
  /** Told before everything is ended although the command has not. */
  readonly ending: (cause: RunCause) => void;
  readonly watch: StopOptions['onScan'];
}

export interface RunResult {
  readonly name: string;
  readonly pid: number;
  readonly runId: string;
  readonly tookMs: number;
  readonly cause: RunCause;
  /** The limit that it was ended for; null where that was not why. */
  readonly breach: Breach | null;
  /** What the stop that ended it was for, where nobody had asked for one: a lease, a limit of the project. */
  readonly why: string | null;
  readonly exit: Exit;
  /** What the command left behind when it ended by itself; ended by now. */
  readonly orphans: readonly LeftBehind[];
  readonly survivors: StopReport['survivors'];
  readonly proof: Proof;
  /** Of the stop; null where there was nothing to stop. */
  readonly stop: StopReport | null;
}

const UNKNOWN: Exit = { code: null, signal: null };

/** How long the news of the command's end may take after a stop that has seen it. */
const EXIT_MS = 2_000;

/**
 * Runs one command in a project, held as a service is, and ends everything that it has started when it has
 * ended, or its time is up, or we are told to.
 *
 * The command is a child of this process, with our own files and on our own terminal, so that what it shows
 * and asks is as if there were no devctl. This process is its witness, and its subreaper where it can be.
 *
 * @throws DevctlError as `beginRun`
 */
export async function runOneOff(folder: ProjectFolder, options: RunOptions): Promise<RunResult> {
  const table = openProcessTable();
  const host = openHost(table);
  const place: RunPlace = { folder, host, table, self: await host.self() };
  const startedOnTerminal = controllingTerminal()?.isForeground ?? false;
  const beganAtMs = host.nowMs();
  const early: RunSignal[] = [];
  let hear = (signal: RunSignal): void => void early.push(signal);
  let unlisten = (): void => {};
  const spawning = (): void => {
    unlisten = options.hearSignals((signal) => hear(signal));
  };
  const run = await beginRun(place, { ...options, spawning }).catch((error: unknown) => {
    unlisten();
    throw error;
  });
  const { exited } = run;
  const watched = watchedRun(run);
  const { service: name, runId, oneOff } = run.record;
  options.begun({ name, pid: run.leader.pid });
  let breach: Breach | null = null;
  const listener = watchRunLimits(name, options.limits, (found) => {
    options.breached(found);
    if (found.action === 'warn') return;
    breach ??= found;
    control.exceed();
  });
  const { witness, record } = witnessRun(place, run, watched, {
    listener: listener,
    log: options.warn,
  });
  const onTerminal = oneOff?.terminal ?? false;
  const mirrored = onTerminal && table.kind === 'proc' ? mirrorSuspension(host, run.leader) : null;

  let cause: RunCause = 'ended';
  let ended = false;
  const control = openControl(place, run, options, onTerminal);
  hear = control.hear;
  for (const signal of early) hear(signal);
  try {
    const exit = await Promise.race([exited, control.due]);
    if (exit === 'timed-out' || exit === 'interrupted' || exit === 'limit') {
      cause = exit;
      options.ending(cause);
    } else ended = true;
    control.setEnding();
    mirrored?.();

    const { forced } = control;
    const killed = typeof exit === 'object' && exit.signal !== null;
    const { watch } = options;
    const ending: EndingRun = { ...place, run, witness, record, forced, killed, watch };
    const orphans = ended ? await findOrphans(ending) : [];
    const { proof, survivors, report, stopped } = await endOneOff(ending);
    if (stopped && cause === 'ended') cause = 'stopped';
    const last = await Promise.race([exited, pause(EXIT_MS, UNKNOWN, { ref: false })]);
    if (startedOnTerminal) await retakeTerminal(await host.snapshot());
    return {
      name,
      pid: run.leader.pid,
      runId,
      tookMs: Math.round(host.nowMs() - beganAtMs),
      cause,
      breach: cause === 'limit' ? breach : null,
      why: stopped?.why ?? null,
      exit: last,
      orphans: cause === 'stopped' ? [] : orphans,
      survivors,
      proof,
      stop: report,
    };
  } finally {
    // Whatever becomes of it: they would keep this process alive.
    unlisten();
    witness.stop();
  }
}

function watchedRun({ record, leader }: BegunRun): WatchedRun {
  const life = { ...idle, kind: 'running', run: 1, leader } as const;
  return { name: record.service, state: life, record, spawnedHere: true };
}

/** Witnesses the run, and nothing else of the project: that is the supervisor's. */
function witnessRun(
  { folder, table, self }: RunPlace,
  { record: begun, native }: BegunRun,
  watched: WatchedRun,
  { listener, log }: Pick<WitnessContext, 'listener' | 'log'>,
) {
  const record = () => watched.record ?? begun;
  const none = { ...readProjectState(folder), records: [], ledger: [], legacy: [], problems: [] };
  const witness = startWitness({
    table,
    self,
    inherited: none,
    lives: {
      entries: new Map([[watched.name, watched]]),
      records: () => [record()],
      dispatch: async () => {},
    },
    concerns: ({ runId }) => runId === begun.runId,
    native,
    // Its own group is removed with its end; those of others may just have been made to be entered.
    groups: null,
    ...(listener ? { listener: listener } : {}),
    log,
    end: async () => {},
  });
  return { witness, record };
}

type EarlyEnd = Exclude<RunCause, 'ended'>;

interface RunControl {
  /** Resolves when everything is to be ended although the command has not. */
  readonly due: Promise<EarlyEnd>;
  /** Was a signal sent since the end has begun? */
  forced(): boolean;
  hear(signal: RunSignal): void;
  /** It has used more than it may. */
  exceed(): void;
  setEnding(): void;
}

/** Time and signals. */
function openControl(
  { host }: RunPlace,
  { record, leader }: BegunRun,
  { timeoutMs }: RunOptions,
  onTerminal: boolean,
): RunControl {
  let phase: SignalSituation['phase'] = 'running';
  let forced = false;
  const heard: RunSignal[] = [];
  let settle: (cause: EarlyEnd) => void = () => {};
  const due = new Promise<EarlyEnd>((resolve) => {
    settle = resolve;
  });
  const timers: NodeJS.Timeout[] = [];
  if (timeoutMs !== null) timers.push(setTimeout(() => settle('timed-out'), timeoutMs));
  const hear = (signal: RunSignal): void => {
    const earlier = heard.filter((one) => one === signal).length;
    heard.push(signal);
    const ours = onTerminal && (controllingTerminal()?.isForeground ?? false);
    const terminal = ours ? 'ours' : onTerminal ? 'elsewhere' : 'none';
    switch (onRunSignal(signal, { phase, terminal, earlier })) {
      case 'leave':
        return;
      case 'force':
        forced = true;
        return;
      case 'end':
        settle('interrupted');
        return;
      case 'pass-on':
        void passOn(host, leader, signal, onTerminal);
        // Whoever interrupts a program from outside wants it gone, sooner or later.
        timers.push(setTimeout(() => settle('interrupted'), record.stop.graceMs));
    }
  };
  return {
    due,
    hear,
    exceed: () => settle('limit'),
    forced: () => forced,
    setEnding() {
      phase = 'ending';
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

async function passOn(
  host: RunPlace['host'],
  leader: Identity,
  signal: RunSignal,
  onTerminal: boolean,
): Promise<void> {
  // On a terminal its group is ours, and whoever else is in the pipe.
  if (onTerminal) await host.signal(leader, signal);
  else await host.signalGroup(leader.pid, leader, signal);
}
