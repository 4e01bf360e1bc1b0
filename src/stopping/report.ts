import type { ContainersStop } from '../containers/report.ts';
import type { Evidence, VetoKind } from '../ownership/evidence-kinds.ts';
import type { Capabilities } from '../processes/capabilities.ts';
import type { ReportedPort } from '../processes/describe.ts';

/** One process that was ours, and how it ended. */
export interface ReportedProcess {
  readonly pid: number;
  readonly command: string;
  readonly service: string | null;
  readonly evidence: readonly Evidence[];
  /** Every signal that it was sent, in order. */
  readonly signals: readonly string[];
  /** The last signal before it was gone; null: it ended by itself, or is alive. */
  readonly endedBy: string | null;
  /** True where it was outside of the session that the service began with: a daemon, or a process with a terminal of its own. */
  readonly outside: boolean;
  /** From the beginning of the stop until a scan no longer saw it, in ms; null: it is alive. */
  readonly endedAfterMs: number | null;
}

/** One service, and how its stop ended. */
export interface ReportedService {
  readonly name: string;
  readonly outcome: 'stopped' | 'was-not-running' | 'survived';
  readonly leaderPid: number | null;
  readonly processes: number;
  readonly tookMs: number;
}

/** How certain it is that nothing is left. */
export interface Proof {
  /** 'complete': a subreaper or a control group contained everything for the whole life of every run. */
  readonly strength: 'complete' | 'best-effort';
  /** The case that could not be excluded; null when the proof is complete. */
  readonly why: string | null;
  readonly scans: number;
}

/** The report of a stop: `devctl stop --json` prints it, and `.pids/last-stop.json` keeps it. */
export interface StopReport {
  readonly version: 1;
  readonly kind: 'stop' | 'dry-run';
  readonly project: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly tookMs: number;
  readonly forced: boolean;
  /** The reason for a stop that nobody asked for: a lease was over, a `devctl up` had died. Else null. */
  readonly why: string | null;
  /** The services that were to be stopped; null for the whole project. */
  readonly scope: readonly string[] | null;
  readonly services: readonly ReportedService[];
  /** Everything that was ours, in order of pid. */
  readonly processes: readonly ReportedProcess[];
  /** The processes that are still alive, and why. Empty after a good stop. */
  readonly survivors: readonly (ReportedProcess & { readonly why: string })[];
  /** Processes that some evidence pointed to and that were left alone. */
  readonly spared: readonly {
    readonly pid: number;
    readonly command: string;
    readonly evidence: readonly Evidence[];
    /** True when more than its looks says that it is ours. */
    readonly ours: boolean;
    readonly veto: VetoKind;
    readonly why: string;
  }[];
  readonly stale: readonly { readonly service: string; readonly detail: string }[];
  readonly ports: readonly ReportedPort[];
  /** Failures on the way that did not end the stop, for people. */
  readonly problems: readonly string[];
  readonly supervisor: { readonly pid: number; readonly ended: boolean } | null;
  /** Pids of the guards above this supervisor and above earlier ones; a full stop ends them last. */
  readonly guards: readonly number[];
  /** The means that the machine has to contain processes, and why others are missing. */
  readonly capabilities: Capabilities;
  readonly proof: Proof;
  /** The outcome for the containers; null: the project has none, or this stop does not concern them. */
  readonly containers: ContainersStop | null;
}

/** The report of a sweep: `devctl sweep --json` prints it. */
export interface SweepReport {
  readonly version: 1;
  readonly kind: 'sweep' | 'sweep-dry-run';
  readonly project: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly tookMs: number;
  /** Where the sweep looked. 'project': inside the project; 'user': at every process of this user. */
  readonly scope: 'project' | 'user';
  /** Every look-alike that was ended, or would be, in order of pid. */
  readonly processes: readonly ReportedProcess[];
  /** Empty after a good sweep. */
  readonly survivors: StopReport['survivors'];
  /** Look-alikes that were left alone. Veto `owned`: a service's process, which `stop` ends. */
  readonly spared: StopReport['spared'];
  readonly scans: number;
}
