/** Something that `doctor` has looked at. */
export interface DoctorFinding {
  readonly check:
    | 'machine'
    | 'limits'
    | 'manifest'
    | 'records'
    | 'supervisor'
    | 'processes'
    | 'logs'
    | 'ports';
  /** 'problem': something does not work, or is left over. 'warning': it may not, one day. */
  readonly level: 'ok' | 'warning' | 'problem';
  readonly message: string;
  /** The command that mends it; null where nothing is to be mended, or no one command does. */
  readonly fix: string | null;
}

/** Makes findings of one check. */
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
