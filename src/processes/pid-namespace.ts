import { readProcLink } from './proc-file.ts';

/** The PID namespace in which a number names a process (pid_namespaces(7)); 'portable' where there are none. */
export function readPidNamespace(): string {
  if (process.platform !== 'linux') return 'portable';
  return readProcLink('/proc/self/ns/pid') ?? 'unknown';
}
