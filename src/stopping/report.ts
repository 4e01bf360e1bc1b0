import type { Evidence, VetoKind } from '../ownership/claim.ts';
import type { Capabilities } from '../processes/capabilities.ts';

/** One process that was ours, and what became of it. */
export interface ReportedProcess {
  readonly pid: number;
  readonly command: string;
  readonly service: string | null;
  readonly evidence: readonly Evidence[];
  /** Every signal that it was sent, in order. */
  readonly signals: readonly string[];
  /** The last signal before it was gone; null: it ended by itself, or is alive. */
  readonly endedBy: string | null;
  /** From the beginning of the stop until a scan no longer saw it, in ms; null: it is alive. */
  readonly endedAfterMs: number | null;
}

export interface ReportedService {
  readonly name: string;
  readonly outcome: 'stopped' | 'was-not-running' | 'survived';
  readonly leaderPid: number | null;
  readonly processes: number;
  readonly tookMs: number;
}

/** How sure it is that nothing is left. */
export interface Proof {
  /** 'complete': a subreaper or a control group held everything for the whole life of every run. */
  readonly strength: 'complete' | 'best-effort';
  /** What could not be excluded, null where the proof is complete. */
  readonly why: string | null;
  readonly scans: number;
}

export interface ReportedPort {
  readonly port: number;
  readonly service: string;
  readonly free: boolean;
  /** Who listens on it, where that can be seen. */
  readonly holder: string | null;
}

/** What `devctl stop --json` prints and `.pids/last-stop.json` keeps. */
export interface StopReport {
  readonly version: 1;
  readonly kind: 'stop' | 'dry-run';
  readonly project: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly tookMs: number;
  readonly forced: boolean;
  /** Why, where nobody asked for it: a lease was over, a `devctl up` had died. Else null. */
  readonly why: string | null;
  /** The services that were to be stopped, null for the whole project. */
  readonly scope: readonly string[] | null;
  readonly services: readonly ReportedService[];
  /** Everything that was ours, in order of pid. */
  readonly processes: readonly ReportedProcess[];
  /** What is still alive, and why. Empty after a good stop. */
  readonly survivors: readonly (ReportedProcess & { readonly why: string })[];
  /** Processes that some evidence pointed to and that were left alone. */
  readonly spared: readonly {
    readonly pid: number;
    readonly command: string;
    readonly evidence: readonly Evidence[];
    readonly veto: VetoKind;
    readonly why: string;
  }[];
  readonly stale: readonly { readonly service: string; readonly detail: string }[];
  readonly ports: readonly ReportedPort[];
  /** What went wrong on the way without stopping the stop, for people. */
  readonly problems: readonly string[];
  readonly supervisor: { readonly pid: number; readonly ended: boolean } | null;
  /** Pids of the subreapers above it and above earlier ones; a full stop ends them last of all. */
  readonly guards: readonly number[];
  /** What there was to hold processes with, and why not. */
  readonly capabilities: Capabilities;
  readonly proof: Proof;
}

/** What `devctl sweep --json` prints. */
export interface SweepReport {
  readonly version: 1;
  readonly kind: 'sweep' | 'sweep-dry-run';
  readonly project: string;
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly tookMs: number;
  /** Where it looked: inside the project, or at everything of this user. */
  readonly scope: 'project' | 'user';
  /** Every look-alike that was ended, or would be, in order of pid. */
  readonly processes: readonly ReportedProcess[];
  /** Empty after a good sweep. */
  readonly survivors: StopReport['survivors'];
  /** Look-alikes that were left alone; `owned`: they are a service's, so `stop` ends them. */
  readonly spared: StopReport['spared'];
  readonly scans: number;
}
