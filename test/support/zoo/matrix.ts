import { rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, release } from 'node:os';
import { endProcesses } from '../end-processes.ts';
import { type Oracle, openOracle } from '../oracle.ts';
import { currentRunFolder } from '../run-folder.ts';
import { type Behaviour, behaviours, findProgram } from './behaviours.ts';
import { removeDelegatedGroups } from './cgroups.ts';
import { nested, someCombinations } from './combinations.ts';
import { describeVisit, figures, markdown } from './figures.ts';
import { type Here, lookHere, runnable } from './here.ts';
import { allModes, isRun, type Mode, nameOf } from './modes.ts';
import { alone, type Exhibit } from './service.ts';
import { faultsOf, type Visit, visit } from './visit.ts';

/** The options of `npm run zoo`. */
export interface MatrixOptions {
  /** Only modes whose names have all these words. */
  readonly mode: readonly string[];
  /** Only these behaviours; empty: all. */
  readonly only: readonly string[];
  /** The number of nested behaviours in each mode, chosen by `seed`. */
  readonly combinations: number;
  readonly seed: number;
  /** Where to write the whole table. */
  readonly markdown: string | null;
  readonly say: (line: string) => void;
}

/**
 * Runs the zoo in every mode that can be run here, and prints what came of it.
 *
 * @returns all that went wrong; empty when nothing did
 * @throws Error where there is no Linux or no Perl
 */
export async function runMatrix(options: MatrixOptions): Promise<string[]> {
  const { say, only } = options;
  const here = await lookHere();
  if (!here.any) throw new Error('the zoo needs Linux and Perl');
  const modes = allModes(here).filter((mode) => {
    const words = nameOf(mode).split(' ');
    return options.mode.every((word) => words.includes(word));
  });
  const all = behaviours().filter(({ name }) => only.length === 0 || only.includes(name));
  say(`${all.length} behaviours, ${modes.length} modes, Node ${process.versions.node}`);
  for (const missing of missingHere(here)) say(missing);
  for (const { name, needs } of all) {
    if (needs !== null && !findProgram(needs)) say(`${needs} is not installed: without ${name}`);
  }
  if (options.combinations > 0) say(`seed of the combinations: ${options.seed}`);

  const folder = currentRunFolder();
  // Opened now, because an oracle sees no process that is older than itself.
  const { everything } = openOracle({ folders: [folder], environment: [] });
  const cleanUp = () => endAll(folder, everything);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    // Not once(): execa ends the process where nobody listens any more.
    process.on(signal, () => void cleanUp().then(() => process.exit(130)));
  }
  const visits: Visit[] = [];
  const errors: string[] = [];
  const show = async (mode: Mode, exhibits: readonly Exhibit[]): Promise<void> => {
    try {
      visits.push(...(await visitAndTell(mode, exhibits, say)));
    } catch (error) {
      errors.push(`${nameOf(mode)}: ${error}`);
      say(`✗ ${errors.at(-1)}`);
    }
  };
  try {
    for (const mode of modes) {
      const shown = runnable(all, mode, here);
      for (const storm of [false, true]) {
        // Storms run apart, because they starve the others.
        const part = alone(shown.filter((one) => one.storm === storm));
        for (const some of atOnce(mode, part)) await show(mode, some);
      }
      const combinations = someCombinations(shown, options.combinations, options.seed);
      for (const [index, names] of combinations.entries()) {
        say(`  nested-${index + 1}: ${names.join(' > ')}`);
      }
      await show(mode, nested(combinations, all));
    }
  } finally {
    await cleanUp();
  }
  say(`\n${figures(visits)}`);
  if (options.markdown) writeFileSync(options.markdown, markdown(all, visits, describeMachine()));
  return [...errors, ...visits.flatMap(faultsOf)];
}

/** On the portable table each one-off runs a `ps` of its own, so more of them at a time starve each other. */
const MOST_PORTABLE_RUNS = 10;

function atOnce(mode: Mode, exhibits: readonly Exhibit[]): readonly (readonly Exhibit[])[] {
  const most = mode.portable && isRun(mode) ? MOST_PORTABLE_RUNS : Math.max(1, exhibits.length);
  const parts = Math.ceil(exhibits.length / most);
  return Array.from({ length: parts }, (_, part) => exhibits.slice(part * most, (part + 1) * most));
}

/** The behaviours, for `--list`. */
export function listBehaviours(): readonly Behaviour[] {
  return behaviours();
}

/** The processes of this run, also of a visit that was interrupted. */
async function endAll(folder: string, everything: Oracle['everything']): Promise<void> {
  await endProcesses(everything);
  await removeDelegatedGroups();
  // The processes that an interrupted visit was about to start.
  await endProcesses(everything);
  rmSync(folder, { recursive: true, force: true });
}

function describeMachine(): string {
  const [major, minor] = release().split('.');
  const node = process.versions.node.split('.')[0];
  return `Linux ${major}.${minor}, ${availableParallelism()} cores, Node ${node}`;
}

async function visitAndTell(
  mode: Mode,
  exhibits: readonly Exhibit[],
  say: (line: string) => void,
): Promise<Visit[]> {
  if (exhibits.length === 0) return [];
  const began = performance.now();
  const seen = await visit(mode, exhibits);
  say(describeVisit(seen, Math.round(performance.now() - began)));
  for (const fault of faultsOf(seen)) say(`    ✗ ${fault}`);
  return [seen];
}

function missingHere({ root, ordinary, native, cgroup, threads }: Here): string[] {
  const lines: readonly (readonly [boolean, string])[] = [
    [root, 'not root: without the modes of root'],
    [ordinary, 'nobody cannot run Node here: without the modes of an ordinary user'],
    [native, 'no koffi: without the native modes'],
    [cgroup, 'no writable cgroup (v2): without the modes that use one'],
    [threads, 'Perl has no threads: without the zombie leaders'],
  ];
  return lines.flatMap(([has, line]) => (has ? [] : [line]));
}
