/**
 * The reasons to call a process ours, strongest first. `docs/architecture.md` says what each of them can
 * and cannot see.
 */
export const EVIDENCE_KINDS = [
  'leader',
  'cgroup',
  'ledger',
  'cookie',
  'session',
  'group',
  'descendant',
  'founding-file',
  'output',
  'port',
  'pattern',
] as const;

export type EvidenceKind = (typeof EVIDENCE_KINDS)[number];

/** One reason why a process is ours. */
export interface Evidence {
  readonly kind: EvidenceKind;
  /** The observed fact, for people: "child of 4711", "DEVCTL_RUN=ab12…". */
  readonly detail: string;
}

/** Why a process is left alone although evidence points to it. */
export type VetoKind =
  | 'self'
  | 'ancestor'
  | 'own-child'
  | 'init'
  | 'kernel-thread'
  | 'other-project'
  /** It is in a container: only its container may be stopped. */
  | 'container'
  /** Ours by its place, another living project's by its mark: devctl does not guess. */
  | 'in-doubt'
  | 'older-than-run'
  | 'protected'
  | 'outside-project'
  | 'other-user'
  | 'invoking-tree'
  /** It builds or runs once, or works for a program that is not swept. */
  | 'runs-once'
  /** The process belongs to a service: `stop` ends it, the sweep does not. */
  | 'owned';
