import type { ServiceUse } from '../history/samples.ts';
import type { Breach } from '../limits/breach.ts';
import type { StateKind } from '../services/lifecycle/states.ts';
import type { StopReport } from '../stopping/report.ts';

/** The document that `devctl report --json` prints. All times are ms since the epoch. */
export interface ActivityReport {
  readonly project: string;
  /** The name in the manifest, or else the name of its folder. */
  readonly name: string;
  /** When the report was made. */
  readonly atMs: number;
  /** The time that the report covers; null when there is no history. */
  readonly period: Period | null;
  /** The history before the period, which `--since` can include; null when there is none. */
  readonly earlier: EarlierHistory | null;
  readonly verdict: Verdict;
  /** The service that grew comes first; the others follow in the order of the manifest. */
  readonly services: readonly ServiceActivity[];
  /** The usage of all services together, in pieces as that of each service. */
  readonly total: readonly (readonly TimelinePoint[])[];
  /** In order of time. */
  readonly breaches: readonly Breach[];
  /** Begins and ends of supervisors, and ends of leases; in order of time. */
  readonly moments: readonly ReportMoment[];
  readonly lastStart: StartActivity | null;
  /** `.pids/last-stop.json`; null when there is none, or none that can be read. */
  readonly lastStop: StopReport | null;
  /** The parts of the history that could not be read or believed. */
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

/** The growth that explains most, and the processes that are left now. */
export interface Verdict {
  /** Null when nothing grew. */
  readonly grew: ReportedGrowth | null;
  /** The service to look at: the service that grew, or the service of the branch that grew; null when unknown. */
  readonly culprit: string | null;
  /** Null: the process table could not be read. */
  readonly left: Leftovers | null;
}

/** The growth beyond a limit, or else the greatest growth. */
export interface ReportedGrowth {
  /** Null: the project. */
  readonly service: string | null;
  readonly measure: Breach['limit'];
  /** Value before the growth, in the unit of the measure (bytes, processes, percent, ms); null when unknown. */
  readonly from: number | null;
  /** The highest value. */
  readonly to: number;
  /** Null: no limit was exceeded. */
  readonly limit: number | null;
  /** When the limit was exceeded, or else when the value was highest. */
  readonly atMs: number;
  /** The branch that grew; null when nobody measured it. */
  readonly because: ReportedBranch | null;
}

/** The part of a process tree that grew. */
export interface ReportedBranch {
  /** Null: the branch is guessed from the command lines of the last stop. */
  readonly pid: number | null;
  readonly command: string;
  readonly processes: number;
  readonly memoryBytes: number | null;
  /** The service of the branch; null when unknown. */
  readonly service: string | null;
}

/** The living processes at the time of the report, from one scan. */
export interface Leftovers {
  readonly services: readonly { readonly name: string; readonly processes: number }[];
  /** Living processes of ended runs. */
  readonly orphans: readonly {
    readonly pid: number;
    readonly command: string;
    readonly service: string | null;
  }[];
  /** Number of processes below the supervisor that belong to no known service. */
  readonly unattributed: number;
  /** True when the last stop proved that nothing is left, and nothing came after it in the history. */
  readonly proved: boolean;
}

export interface ServiceActivity {
  readonly name: string;
  /** State at the end of the period; null when the history does not tell. */
  readonly state: StateKind | null;
  /** Null: nothing was wrong with it. */
  readonly trouble: ServiceTrouble | null;
  /** Within the period. */
  readonly upMs: number;
  readonly spans: readonly StateSpan[];
  readonly restarts: readonly Restart[];
  readonly peak: Peak | null;
  /** Usage in the last sample of the period; null when that sample lacks the service. */
  readonly last: ServiceUse | null;
  /** Pieces of the timeline. Nothing is known about the time between two pieces. */
  readonly timeline: readonly (readonly TimelinePoint[])[];
}

/** The worst that has happened to a service. */
export interface ServiceTrouble {
  /** 'blocked': it was never started, because it waits for a service that is not up. */
  readonly kind: 'failed' | 'blocked' | 'unhealthy';
  /** True where it is so at the end of the period, or was until a stop. False: it was so before, and went on. */
  readonly isNow: boolean;
  readonly reason: string | null;
}

/** The time that a service was in one state. */
export interface StateSpan extends Period {
  readonly state: StateKind;
  readonly reason: string | null;
  readonly pid: number | null;
}

export interface Restart {
  readonly atMs: number;
  readonly reason: string;
  /** When the service was spawned again; null when it was not. */
  readonly againMs: number | null;
}

/** The highest value of each measure, and its time. */
export interface Peak {
  readonly processes: PeakReading;
  readonly memoryBytes: PeakReading;
  readonly cpuPercent: PeakReading;
}

export interface PeakReading {
  readonly value: number;
  readonly atMs: number;
}

/** The highest value of each measure from `atMs` until the next point. */
export interface TimelinePoint extends ServiceUse {
  readonly atMs: number;
}

/** The course of the last start. */
export interface StartActivity extends Period {
  readonly rows: readonly StartRow[];
}

export interface StartRow {
  readonly name: string;
  readonly dependsOn: readonly string[];
  /** The states on the way up and between attempts, in order of time. */
  readonly spans: readonly StateSpan[];
  /** State at the end; null while the service is on its way. */
  readonly outcome: StateKind | null;
  readonly reason: string | null;
  /** Time from the beginning of the start until the service was up, in ms; null when it did not come up. */
  readonly readyMs: number | null;
}
