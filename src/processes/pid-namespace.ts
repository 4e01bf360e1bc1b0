import { readProcLink } from './proc-file.ts';

/** Name of the PID namespace where the system has none, or has no way to tell it. */
export const PORTABLE_NAMESPACE = 'portable';

/** The PID namespace in which a number names a process (pid_namespaces(7)). */
export function readPidNamespace(): string {
  if (process.platform !== 'linux' || process.env.DEVCTL_PROCESS_TABLE === 'portable') {
    return PORTABLE_NAMESPACE;
  }
  return readProcLink('/proc/self/ns/pid') ?? 'unknown';
}
