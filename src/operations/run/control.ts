import type { Breach } from '../../limits/breach.ts';
import type { Host } from '../../processes/host.ts';
import { controllingTerminal } from '../../processes/terminal.ts';
import type { BegunRun } from './begin.ts';
import { onRunSignal, type RunCause, type RunSignal, type SignalSituation } from './decisions.ts';

/** The reasons to end everything although the command still runs. */
export type EarlyEnd = Exclude<RunCause, 'ended' | 'stopped'>;

export interface RunControlOptions {
  /** At most the longest timer of Node, as every duration is (`LONGEST_MS`). Null: the command may run for ever. */
  readonly timeoutMs: number | null;
  /** Calls back for each signal that this process gets. Returns the function that ends the subscription. */
  readonly subscribeToSignals: (onSignal: (signal: RunSignal) => void) => () => void;
}

/** Ends a one-off before its command ends: when its time is up, on a signal, or at a limit. */
export class RunControl {
  /** Resolves when everything is to be ended although the command still runs. */
  readonly due: Promise<EarlyEnd>;
  readonly #host: Pick<Host, 'signal' | 'signalGroup'>;
  readonly #options: RunControlOptions;
  /** Null until the command is spawned. */
  #run: BegunRun | null = null;
  #phase: SignalSituation['phase'] = 'running';
  #forced = false;
  #breach: Breach | null = null;
  /** Signals that came before the command was spawned. */
  readonly #early: RunSignal[] = [];
  readonly #handled: RunSignal[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  #end: (cause: EarlyEnd) => void = () => {};
  #unsubscribe = (): void => {};

  constructor(host: Pick<Host, 'signal' | 'signalGroup'>, options: RunControlOptions) {
    this.#host = host;
    this.#options = options;
    this.due = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** Takes the signals of this process from now on. */
  subscribe(): void {
    this.#unsubscribe = this.#options.subscribeToSignals((signal) => {
      if (this.#run === null) this.#early.push(signal);
      else this.#onSignal(signal, this.#run);
    });
  }

  unsubscribe(): void {
    this.#unsubscribe();
  }

  /** Starts the timeout, and handles the signals that have already come. */
  begin(run: BegunRun): void {
    const { timeoutMs } = this.#options;
    this.#run = run;
    if (timeoutMs !== null) this.#timers.push(setTimeout(() => this.#end('timed-out'), timeoutMs));
    for (const signal of this.#early) this.#onSignal(signal, run);
  }

  /** Ends everything because of a limit. */
  exceed(breach: Breach): void {
    this.#breach ??= breach;
    this.#end('limit');
  }

  /** The first limit that ended everything. */
  breach(): Breach | null {
    return this.#breach;
  }

  /** Called when the end begins: a signal from now on asks for force. */
  setEnding(): void {
    this.#phase = 'ending';
    for (const timer of this.#timers) clearTimeout(timer);
  }

  /** True when a signal came after the end began. */
  isForced(): boolean {
    return this.#forced;
  }

  #onSignal(signal: RunSignal, { record, leader }: BegunRun): void {
    const onTerminal = record.oneOff?.terminal ?? false;
    const earlier = this.#handled.filter((handled) => handled === signal).length;
    this.#handled.push(signal);
    switch (onRunSignal(signal, { phase: this.#phase, terminal: whose(onTerminal), earlier })) {
      case 'leave':
        return;
      case 'force':
        this.#forced = true;
        return;
      case 'end':
        this.#end('interrupted');
        return;
      case 'pass-on':
        // On a terminal its group is also ours, and that of other programs in a pipe.
        if (onTerminal) void this.#host.signal(leader, signal);
        else void this.#host.signalGroup(leader.pid, leader, signal);
        // A program that interrupts another one wants it to end, so the signal counts after the grace period.
        this.#timers.push(setTimeout(() => this.#end('interrupted'), record.stop.graceMs));
    }
  }
}

function whose(onTerminal: boolean): SignalSituation['terminal'] {
  if (!onTerminal) return 'none';
  return (controllingTerminal()?.isForeground ?? false) ? 'ours' : 'elsewhere';
}
