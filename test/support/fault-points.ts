import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from './paths.ts';
import type { TemporaryProject } from './temporary-project.ts';

/** One call of a devctl process that changes something outside of it: see `fixtures/fault-points.cjs`. */
export interface Effect {
  /** The command that was under way, named by whoever recorded it. */
  readonly phase: string;
  readonly role: 'cli' | 'guard' | 'supervisor';
  readonly pid: number;
  readonly kind: string;
  /** What it was done to. */
  readonly label: string;
  /** Kind, label and the lines of dist/ that lead there. */
  readonly key: string;
  /** How many with this key there were in this process and phase, itself included. */
  readonly occurrence: number;
}

/** A moment to be killed at. */
export interface FaultPoint extends Pick<Effect, 'phase' | 'role' | 'kind' | 'key' | 'occurrence'> {
  readonly edge: 'before' | 'after' | 'torn';
}

/** Where the processes of one project learn when to die. */
export interface Faults {
  /** To be in the environment of each devctl that is to be recorded or killed. */
  readonly env: Readonly<Record<string, string>>;
  /** From now on every effect is written down. */
  record(phase: string): void;
  /** From now on a process of this phase and role is killed at this point. */
  arm(point: FaultPoint): void;
  /** From now on nothing is. */
  disarm(): void;
  /** What was recorded so far. */
  effects(): readonly Effect[];
  /** Was anybody killed since the last `arm`? */
  hasStruck(): boolean;
}

export function openFaults(project: TemporaryProject): Faults {
  const folder = project.file('.faults');
  const log = join(folder, 'log.ndjson');
  mkdirSync(folder, { recursive: true });
  // By rename: a supervisor may be reading it at this very moment.
  const plan = (what: object) => {
    const fresh = join(folder, 'plan.tmp');
    writeFileSync(fresh, JSON.stringify(what));
    renameSync(fresh, join(folder, 'plan.json'));
  };
  const lines = () =>
    existsSync(log) ? readFileSync(log, 'utf8').split('\n').filter(Boolean).map(toLine) : [];
  plan({ phase: 'none' });
  return {
    env: {
      FAULT_POINTS: folder,
      NODE_OPTIONS: `--require=${join(repositoryRoot, 'fixtures', 'fault-points.cjs')}`,
    },
    record: (phase) => plan({ phase, record: true }),
    arm(point) {
      rmSync(log, { force: true });
      plan(point);
    },
    disarm: () => plan({ phase: 'none' }),
    effects: () => lines().filter(({ died }) => !died),
    hasStruck: () => lines().some(({ died }) => died),
  };
}

function toLine(text: string): Effect & { readonly died?: boolean } {
  return JSON.parse(text);
}

/** What others see at once; between two of these, the world has changed. */
const DEEDS = new Set(['spawn', 'signal', 'link']);

/** A deed, or a record that says something new. Each of them counts, not only each place of the code. */
function isTurningPoint({ kind, label }: Effect): boolean {
  return DEEDS.has(kind) || (kind === 'rename' && label.includes('/services/'));
}

/** Is it a file that is read? Half a number in `cgroup.procs` would be a number of somebody else. */
function isRecord(label: string): boolean {
  return label.startsWith('/.pids/') && !label.endsWith('.tmp');
}

/** The same effect for one service and for another, for one founding file and for another. */
function withoutService(key: string): string {
  return key
    .replaceAll(/(?<=[/.])(db|web|once)(?=[.\s])/g, 'NAME')
    .replaceAll(/services\.pids(\.groups|\.services)?/g, 'FOUNDING');
}

/**
 * Where an effect is the same as another one. A temporary file that nobody reads is the same whatever it
 * is for: what counts is its rename.
 */
function placeOf({ kind, label, key }: Effect): string {
  return label.endsWith('.tmp') && kind !== 'rename' ? `${kind} TEMPORARY` : withoutService(key);
}

/**
 * The moments at which a process can be killed: before each effect, which is also after the one before
 * it; after deeds, renames and the last effect of all; and with half of what it writes on disk, where
 * that is not a temporary file that nobody reads.
 *
 * @param all false: of the effects at one place of the code, done to the same file of whichever
 *   service, only the first; turning points each. And of a phase that is a variation of an earlier one,
 *   only the turning points and what the earlier one has not.
 * @param variations names of these phases
 */
export function faultPoints(
  effects: readonly Effect[],
  { all, variations }: { readonly all: boolean; readonly variations: readonly string[] },
): readonly FaultPoint[] {
  const last = new Map(effects.map((effect) => [`${effect.phase} ${effect.pid}`, effect]));
  const points = new Map<string, FaultPoint>();
  const covered = new Set<string>();
  for (const effect of effects) {
    const { phase, role, kind, key, label, occurrence } = effect;
    const place = placeOf(effect);
    const isVariation = variations.includes(phase);
    const isTurn = isTurningPoint(effect);
    const what = withoutService(`${kind} ${label} `);
    if (!all && !isTurn && isVariation && (kind === 'print' || covered.has(what))) continue;
    if (!isVariation) covered.add(what);
    const isLast = last.get(`${phase} ${effect.pid}`) === effect;
    const edges: readonly FaultPoint['edge'][] = [
      'before',
      ...(kind === 'write' && isRecord(label) ? (['torn'] as const) : []),
      ...(isTurn || kind === 'rename' || isLast ? (['after'] as const) : []),
    ];
    for (const edge of edges) {
      const which = all || (isTurn && edge === 'before' && !isVariation) || kind === 'spawn';
      const name = `${phase} ${role} ${edge} ${which ? `${occurrence} ${key}` : place}`;
      if (!points.has(name)) points.set(name, { phase, role, kind, key, occurrence, edge });
    }
  }
  return [...points.values()];
}

/** For a message: which kill was that? */
export function describePoint({ phase, role, edge, key, occurrence }: FaultPoint): string {
  return `${phase}: ${role} killed ${edge} ${key} (${occurrence})`;
}
