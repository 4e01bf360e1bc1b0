import { readProcLink } from './proc-file.ts';

/** The time namespace of a system that has made no other one: TIME_INIT_INO of the kernel's include/linux/proc_ns.h. */
const FIRST_TIME_NAMESPACE = 'time:[4026531834]';

/**
 * The PID namespace in which a number names a process (pid_namespaces(7)); 'portable' where there are none. In another
 * time namespace start times are other numbers (time_namespaces(7)), so it is another place as well.
 */
export function readPidNamespace(): string {
  if (process.platform !== 'linux') return 'portable';
  const pids = readProcLink('/proc/self/ns/pid') ?? 'unknown';
  const time = readProcLink('/proc/self/ns/time') ?? FIRST_TIME_NAMESPACE;
  return time === FIRST_TIME_NAMESPACE ? pids : `${pids} ${time}`;
}
