import { sizeInWords, timeInWords } from '../manifest/units.ts';
import type { Breach, BreachBranch } from './breach.ts';

/** Says what was exceeded: "used 1.2 GB, limit 1 GB; most of it below vitest (pid 812): 74 processes, 1.1 GB". */
export function breachInWords(breach: Breach): string {
  const { branch } = breach;
  return branch === null
    ? excessInWords(breach)
    : `${excessInWords(breach)}; ${partOf(breach, branch)} below ${branchInWords(branch)}`;
}

/** Says what was exceeded, and by which service: "web: 74 processes, limit 20; …". */
export function warningInWords(breach: Breach): string {
  const of = breach.service === null ? ofProject(breach) : '';
  return `${breach.service ?? 'all services together'}: ${breachInWords(breach)}${of}`;
}

function ofProject({ branch }: Breach): string {
  return branch?.service ? ` (${branch.service})` : '';
}

function excessInWords({ limit, value, allowed, measuredAs }: Breach): string {
  switch (limit) {
    case 'processes':
      return `${processesInWords(value)}, limit ${allowed}`;
    case 'memory':
      return `used ${sizeInWords(value)}${measuredAs === 'rss' ? ' (rss)' : ''}, limit ${sizeInWords(allowed)}`;
    case 'cpu':
      return `used ${value}% of a core, limit ${allowed}%`;
    case 'runtime':
      return `ran for ${passedInWords(value)}, limit ${timeInWords(allowed)}`;
    case 'idle':
      return `no output and no cpu for ${passedInWords(value)}, limit ${timeInWords(allowed)}`;
  }
}

function branchInWords({ pid, command, processes, memoryBytes }: BreachBranch): string {
  const name = command.length > 60 ? `${command.slice(0, 59)}…` : command;
  const count = processesInWords(processes);
  return `${name} (pid ${pid}): ${count}, ${sizeInWords(memoryBytes)}`;
}

function partOf({ limit, value }: Breach, { processes, memoryBytes }: BreachBranch): string {
  const part = limit === 'processes' ? processes : memoryBytes;
  return limit === 'cpu' || 2 * part > value ? 'most of it' : 'the largest part';
}

function processesInWords(count: number): string {
  return `${count} ${count === 1 ? 'process' : 'processes'}`;
}

/** Says a measured time, which is never a round number, in whole units, rounded down. */
function passedInWords(ms: number): string {
  const unit = [3_600_000, 60_000, 1_000].find((one) => ms >= 2 * one) ?? 100;
  return timeInWords(Math.floor(ms / unit) * unit);
}
