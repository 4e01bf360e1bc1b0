/**
 * The lasting name of one process. A pid alone names the process that has the number today.
 *
 * The pair (pid, start time) is unique for one boot: the kernel would have to give the same number
 * twice within one clock tick (10 ms), and it gives numbers in turn.
 */
export interface Identity {
  readonly pid: number;
  /**
   * Start time in clock ticks (1/100 s) since boot: field 22 of /proc/PID/stat, proc_pid_stat(5).
   * The portable table has whole seconds only, as ticks since the epoch.
   */
  readonly startTicks: number;
  /** Changes with every boot, so that a record from before a reboot can claim nothing. */
  readonly bootId: string;
  /** The PID namespace in which `pid` is a name; 'portable' from the portable table. */
  readonly pidNamespace: string;
}

export function sameIdentity(a: Identity, b: Identity): boolean {
  return a.pid === b.pid && a.startTicks === b.startTicks && sameMachine(a, b);
}

/** Tells whether the two can be compared at all: same boot, same PID namespace, same kind of table. */
export function sameMachine(
  a: Pick<Identity, 'bootId' | 'pidNamespace'>,
  b: Pick<Identity, 'bootId' | 'pidNamespace'>,
): boolean {
  return a.bootId === b.bootId && a.pidNamespace === b.pidNamespace;
}

/** Makes a key for maps and sets of identities of one boot and namespace. */
export function identityKey(identity: Pick<Identity, 'pid' | 'startTicks'>): string {
  return `${identity.pid}:${identity.startTicks}`;
}
