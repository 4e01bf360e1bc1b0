import type { Claim } from '../../ownership/claim.ts';
import type { SweepRules } from '../../ownership/sweep.ts';
import type { Host } from '../../processes/host.ts';
import type { Identity } from '../../processes/identity.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import type { DeclaredService } from '../../project/open-project.ts';
import { hadContainers } from '../../project/place/containers-copy.ts';
import type { RunContained } from '../../services/launch/stop-command.ts';

/** The wish of a stop of everything for the containers of the project. */
export interface ContainersWish {
  /** True where the manifest has containers, so that the engine is asked although no record names any. */
  readonly declared: boolean;
  /** True: removes their volumes as well. */
  readonly volumes: boolean;
}

export interface StopOptions {
  /** Service names; null: the whole project, its supervisor, and the sweep. */
  readonly names: readonly string[] | null;
  readonly force: boolean;
  readonly dryRun: boolean;
  /** Replaces the grace period of every service, in ms. */
  readonly graceMs: number | null;
  /** Null: no sweep. */
  readonly sweep: SweepRules | null;
  /** True: ends the processes that the manifest, the records and the built-in list protect, too. */
  readonly unprotected: boolean;
  /** The services of the manifest. They count for services that have no record. */
  readonly declared: readonly DeclaredService[];
  /** Becomes true when the user asks a second time. */
  readonly forced: () => boolean;
  /** Called after each scan with the claims that are still alive. */
  readonly onScan: (living: readonly Claim[]) => void;
  /** Missing: only what a record names. */
  readonly containers?: ContainersWish | undefined;
  /** Run ids of the one-offs that this command runs inside of: they end when their commands end. */
  readonly exempt?: readonly string[];
  /** The reason of a stop that no user asked for. */
  readonly why?: string;
  /** Set by a supervisor that carries out the stop itself. Other processes ask their supervisor. */
  readonly hasChildren?: () => Promise<boolean | null>;
  /** Set by such a supervisor too. */
  readonly runContained?: RunContained;
}

/** Completes the options of a stop: without force, without a sweep, and without callbacks. */
export function stopOptions(
  options: Pick<StopOptions, 'names'> & Partial<StopOptions>,
): StopOptions {
  return {
    force: false,
    dryRun: false,
    graceMs: null,
    sweep: null,
    unprotected: false,
    declared: [],
    forced: () => false,
    onScan: () => {},
    ...options,
  };
}

/** The facts that every part of one stop shares. */
export interface StopHeader {
  readonly folder: ProjectFolder;
  readonly options: StopOptions;
  readonly startedAt: Date;
  /** The same moment on the clock of `Host.nowMs`. */
  readonly beganAtMs: number;
  /** The process that carries out the stop. */
  readonly self: Identity;
}

/** Makes the header of a stop that begins now. */
export async function stopHeader(
  host: Pick<Host, 'nowMs' | 'self'>,
  folder: ProjectFolder,
  options: StopOptions,
): Promise<StopHeader> {
  const startedAt = new Date();
  const beganAtMs = host.nowMs();
  return { folder, options, startedAt, beganAtMs, self: await host.self() };
}

/** Tells whether this stop concerns containers. It costs two looks, because most projects have none. */
export function mayHaveContainers(
  folder: ProjectFolder,
  { names, containers }: Pick<StopOptions, 'names' | 'containers'>,
): boolean {
  return names === null && (containers?.declared === true || hadContainers(folder));
}
