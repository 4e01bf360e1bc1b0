import type { ServiceUse } from '../history/samples.ts';
import type { Breach } from '../limits/evaluate.ts';
import type { StateKind } from '../services/lifecycle/states.ts';
import type { StopReport } from '../stopping/report.ts';

/** What `devctl report --json` prints. All times are ms since the epoch. */
export interface ActivityReport {
  readonly project: string;
  /** Of the manifest; else that of its folder. */
  readonly name: string;
  /** When it was told: "now" below. */
  readonly atMs: number;
  /** What the history that is told covers; null where there is none. */
  readonly period: Period | null;
  /** History before that: `--since` has it told as well. Null where there is none. */
  readonly earlier: EarlierHistory | null;
  readonly verdict: Verdict;
  /** What grew first, then as in the manifest. */
  readonly services: readonly ServiceActivity[];
  /** Of all services together: pieces, as those of each. */
  readonly total: readonly (readonly TimelinePoint[])[];
  /** In order of time. */
  readonly breaches: readonly Breach[];
  /** When the supervisor began or ended, and a lease was over; in order of time. */
  readonly moments: readonly ReportMoment[];
  readonly lastStart: StartActivity | null;
  /** `.pids/last-stop.json`; null where there is none, or none that can be read. */
  readonly lastStop: StopReport | null;
  /** What could not be read or believed. */
  readonly problems: readonly string[];
}

export interface Period {
  readonly fromMs: number;
  readonly untilMs: number;
}

export interface EarlierHistory extends Period {
  readonly breaches: number;
}

export interface ReportMoment {
  readonly atMs: number;
  readonly what: string;
}

/** What grew, when, because of what, and is anything left now. */
export interface Verdict {
  /** Null where nothing did. */
  readonly grew: ReportedGrowth | null;
  /** The service to look at: the one that grew, or of which the branch is that did; null: not known. */
  readonly culprit: string | null;
  /** Null: the process table could not be read. */
  readonly left: Leftovers | null;
}

/** What went beyond a limit; without one, the greatest growth that was seen. */
export interface ReportedGrowth {
  /** Null: the project. */
  readonly service: string | null;
  readonly measure: Breach['limit'];
  /** Before it grew; null where that is not known. In bytes, processes, percent or ms, as the measure has it. */
  readonly from: number | null;
  /** The most that was seen. */
  readonly to: number;
  /** Null: no limit was reached. */
  readonly limit: number | null;
  /** When the limit was reached; without one, when it was the most. */
  readonly atMs: number;
  /** What of it grew; null where nobody saw that. */
  readonly because: ReportedBranch | null;
}

/** The part of a process tree that grew. */
export interface ReportedBranch {
  /** Null: it is told from the command lines of the last stop. */
  readonly pid: number | null;
  readonly command: string;
  readonly processes: number;
  readonly memoryBytes: number | null;
  /** Whose it is; null: of no known one. */
  readonly service: string | null;
}

/** What one look at the process table found when the account was given. */
export interface Leftovers {
  readonly services: readonly { readonly name: string; readonly processes: number }[];
  /** Living processes of ended runs. */
  readonly orphans: readonly {
    readonly pid: number;
    readonly command: string;
    readonly service: string | null;
  }[];
  /** Below the supervisor, of no known service. */
  readonly unattributed: number;
  /** Has the last stop, with its proof, come after all that the history tells? */
  readonly proved: boolean;
}

export interface ServiceActivity {
  readonly name: string;
  /** Where it was at the end of the period; null where the history does not tell. */
  readonly state: StateKind | null;
  /** Within the period. */
  readonly upMs: number;
  readonly spans: readonly StateSpan[];
  readonly restarts: readonly Restart[];
  readonly peak: Peak | null;
  /** In the last sample of the period; null where that has none of it. */
  readonly last: ServiceUse | null;
  /** Pieces of its timeline; between them nothing is known. */
  readonly timeline: readonly (readonly TimelinePoint[])[];
}

/** How long it was in one state. */
export interface StateSpan extends Period {
  readonly state: StateKind;
  readonly reason: string | null;
  readonly pid: number | null;
}

export interface Restart {
  readonly atMs: number;
  readonly reason: string;
  /** When it was spawned again; null: it was not. */
  readonly againMs: number | null;
}

/** The most of each, and when. */
export interface Peak {
  readonly processes: PeakReading;
  readonly memoryBytes: PeakReading;
  readonly cpuPercent: PeakReading;
}

export interface PeakReading {
  readonly value: number;
  readonly atMs: number;
}

/** The most of each measure from `atMs` until the next point. */
export interface TimelinePoint extends ServiceUse {
  readonly atMs: number;
}

/** How the last start went. */
export interface StartActivity extends Period {
  readonly rows: readonly StartRow[];
}

export interface StartRow {
  readonly name: string;
  readonly dependsOn: readonly string[];
  /** Waiting, spawning, starting; in order of time. */
  readonly spans: readonly StateSpan[];
  /** What it was then. */
  readonly outcome: StateKind | null;
  readonly reason: string | null;
  /** From the beginning of the start, in ms; null: it did not get that far. */
  readonly readyMs: number | null;
}
