/** The shortest time between two beginnings of the same command, in ms: a crash loop would run it many times a second. */
export const LEAST_GAP_MS = 10_000;

/** The events of one kind that a command is to be run for. */
export interface Gate<Event> {
  /** True while the command runs. */
  readonly isRunning: boolean;
  /** When it last began; null: never. */
  readonly beganMs: number | null;
  /** The latest event that it was not run for, and how many they are; null: none. */
  readonly folded: { readonly event: Event; readonly count: number } | null;
}

export const closedGate: Gate<never> = { isRunning: false, beganMs: null, folded: null };

/** The next step of a gate. */
export interface GateStep<Event> {
  readonly gate: Gate<Event>;
  /** The event to run the command for now, and how many it stands for; null: none. */
  readonly run: { readonly event: Event; readonly count: number } | null;
  /** When to ask again, in ms from now; null: at the next event, or at the end of the command. */
  readonly againInMs: number | null;
}

/** Folds another event into those that wait. */
export function addEvent<Event>(gate: Gate<Event>, event: Event): Gate<Event> {
  return { ...gate, folded: { event, count: (gate.folded?.count ?? 0) + 1 } };
}

/** Decides whether the command runs now: one at a time, and not again before `LEAST_GAP_MS` is over. */
export function openGate<Event>(gate: Gate<Event>, nowMs: number): GateStep<Event> {
  const { isRunning, beganMs, folded } = gate;
  if (isRunning || folded === null) return { gate, run: null, againInMs: null };
  const leftMs = beganMs === null ? 0 : beganMs + LEAST_GAP_MS - nowMs;
  if (leftMs > 0) return { gate, run: null, againInMs: leftMs };
  return { gate: { isRunning: true, beganMs: nowMs, folded: null }, run: folded, againInMs: null };
}

/** Notes that the command has ended. */
export function endCommand<Event>(gate: Gate<Event>): Gate<Event> {
  return { ...gate, isRunning: false };
}
