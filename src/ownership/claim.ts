import type { UserPattern } from '../patterns/pattern.ts';
import type { Identity } from '../processes/identity.ts';
import type { Port } from '../processes/ports.ts';
import type { ProcessInfo } from '../processes/snapshot.ts';
import type { Evidence, VetoKind } from './evidence-kinds.ts';
import type { Person } from './personal-programs.ts';
import type { ProjectIdentity } from './whose-cookie.ts';

/** A process that is ours, the run that it belongs to, and all evidence for it. */
export interface Claim {
  readonly process: ProcessInfo;
  /** Null when the process is ours but no evidence names a service. */
  readonly service: string | null;
  /** Null when no evidence names a run. */
  readonly runId: string | null;
  readonly evidence: readonly Evidence[];
}

/** A process that evidence points to, and the veto that protects it. */
export interface Spared {
  readonly process: ProcessInfo;
  /** The service that the evidence points to; null or missing where it points to none. */
  readonly service?: string | null;
  readonly evidence: readonly Evidence[];
  readonly veto: { readonly kind: VetoKind; readonly detail: string };
}

/** One life of one service, with the fields that ownership needs. A `ServiceRecord` is a `Run`. */
export interface Run {
  readonly service: string;
  readonly runId: string;
  readonly bootId: string;
  readonly pidNamespace: string;
  /**
   * The time at which devctl decided to spawn the leader, in `Identity.startTicks` units. An older process
   * cannot belong to the run.
   */
  readonly intentTicks: number;
  /** Null until the spawned process is recorded. */
  readonly leader: Identity | null;
  /** The process that spawned the leader. */
  readonly supervisor?: Identity;
  /** True when `supervisor` was a child subreaper (prctl(2)) before it had any child. */
  readonly subreaper?: boolean;
  /**
   * The pseudo-terminal of a service, the process that holds it, and the leader of the session on it: `leader` leads
   * neither a session nor a group. Missing: it has none.
   */
  readonly terminal?: {
    readonly holder: Identity;
    readonly session: Identity;
    readonly path: string;
  };
  /** Present for a one-off (`devctl run`). `terminal`: its leader leads neither a session nor a group. */
  readonly oneOff?: { readonly terminal: boolean; readonly hook?: boolean };
}

/** A living `devctl run`: the parent of a one-off and, where it is a subreaper, of the one-off's orphans. */
export interface OneOffParent {
  readonly process: ProcessInfo;
  readonly run: Run;
}

/** An identity that an earlier scan saw as ours. */
export interface Witnessed {
  readonly service: string | null;
  readonly runId: string | null;
  readonly identity: Identity;
  /**
   * Its process group and session when last seen; missing or 0 when unknown. Only a process that led a
   * group or a session is a reason to claim that group or session, because any other number may be a
   * stranger's group tomorrow.
   */
  readonly pgid?: number;
  readonly sid?: number;
  /**
   * True when the scan just before this one saw it alive, so that a stranger can hardly have its number
   * yet. An older sighting is not enough: the kernel hands numbers out in turn, and a number that was
   * freed a second ago may be the next one.
   */
  readonly fresh?: boolean;
}

/** A process that is ours if the records that name it are. */
export interface PerhapsOurs extends Witnessed {
  /** Why nobody can tell. */
  readonly why: string;
}

/** A pid from a file of the old start-dev.sh scripts. It has no start time, so other facts must support it. */
export interface LegacyPid {
  readonly pid: number;
  readonly service: string | null;
  /** 'group': the pid names a process group too, whose members may outlive its leader. Default: 'pid'. */
  readonly kind?: 'pid' | 'group';
  /** When the file was written, in `Identity.startTicks` units. A process that started later is a stranger. */
  readonly writtenTicks: number;
}

/** The control group of one run (cgroups(7)), and the processes that were in it a moment ago. */
export interface RunGroup {
  /** Absolute path in the file system. */
  readonly folder: string;
  /** The path that /proc/PID/cgroup shows for the processes in it. */
  readonly path: string;
  readonly runId: string;
  readonly service: string | null;
  /**
   * True where nothing but its name ties the group to us, and the name is that of a path: neither a record nor the
   * ledger knows the run, and the registry knows no project at this path, or one whose folder was another. Missing:
   * false.
   */
  readonly byNameOnly?: boolean;
  /** Only a hint, because numbers change hands. /proc/PID/cgroup of each process decides. */
  readonly pids: ReadonlySet<number>;
}

/**
 * Evidence that a process cannot clear as it can its environment: the files that it writes to and the
 * ports that it listens on. It costs several reads for each process, so only the end of a stop uses it,
 * and every scan of a stop with --force.
 */
