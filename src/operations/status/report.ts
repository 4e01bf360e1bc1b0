import type { ContainersStatus } from '../../containers/report.ts';
import type { LeaseStatus } from '../../leases/lease-status.ts';
import type { Breach } from '../../limits/breach.ts';
import type { Evidence } from '../../ownership/evidence-kinds.ts';
import type { Capabilities } from '../../processes/capabilities.ts';
import type { DeclaredPorts } from '../../processes/ports.ts';
import type { Exit, ServiceState } from '../../project/service-record.ts';
import type { ListeningPort } from './listening.ts';

/** One line of `devctl status`. */
export interface ServiceStatus extends Required<DeclaredPorts> {
  readonly name: string;
  /** 'stopped': the service has no record. */
  readonly state: ServiceState | 'stopped';
  readonly reason: string | null;
  /** The services for which it was not started, nearest first. */
  readonly blockedBy: readonly string[];
  /** True for a task that has succeeded, which counts as up. */
  readonly done: boolean;
  /** True where its command has ended, and a daemon that it left stands for it. */
  readonly daemon: boolean;
  /** The exit of its leader; both fields are null where it is not known. Null while the leader lives. */
  readonly exit: Exit | null;
  /** The pid of the leader, while it lives. */
  readonly pid: number | null;
  readonly uptimeMs: number | null;
  /** The number of living processes. */
  readonly processes: number;
  /** The number of these that have outlived the run that started them. */
  readonly orphans: number;
  readonly rssBytes: number;
  /** CPU time over the lives of its processes, in percent of one core. */
  readonly cpuPercent: number;
  /** The declared ports and those that its processes listen on. Null where nobody can tell who listens. */
  readonly listening: readonly ListeningPort[] | null;
  /** Where it can be opened, by its http probes and its own log. Null: nobody has asked for that. */
  readonly urls: readonly string[] | null;
  readonly restarts: number;
  /** True when it should be up: the manifest starts it by default, or the user has started it. */
  readonly wanted: boolean;
  /** True for the command of a `devctl run`. */
  readonly oneOff: boolean;
  /** The manifest keys that have changed since its run began. Null: that cannot be known, or nothing runs. */
  readonly changed: readonly string[] | null;
  /** True where no manifest names it, but the command line that has started it: `devctl start web -- npm run dev`. */
  readonly adHoc: boolean;
  /** True where it runs and the manifest names it no more. */
  readonly undeclared: boolean;
}

export interface StatusReport {
  readonly project: string;
  readonly services: readonly ServiceStatus[];
  /** The living processes of ended runs, and those of no known service while no service runs. */
  readonly orphans: readonly {
    readonly pid: number;
    readonly command: string;
    readonly service: string | null;
    readonly evidence: readonly Evidence[];
  }[];
  /** Processes below the supervisor while services run. It is not known which service started them. */
  readonly unattributed: StatusReport['orphans'];
  /** The leases that everything runs on. Everything is stopped when the last one ends. Empty: there is no lease. */
  readonly leases: readonly LeaseStatus[];
  /** The limits that are exceeded now. `service` is null for a limit of the project. */
  readonly breaches: readonly Breach[];
  readonly supervisor: { readonly pid: number } | null;
  /** The means by which the supervisor contains the services. */
  readonly capabilities: Capabilities;
  /** The records whose processes are no longer alive. */
  readonly stale: readonly { readonly service: string; readonly detail: string }[];
  /** Records and a manifest that cannot be read, and other things that the user should mend. */
  readonly problems: readonly string[];
  /** Null: the project has none, and nobody was asked. */
  readonly containers: ContainersStatus | null;
  /** True when every wanted service and every container is up, and there are no orphans. */
  readonly healthy: boolean;
}
