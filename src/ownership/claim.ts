import type { Identity } from '../processes/identity.ts';
import type { ProcessInfo } from '../processes/snapshot.ts';

/** Why a process is ours, strongest first. `docs/architecture.md` says what each can and cannot see. */
export const EVIDENCE_KINDS = [
  'leader',
  'cgroup',
  'ledger',
  'cookie',
  'session',
  'group',
  'descendant',
  'founding-file',
  'output',
  'port',
  'pattern',
] as const;

export type EvidenceKind = (typeof EVIDENCE_KINDS)[number];

export interface Evidence {
  readonly kind: EvidenceKind;
  /** For people: what exactly was seen ("child of 4711", "DEVCTL_RUN=ab12…"). */
  readonly detail: string;
}

/** A process that is ours, the run that it belongs to, and every reason. */
export interface Claim {
  readonly process: ProcessInfo;
  /** Null: it is below our supervisor, but nothing tells which service started it. */
  readonly service: string | null;
  readonly runId: string | null;
  readonly evidence: readonly Evidence[];
}

export type VetoKind =
  | 'self'
  | 'ancestor'
  | 'own-child'
  | 'init'
  | 'kernel-thread'
  | 'other-project'
  | 'older-than-run'
  | 'protected'
  | 'outside-project'
  | 'other-user'
  | 'invoking-tree'
  /** Of a service: for `stop`, not for the sweep. */
  | 'owned';

/** A process that some evidence pointed to, and why it is left alone all the same. */
export interface Spared {
  readonly process: ProcessInfo;
  readonly evidence: readonly Evidence[];
  readonly veto: { readonly kind: VetoKind; readonly detail: string };
}

/** One life of one service, as far as ownership needs it. A `ServiceRecord` is one. */
export interface Run {
  readonly service: string;
  readonly runId: string;
  readonly bootId: string;
  readonly pidNamespace: string;
  readonly intentTicks: number;
  readonly leader: Identity | null;
  /** Who spawned it. */
  readonly supervisor?: Identity;
  /** Was that one a child subreaper from the beginning, without a child from before? */
  readonly subreaper?: boolean;
  /** Of a one-off (`devctl run`); `terminal`: its leader leads neither session nor group. */
  readonly oneOff?: { readonly terminal: boolean };
}

/** A living `devctl run`: the parent of a one-off, and of what that leaves where it is a subreaper. */
export interface OneOffParent {
  readonly process: ProcessInfo;
  readonly run: Run;
}

/** An identity that was seen as ours at some time. */
export interface Witnessed {
  readonly service: string | null;
  readonly runId: string | null;
  readonly identity: Identity;
  /**
   * Its process group and session when last seen; missing or 0 where not known. Only what led a group
   * or session may be the reason to claim one: any other number that it had may be a stranger's group
   * tomorrow.
   */
  readonly pgid?: number;
  readonly sid?: number;
  /**
   * Did the scan before this one see it alive, so that its number can hardly be a stranger's yet?
   * Numbers are handed out in turn, so one freed a second ago may be the next in turn.
   */
  readonly fresh?: boolean;
}

/** A PID from the founding scripts' files. It carries no start time, so it needs support. */
export interface LegacyPid {
  readonly pid: number;
  readonly service: string | null;
  /** 'group': it names a process group too, whose members may outlive its leader. Default: 'pid'. */
  readonly kind?: 'pid' | 'group';
  /** When the file was written, in `Identity.startTicks` units: whatever started later is a stranger. */
  readonly writtenTicks: number;
}

/** The control group of one run (cgroups(7)), and who was in it a moment ago. */
export interface RunGroup {
  /** Absolute path in the file system. */
  readonly folder: string;
  /** What /proc/PID/cgroup says of the processes in it. */
  readonly path: string;
  readonly runId: string;
  readonly service: string | null;
  /** Only a hint: numbers change hands. What each process itself says decides. */
  readonly pids: ReadonlySet<number>;
}

/**
 * What a process cannot clear as it can its environment: the files that it writes to, the ports that
 * it listens on. Looking costs several reads for each process, so it is done only at the end of a stop,
 * and with --force.
 */
export interface OpenFileEvidence {
  /** Services by the paths of their log files, as the kernel spells them. */
  readonly logs: ReadonlyMap<string, string>;
  /** Where nothing but logs and FIFOs of services is: there the name of the file tells the service. */
  readonly logsFolder: string;
  readonly stdinFolder: string;
  /** Who listens on a declared port, unless it works in a project inside this one. */
  readonly listening: readonly {
    readonly pid: number;
    readonly port: number;
    readonly service: string;
  }[];
  /** What started earlier is not looked at; null: everything is. */
  readonly notBeforeTicks: number | null;
}

/** All that is known about a project's processes, beside the process table itself. */
export interface OwnershipFacts {
  readonly projectId: string;
  /** Real path of the project folder. */
  readonly root: string;
  /** The user whom the project folder belongs to; null or missing where that cannot be told. */
  readonly ownerUid?: number | null;
  /** The process that asks. */
  readonly self: Identity;
  /** From its record, which alone proves nothing: the cookie or the command line must agree. */
  readonly supervisor: Identity | null;
  readonly runs: readonly Run[];
  /** What belongs to these runs is nobody's business here; missing: there are none. */
  readonly exemptRuns?: readonly string[];
  readonly witnessed: readonly Witnessed[];
  readonly legacyPids: readonly LegacyPid[];
  /** None where there are no control groups. */
  readonly groups?: readonly RunGroup[];
  /** Missing in a usual look. */
  readonly openFiles?: OpenFileEvidence;
}

/** A record whose leader is not there, and why nothing is signalled because of it. */
export interface StaleRun {
  readonly run: Run;
  readonly kind: 'before-boot' | 'other-namespace' | 'pid-reused';
  readonly detail: string;
}

export interface Ownership {
  /** By pid. Zombies are never claimed: they are dead already. */
  readonly claims: ReadonlyMap<number, Claim>;
  readonly spared: readonly Spared[];
  readonly stale: readonly StaleRun[];
  /** Living supervisors of this project; never claimed, ended last. */
  readonly supervisors: readonly ProcessInfo[];
  /**
   * What they were started by, each a subreaper too: whatever was below a supervisor that has died is below
   * its guard. Never claimed, ended after the supervisors.
   */
  readonly guards: readonly ProcessInfo[];
  /** Those that hold one-offs; never claimed as such, they end with what they hold. */
  readonly oneOffParents: readonly OneOffParent[];
  /** Those of all three whose every child is ours: no other project that lives below them could leave it there. */
  readonly adopters: readonly ProcessInfo[];
}
