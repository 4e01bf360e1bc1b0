import type { Behaviour, Place } from './behaviours.ts';

/** What one service of the zoo does: one behaviour, or several, each become by the one before. */
export interface Exhibit {
  readonly name: string;
  readonly behaviours: readonly Behaviour[];
}

/** The command of a service: the last of its behaviours is what the one before becomes, and so on. */
export function commandOf({ behaviours }: Exhibit, place: Place): readonly string[] {
  return behaviours.flatMap((behaviour) => behaviour.args(place));
}

/** How many lines its mark has once it stands. */
export function linesOf({ behaviours }: Exhibit): number {
  let lines = 0;
  for (const [index, behaviour] of behaviours.entries()) {
    const isLast = index === behaviours.length - 1;
    if (isLast || behaviour.waits) return lines + behaviour.lines;
    lines += behaviour.lines - 1;
  }
  return lines;
}

/** A service for each behaviour alone. */
export function alone(behaviours: readonly Behaviour[]): Exhibit[] {
  return behaviours.map((behaviour) => ({ name: behaviour.name, behaviours: [behaviour] }));
}
