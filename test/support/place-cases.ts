import fc from 'fast-check';
import { DEEDS, type Played, playSteps, type Step } from './place-world.ts';

/** Random deeds between a start and a stop, the plain ones as often as the others. */
const placeCases: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({
    deed: fc.constantFrom(...DEEDS),
    which: fc.nat({ max: 5 }),
    other: fc.nat({ max: 5 }),
  }),
  { minLength: 1, maxLength: 7 },
);

/** The figures of a run over many cases. */
export interface Figures {
  readonly cases: number;
  readonly stops: number;
  /** The cases that went wrong, in words. */
  readonly faults: readonly string[];
}

/**
 * Plays cases, some of them at a time, because each waits for processes most of the time.
 *
 * @param seed the same seed makes the same cases
 * @param until when no other case is begun, in ms of `performance.now()`
 */
export async function playCases(options: {
  readonly seed: number;
  readonly cases: number;
  readonly atOnce: number;
  readonly until?: number;
  readonly say?: (line: string) => void;
}): Promise<Figures> {
  const { seed, cases, atOnce, until = Number.POSITIVE_INFINITY, say = () => {} } = options;
  const queue = fc.sample(placeCases, { seed, numRuns: cases }).entries();
  const faults: string[] = [];
  let played = 0;
  let stops = 0;
  const work = async (): Promise<void> => {
    for (const [index, steps] of queue) {
      if (performance.now() > until) return;
      const outcome = await playSafely(steps);
      played += 1;
      stops += outcome.stops;
      if (outcome.faults.length === 0) continue;
      const told = [`case ${index} of seed ${seed}:`, ...outcome.told, ...outcome.faults];
      faults.push(told.join('\n  '));
      say(told.join('\n  '));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return { cases: played, stops, faults };
}

async function playSafely(steps: readonly Step[]): Promise<Played> {
  try {
    return await playSteps(steps);
  } catch (error) {
    const told = steps.map(({ deed, which, other }) => `${deed} ${which} ${other}`);
    return { faults: [error instanceof Error ? `${error.stack}` : String(error)], told, stops: 0 };
  }
}
