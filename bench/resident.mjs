// Measures what a supervisor costs while nothing happens, beside an HTTP server of Node's that does nothing at all.
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';

/** Until a start is digested and nothing is looked at more often than it has to be. */
const SETTLE_MS = 30_000;
const WINDOW_MS = 20_000;

/**
 * @param folder of a project that is running
 * @param record is told of each figure: name, value
 */
export async function measureResident(folder, rounds, record) {
  const supervisor = readFileSync(path.join(folder, '.pids', 'supervisor.json'), 'utf8');
  const { pid } = JSON.parse(supervisor).identity;
  const socket = path.join(folder, 'empty.sock');
  const script = `require('node:http').createServer((_, to) => to.end()).listen(${JSON.stringify(socket)})`;
  const empty = spawn(process.execPath, ['-e', script], { stdio: 'ignore' });
  try {
    await setTimeout(SETTLE_MS);
    for (let round = 0; round < rounds; round += 1) {
      const before = cpuMs(pid);
      const from = performance.now();
      await setTimeout(WINDOW_MS);
      record('cpu, % of a core', (100 * (cpuMs(pid) - before)) / (performance.now() - from));
      record('memory (RSS), MB', rssBytes(pid) / 1e6);
      record('memory of an empty HTTP server of Node, MB', rssBytes(empty.pid) / 1e6);
      record('memory, ratio', rssBytes(pid) / rssBytes(empty.pid));
    }
  } finally {
    empty.kill('SIGKILL');
    rmSync(socket, { force: true });
  }
}

/** proc_pid_schedstat(5) of all threads: exact, where clock ticks of 10 ms would be a tenth of the result. */
function cpuMs(pid) {
  const threads = readdirSync(`/proc/${pid}/task`);
  const read = (thread) => readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8');
  return threads.reduce((sum, thread) => sum + Number(read(thread).split(' ')[0]) / 1e6, 0);
}

function rssBytes(pid) {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(kilobytes) * 1024;
}
