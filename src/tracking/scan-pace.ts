import { SAMPLE_MS } from '../history/samples.ts';

/** The findings of the last scan on which the pause before the next one depends. */
export interface LastScan {
  /** True when a process of ours has come or gone, or has moved to another group or session. */
  readonly changed: boolean;
  /** True when services use more than they do at rest. */
  readonly moving: boolean;
  /** True while somebody watches the samples. */
  readonly watched: boolean;
  /** True when no process of ours can escape unseen, and nobody waits for an end that only a scan shows. */
  readonly contained: boolean;
  /** True when each run has a control group of its own. */
  readonly grouped: boolean;
  /** How long it took. */
  readonly tookMs: number;
}

/** Pause after a change, where a scan is cheap. */
export const SHORTEST_SCAN_PAUSE_MS = 100;
/** Longest pause at rest while processes can escape unseen. */
export const LONGEST_SCAN_PAUSE_MS = 2_000;
/** Longest pause at rest while no process can escape unseen. */
const LONGEST_CONTAINED_PAUSE_MS = 5_000;
/** Factor by which the pause grows when nothing has changed. */
const SLOWDOWN = 1.5;
/**
 * The same where no process can escape unseen, and a control group tells of which service each one is: five scans in the first
 * 10 s after a start, not ten. Without groups, only a scan that sees the parent of a daemon with a cleared environment knows
 * its service.
 */
const GROUPED_SLOWDOWN = 3;
/**
 * Pause after a scan, as a multiple of its own time, where no process can escape unseen: in a fork storm, or where
 * services crash again and again on a busy machine, scans would take all the time that there is.
 */
const COST = 3;

/**
 * Returns the pause before the next scan, in ms: short after a change, because a process that escapes
 * does so early; long when nothing changes (polling /proc every 500 ms costs 0.6 % of a core at 80
 * processes). Under a subreaper no process can leave the tree, so the ledger only matters if the
 * subreaper dies.
 */
export function nextScanPauseMs(pauseMs: number, { changed, ...seen }: LastScan): number {
  const shortest = shortestPauseMs(seen);
  if (changed) return shortest;
  const longestAtRest = seen.contained ? LONGEST_CONTAINED_PAUSE_MS : LONGEST_SCAN_PAUSE_MS;
  const longest = seen.moving || seen.watched ? SAMPLE_MS : longestAtRest;
  const slowdown = seen.contained && seen.grouped ? GROUPED_SLOWDOWN : SLOWDOWN;
  return Math.min(Math.max(pauseMs, shortest) * slowdown, longest);
}

/** Returns the shortest pause after a scan of this cost, in ms. Samples and limits have the scan of each second. */
export function shortestPauseMs({
  contained,
  tookMs,
}: Pick<LastScan, 'contained' | 'tookMs'>): number {
  if (!contained) return SHORTEST_SCAN_PAUSE_MS;
  return Math.min(Math.max(tookMs * COST, SHORTEST_SCAN_PAUSE_MS), SAMPLE_MS);
}
