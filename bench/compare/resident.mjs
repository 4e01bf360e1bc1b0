// Measures the processes of a supervisor: memory, and processor time while nothing happens.
import { readdirSync, readFileSync } from 'node:fs';

/**
 * The processes of a session that hold no marker: the supervisor, and all that it keeps beside the services.
 *
 * @param everything the processes of the session, as the oracle of the tests sees them
 */
export function supervisorsIn(everything, marker) {
  return everything.filter(({ files }) => !files.includes(marker)).map(({ pid }) => pid);
}

/** Pss of proc_pid_smaps(5), in MB: what processes share with others counts for each by its part. */
export function memoryOf(pids) {
  const kilobytes = (pid) => {
    try {
      const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
      return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? 0);
    } catch {
      return 0;
    }
  };
  return pids.reduce((sum, pid) => sum + kilobytes(pid), 0) / 1000;
}

/**
 * Processor time so far, in ms: proc_pid_schedstat(5) of all threads, in ns. Clock ticks of 10 ms would be most of the
 * result. A process that came and went meanwhile is not in it.
 */
export function cpuMsOf(pids) {
  return pids.reduce((sum, pid) => sum + cpuMs(pid), 0);
}

function cpuMs(pid) {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    const read = (thread) => readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8');
    return threads.reduce((sum, thread) => sum + Number(read(thread).split(' ')[0]) / 1e6, 0);
  } catch {
    return 0;
  }
}
