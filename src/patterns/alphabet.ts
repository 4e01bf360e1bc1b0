/** The sets of UTF-16 units that a pattern names, and the classes of units that all of these sets treat alike. */
export interface Alphabet {
  /** Adds the set that a piece of a regular expression describes, and returns its number. */
  add(source: string): number;
  /** Returns the number of the class of a unit. All sets have been added before. */
  classOf(unit: number): number;
  /** Tells whether a set has the units of a class. */
  has(set: number, unitClass: number): boolean;
}

const UNITS = 0x1_0000;

/**
 * Creates an alphabet without sets. The engine of JavaScript says which units a set has, so that a class, an escape and
 * the flag mean here what they mean there.
 *
 * @param flags of the pattern: none, or `i`
 */
export function createAlphabet(flags: '' | 'i'): Alphabet {
  const sets = new Map<string, number>();
  const forms: RegExp[] = [];
  /** The members of each set, as text of 0 and 1, by class. */
  const classes: string[] = [];
  const byMembership = new Map<string, number>();
  /** One more than the class of each unit; 0: not known yet. */
  const known = new Uint16Array(UNITS);

  const classify = (unit: number): number => {
    const character = String.fromCharCode(unit);
    const membership = forms.map((form) => Number(form.test(character))).join('');
    const found = byMembership.get(membership) ?? classes.push(membership) - 1;
    byMembership.set(membership, found);
    return found;
  };

  return {
    add(source) {
      const number = sets.get(source) ?? forms.push(new RegExp(`^(?:${source})$`, flags)) - 1;
      sets.set(source, number);
      return number;
    },
    classOf(unit) {
      const before = known[unit];
      if (before) return before - 1;
      const found = classify(unit);
      known[unit] = found + 1;
      return found;
    },
    has: (set, unitClass) => classes[unitClass]?.[set] === '1',
  };
}
