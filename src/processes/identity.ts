/**
 * Names one process for ever. A pid alone names whoever holds the number today.
 *
 * The pair (pid, start time) is unique for one boot: the kernel would have to hand the same number
 * out twice within one clock tick (10 ms), and numbers are handed out in turn.
 */
export interface Identity {
  readonly pid: number;
  /**
   * Start time in clock ticks (1/100 s) since boot: field 22 of /proc/PID/stat, proc_pid_stat(5).
   * The portable adapter has whole seconds only, as ticks since the epoch.
   */
  readonly startTicks: number;
  /** Changes with every boot, so that a record from before a reboot can claim nothing. */
  readonly bootId: string;
  /** The PID namespace in which `pid` is a name; 'portable' where the adapter cannot tell. */
  readonly pidNamespace: string;
}

export function sameIdentity(a: Identity, b: Identity): boolean {
  return a.pid === b.pid && a.startTicks === b.startTicks && sameMachine(a, b);
}

/** May the two be compared at all: same boot, same PID namespace, read by the same kind of adapter? */
export function sameMachine(
  a: Pick<Identity, 'bootId' | 'pidNamespace'>,
  b: Pick<Identity, 'bootId' | 'pidNamespace'>,
): boolean {
  return a.bootId === b.bootId && a.pidNamespace === b.pidNamespace;
}

/** A key for maps and sets of identities of one boot and namespace. */
export function identityKey(identity: Pick<Identity, 'pid' | 'startTicks'>): string {
  return `${identity.pid}:${identity.startTicks}`;
}
