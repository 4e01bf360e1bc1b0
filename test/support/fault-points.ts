import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from './paths.ts';
import type { TemporaryProject } from './temporary-project.ts';

/** One call of a devctl process that changes something outside of it: see `fixtures/fault-points.cjs`. */
export interface Effect {
  /** The command that was under way, as its recorder calls it. */
  readonly phase: string;
  readonly role: 'cli' | 'guard' | 'supervisor';
  readonly pid: number;
  readonly kind: string;
  /** The object of the effect. */
  readonly label: string;
  /** Kind, label and the lines of dist/ that lead there. */
  readonly key: string;
  /** The number of effects with this key in this process and phase, itself included. */
  readonly occurrence: number;
}

/** A moment at which a process is killed. */
export interface FaultPoint extends Pick<Effect, 'phase' | 'role' | 'kind' | 'key' | 'occurrence'> {
  readonly edge: 'before' | 'after' | 'torn';
}

/** Tells the processes of one project when to die. */
export interface Faults {
  /** The environment of each devctl that is to be recorded or killed. */
  readonly env: Readonly<Record<string, string>>;
  /** Records every effect from now on. */
  record(phase: string): void;
  /** Has a process of this phase and role killed at this point from now on. */
  arm(point: FaultPoint): void;
  /** Neither records nor kills from now on. */
  disarm(): void;
  /** The effects that were recorded so far. */
  effects(): readonly Effect[];
  /** True when a process was killed since the last `arm`. */
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
      // Saved code is no effect on a project, and only the first command saves it.
      NODE_DISABLE_COMPILE_CACHE: '1',
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

/** Effects that other processes see at once. */
const DEEDS = new Set(['spawn', 'signal', 'link']);

/** True for a deed, or a record with something new. Each of them counts, not only each place of the code. */
function isTurningPoint({ kind, label }: Effect): boolean {
  return DEEDS.has(kind) || (kind === 'rename' && label.includes('/services/'));
}

/** True for a file that devctl reads. Half a pid in `cgroup.procs` would be another process. */
function isRecord(label: string): boolean {
  return label.startsWith('/.pids/') && !label.endsWith('.tmp');
}

/** The key without the name of a service or of an old file, so that the same effect has the same key. */
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

/** Names the kill in a message. */
export function describePoint({ phase, role, edge, key, occurrence }: FaultPoint): string {
  return `${phase}: ${role} killed ${edge} ${key} (${occurrence})`;
}
