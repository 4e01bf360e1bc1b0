/** The kernel counts start times and processor time in ticks of 1/100 s (USER_HZ, proc_pid_stat(5)). */
const MS_PER_TICK = 10;

export function ticksToMs(ticks: number): number {
  return ticks * MS_PER_TICK;
}

/** @returns not rounded: the caller knows which side is the safe one */
export function msToTicks(ms: number): number {
  return ms / MS_PER_TICK;
}
