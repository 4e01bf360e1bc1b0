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
 * result. It never goes back, so the part of a thread that ends counts until then, and that of one that comes from then on.
 */
export function openCpuMeter(pids) {
  const threads = new Map();
  return () => {
    for (const pid of pids) readThreads(pid, threads);
    return [...threads.values()].reduce((sum, ms) => sum + ms, 0);
  };
}

function readThreads(pid, threads) {
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const text = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8');
      threads.set(`${pid}:${thread}`, Number(text.split(' ')[0]) / 1e6);
    }
  } catch {
    // It has ended meanwhile.
  }
}
