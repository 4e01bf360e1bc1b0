/**
 * The means of this machine to contain processes and to signal them safely. `status --json`, the report of
 * every stop and the supervisor's record tell them.
 */
export interface Capabilities {
  /** PR_SET_CHILD_SUBREAPER (prctl(2)): an orphan of a service becomes a child of the supervisor. */
  readonly subreaper: Capability;
  /** pidfd_open(2), pidfd_send_signal(2): a signal cannot hit the next owner of a number. */
  readonly pidfd: Capability;
  /** A writable cgroup v2 (cgroups(7)): the descendants of a run stay in its group. */
  readonly cgroup: Capability;
}

/** One of these means: whether devctl has it, and if not, why. */
export interface Capability {
  readonly held: boolean;
  /** One clause for people, naming the call and its errno where there is one; null when held. */
  readonly why: string | null;
}
