import type { StateKind } from '../services/lifecycle/states.ts';

/** The result of one service of a start. */
export interface StartedService {
  readonly name: string;
  readonly state: StateKind;
  readonly pid: number | null;
  readonly reason: string | null;
  /** The services for which it was not started, nearest first. */
  readonly blockedBy: readonly string[];
  /** The time from the request until it was up or had failed, in ms. */
  readonly tookMs: number;
  /** True when it was up, or done, before the start. */
  readonly alreadyRunning: boolean;
  /** True for a task that has succeeded, which counts as up. */
  readonly done: boolean;
  /** True when the start was given up before the service was up, or had shown that it stays up. */
  readonly givenUp: boolean;
  /** The last lines of its log, if it failed. */
  readonly lastLines: readonly string[];
  readonly log: string;
}
