/** The result of one check of `devctl doctor`. */
export interface DoctorFinding {
  readonly check:
    | 'machine'
    | 'limits'
    | 'manifest'
    | 'records'
    | 'supervisor'
    | 'processes'
    | 'containers'
    | 'logs'
    | 'ports';
  /** 'problem': something does not work, or a process is left over. 'warning': something may not work later. */
  readonly level: 'ok' | 'warning' | 'problem';
  readonly message: string;
  /** The command that mends it; null where there is nothing to mend, or no single command mends it. */
  readonly fix: string | null;
}

/** Makes the function that makes the findings of one check. */
export function finder(check: DoctorFinding['check']) {
  return (
    level: DoctorFinding['level'],
    message: string,
    fix: string | null = null,
  ): DoctorFinding => ({
    check,
    level,
    message,
    fix,
  });
}
