/** One way to run the zoo: the user, the means that devctl has, the parent and its fate, and the kind of stop. */
export interface Mode {
  readonly user: 'root' | 'ordinary';
  /** The native calls: child subreaper, pidfd, waitid. */
  readonly native: boolean;
  readonly cgroup: boolean;
  /** True for `ps` instead of /proc, as on macOS, without native calls and cgroups. */
  readonly portable: boolean;
  /**
   * A supervisor: alive; ended by SIGKILL before the stop; or ended and replaced by one that adopted what runs.
   * Or a `devctl run` for each: alive; ended by SIGKILL before the stop; or told to end by itself, before it.
   */
  readonly holder: 'alive' | 'killed' | 'adopted' | 'run' | 'run-killed' | 'run-ended';
  readonly force: boolean;
}

/** True where everything was contained for the whole life of the runs, so that nothing may escape. */
export function isHeld({ native, cgroup, portable, holder }: Mode): boolean {
  // No subreaper is above the parent of a one-off.
  return !portable && (cgroup || (native && holder !== 'run-killed'));
}

/** `root native+cgroup alive stop` */
export function nameOf(mode: Mode): string {
  return [mode.user, meansOf(mode), mode.holder, mode.force ? 'force' : 'stop'].join(' ');
}

/** True where each behaviour is a one-off. */
export function isRun({ holder }: Mode): boolean {
  return holder.startsWith('run');
}

/** Names the means that devctl has, in a word. */
export function meansOf({ native, cgroup, portable }: Mode): string {
  if (portable) return 'portable';
  if (native) return cgroup ? 'native+cgroup' : 'native';
  return cgroup ? 'cgroup' : 'neither';
}

const HOLDERS = ['alive', 'killed', 'adopted', 'run', 'run-killed', 'run-ended'] as const;
const ALIVE = ['alive', 'run'] as const;

/** Lists the modes that can run here. */
export function allModes(
  here: Readonly<Record<'root' | 'ordinary' | 'cgroup' | 'native', boolean>>,
): Mode[] {
  const users = (['root', 'ordinary'] as const).filter((user) => here[user]);
  const means = [
    { native: true, cgroup: true, portable: false },
    { native: true, cgroup: false, portable: false },
    { native: false, cgroup: true, portable: false },
    { native: false, cgroup: false, portable: false },
    { native: false, cgroup: false, portable: true },
  ].filter(({ cgroup, native }) => (here.cgroup || !cgroup) && (here.native || !native));
  return users.flatMap((user) =>
    means.flatMap((mean) =>
      // A dead supervisor only matters as a subreaper, and on the portable table there is none.
      (mean.portable ? ALIVE : HOLDERS).flatMap((holder) =>
        // After an end by itself nothing is left to stop.
        (holder === 'run-ended' ? [false] : [false, true]).map((force) => ({
          user,
          ...mean,
          holder,
          force,
        })),
      ),
    ),
  );
}
