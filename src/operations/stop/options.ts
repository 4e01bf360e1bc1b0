import type { Claim } from '../../ownership/claim.ts';
import type { SweepRules } from '../../ownership/sweep.ts';
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

/** What is the same for every part of one stop. */
export interface StopHeader {
  readonly folder: ProjectFolder;
  readonly options: StopOptions;
  readonly startedAt: Date;
  readonly beganAtMs: number;
  readonly self: Identity;
}
