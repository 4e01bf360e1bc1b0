/** A lease that keeps the project running (`start --ttl`, `--while-pid`). */
export interface LeaseStatus {
  /** Null: its time has no end. */
  readonly endsInMs: number | null;
  /** Its living processes: the lease is over when they have ended. Empty: only its time counts. */
  readonly processes: readonly { readonly pid: number; readonly command: string }[];
}
