import { SAMPLE_MS } from '../history/samples.ts';

/** What the last look at the process table has shown, as far as the next one depends on it. */
export interface LastScan {
  /** Has a process of ours come or gone, or moved to another group or session? */
  readonly changed: boolean;
  /** Are there dead to be reaped, many at once? */
  readonly storm: boolean;
  /** Do services use more than they do when nothing happens? */
  readonly moving: boolean;
  /** Is somebody looking at the samples? */
  readonly watched: boolean;
  /** Can nothing of ours get away unseen, and does nobody wait for an end that only a look shows? */
  readonly held: boolean;
}

export const SHORTEST_SCAN_PAUSE_MS = 100;
export const LONGEST_SCAN_PAUSE_MS = 2_000;
const LONGEST_HELD_MS = 5_000;
const SLOWDOWN = 1.5;

/**
 * The pause before the next look, in ms: short after a change, because what escapes escapes early; long
 * when nothing moves (polling /proc every 500 ms costs 0.6 % of a core at 80 processes). Under a
 * subreaper nothing can leave the tree, so the ledger only serves for the case that it dies.
 */
export function nextScanPauseMs(pauseMs: number, { changed, storm, ...seen }: LastScan): number {
  if (changed || storm) return SHORTEST_SCAN_PAUSE_MS;
  const calm = seen.held ? LONGEST_HELD_MS : LONGEST_SCAN_PAUSE_MS;
  const longest = seen.moving || seen.watched ? SAMPLE_MS : calm;
  return Math.min(Math.max(pauseMs, SHORTEST_SCAN_PAUSE_MS) * SLOWDOWN, longest);
}
