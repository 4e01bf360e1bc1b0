import type { Claim } from '../../ownership/claim.ts';
import type { SweepRules } from '../../ownership/sweep.ts';
import type { Host } from '../../processes/host.ts';
import type { Identity } from '../../processes/identity.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import type { DeclaredService } from '../../project/open-project.ts';
import type { RunContained } from '../../services/launch/stop-command.ts';

export interface StopOptions {
  /** Service names; null: the whole project, its supervisor, and the sweep. */
  readonly names: readonly string[] | null;
  readonly force: boolean;
  readonly dryRun: boolean;
  /** Overrides every service's own grace period, in ms. */
  readonly graceMs: number | null;
  /** Null: no sweep. */
  readonly sweep: SweepRules | null;
  /** What the manifest says of services that have no record. */
  readonly declared: readonly DeclaredService[];
  readonly forced: () => boolean;
  readonly watch: (living: readonly Claim[]) => void;
  /** Run ids of the one-offs that this command runs in: they end when their commands do. */
  readonly exempt?: readonly string[];
  /** Why, where nobody has asked for it. */
  readonly why?: string;
  /** For a supervisor that carries out the stop itself; others ask theirs. */
  readonly hasChildren?: () => Promise<boolean | null>;
  /** For a supervisor too. */
  readonly runContained?: RunContained;
}

/** Completes the options of a stop: polite, without a sweep, and with nobody who watches or asks for force. */
export function stopOptions(
  options: Pick<StopOptions, 'names'> & Partial<StopOptions>,
): StopOptions {
  return {
    force: false,
    dryRun: false,
    graceMs: null,
    sweep: null,
    declared: [],
    forced: () => false,
    watch: () => {},
    ...options,
  };
}

/** One stop, from its beginning: every part of it gets the same. */
export interface StopHeader {
  readonly folder: ProjectFolder;
  readonly options: StopOptions;
  readonly startedAt: Date;
  /** On the clock of `Host.nowMs`. */
  readonly beganAtMs: number;
  /** The process that carries out the stop. */
  readonly self: Identity;
}

/** Begins a stop: its clocks run from here. */
export async function stopHeader(
  host: Pick<Host, 'nowMs' | 'self'>,
  folder: ProjectFolder,
  options: StopOptions,
): Promise<StopHeader> {
  const startedAt = new Date();
  const beganAtMs = host.nowMs();
  return { folder, options, startedAt, beganAtMs, self: await host.self() };
}