export interface OpenFileEvidence {
  /** Services by the path of their log file, as the kernel spells it. */
  readonly logs: ReadonlyMap<string, string>;
  /**
   * The folder with nothing but logs of services: the name of a file in it names the service. Null where it is that of
   * another project.
   */
  readonly logsFolder: string | null;
  /** The same for the FIFOs that are the stdin of services. */
  readonly stdinFolder: string | null;
  /**
   * The logs and FIFOs that other projects have recorded here and we have not, and whether the leader or the supervisor
   * of that run lives. Missing: none.
   */
  readonly ofOthers?: ReadonlyMap<string, 'lives' | 'dead'>;
  /** The logs that records of other projects name as well; missing: none. */
  readonly logsElsewhere?: ReadonlySet<string>;
  /** The processes that these records and ledgers name, by `identityKey`; missing: none. */
  readonly namedElsewhere?: ReadonlySet<string>;
  /** Processes that listen on a declared port, without those that work in a project inside this one. */
  readonly listening: readonly {
    readonly pid: number;
    readonly port: Port;
    readonly service: string;
    /** True where other projects have recorded that port, and we have not. Missing: false. */
    readonly isOfOthers?: boolean;
  }[];
  /** True where a declared port is evidence also for a process that a person has started: `stop --force`. */
  readonly forced: boolean;
  /**
   * The services of which all evidence is wanted. The files of a process that stronger evidence ties to another service are
   * not read: with 250 services that took longer than all the rest of a look. Missing: every service.
   */
  readonly wanted?: ReadonlySet<string>;
}

/** Rules that leave a process of ours alone: by the manifest (`protect`), by the environment, by the built-in list. */
export interface ProtectionRules {
  /** Patterns for whole command lines. */
  readonly patterns: readonly UserPattern[];
  /** True where DEVCTL_PROTECT=1 in an environment protects. Elsewhere it only keeps devctl from guessing. */
  readonly byEnvironment: boolean;
  readonly person: Person;
}

/** Everything that is known about a project's processes, except the process table itself. */
export interface OwnershipFacts {
  readonly project: ProjectIdentity;
  /** Real path of the project folder. */
  readonly root: string;
  /** The user who owns the project folder; null or missing when unknown. */
  readonly ownerUid?: number | null;
  /** The devctl process that asks. */
  readonly self: Identity;
  /** The recorded supervisor. The record alone proves nothing: the cookie or the command line must agree. */
  readonly supervisor: Identity | null;
  readonly runs: readonly Run[];
  /** Ids of runs whose processes are left out; missing: none. */
  readonly exemptRuns?: readonly string[];
  readonly witnessed: readonly Witnessed[];
  readonly legacyPids: readonly LegacyPid[];
  /** Processes that records name which are perhaps not ours: they are told of and left alone. */
  readonly perhapsOurs?: readonly PerhapsOurs[];
  /** Missing or empty where there are no control groups. */
  readonly groups?: readonly RunGroup[];
  /** Missing: nothing that is ours is protected. */
  readonly protection?: ProtectionRules;
  /** Pids of the processes that an earlier scan saw listen on a declared port: these are never protected. */
  readonly portHolders?: ReadonlySet<number>;
  /** Missing in an ordinary scan. */
  readonly openFiles?: OpenFileEvidence;
  /**
   * Processes that the records of other projects name. Records outside of our own folder are asked only where evidence
   * ties a process to us that has another project's cookie, or that neither a record of ours nor our cookie names.
   */
  readonly elsewhere?: readonly RecordedElsewhere[];
  /** Pids of supervisors and guards with our mark and id that work in another folder: they are not ours. */
  readonly residentsElsewhere?: ReadonlySet<number>;
}

/** The project that a cookie names. */
export interface ForeignMark {
  readonly mark: string;
  readonly projectId: string | null;
}

/** A process that the records of another project name. */
export interface RecordedElsewhere extends ForeignMark {
  readonly identity: Identity;
  /**
   * True where only a ledger names it, and for no run that has a record: that project has seen it, and may have adopted
   * an orphan of ours. Missing: false.
   */
  readonly onlySeen?: boolean;
}

/** A record that no longer describes the process whose number it carries. Nothing is signalled because of it. */
export interface StaleRun {
  readonly run: Run;
  readonly kind: 'before-boot' | 'other-namespace' | 'pid-reused';
  readonly detail: string;
}

/** The answer to "whose process is it?" for one snapshot. */
export interface Ownership {
  /** By pid. A zombie is never claimed, because it is dead already. */
  readonly claims: ReadonlyMap<number, Claim>;
  readonly spared: readonly Spared[];
  readonly stale: readonly StaleRun[];
  /** Living supervisors of this project. Never claimed; a full stop ends them last. */
  readonly supervisors: readonly ProcessInfo[];
  /**
   * The processes that started the supervisors. Each is a subreaper, so the orphans of a dead supervisor are
   * below its guard. Never claimed; a full stop ends them after the supervisors.
   */
  readonly guards: readonly ProcessInfo[];
  /** Living `devctl run` commands. Never claimed for that; each ends with its one-off. */
  readonly oneOffParents: readonly OneOffParent[];
  /** Supervisors, guards and one-off parents with no other project below them. Any orphan they adopt is ours. */
  readonly adopters: readonly ProcessInfo[];
  /** The other projects whose records decide about a process here: asked for by `OwnershipFacts.elsewhere`. */
  readonly foreignMarks: readonly ForeignMark[];
}
