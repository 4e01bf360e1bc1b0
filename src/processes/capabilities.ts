/**
 * What this machine lets us hold on to processes with, told in `status --json`, in the report of
 * every stop, and in the supervisor's record.
 */
export interface Capabilities {
  /** PR_SET_CHILD_SUBREAPER (prctl(2)): what a service leaves behind becomes the supervisor's child. */
  readonly subreaper: Capability;
  /** pidfd_open(2), pidfd_send_signal(2): a signal cannot hit the next owner of a number. */
  readonly pidfd: Capability;
  /** A writable cgroup v2 (cgroups(7)): nothing that a run starts can leave its group. */
  readonly cgroup: Capability;
}

/** One of them: is it there, and if not, why not. */
export interface Capability {
  readonly held: boolean;
  /** One clause for people, naming the call and its errno where there is one; null when held. */
  readonly why: string | null;
}
