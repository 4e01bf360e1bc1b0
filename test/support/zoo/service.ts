import type { Behaviour, Place } from './behaviours.ts';

/** The behaviour of one service of the zoo, or several, each of which becomes the next one. */
export interface Exhibit {
  readonly name: string;
  readonly behaviours: readonly Behaviour[];
}

/** Builds the command of a service: each of its behaviours becomes the next one. */
export function commandOf({ behaviours }: Exhibit, place: Place): readonly string[] {
  return behaviours.flatMap((behaviour) => behaviour.args(place));
}

/** The number of lines in its mark once it is set up. */
export function linesOf({ behaviours }: Exhibit): number {
  let lines = 0;
  for (const [index, behaviour] of behaviours.entries()) {
    const isLast = index === behaviours.length - 1;
    if (isLast || behaviour.waits) return lines + behaviour.lines;
    lines += behaviour.lines - 1;
  }
  return lines;
}

/** Makes a service for each behaviour. */
export function alone(behaviours: readonly Behaviour[]): Exhibit[] {
  return behaviours.map((behaviour) => ({ name: behaviour.name, behaviours: [behaviour] }));
}
