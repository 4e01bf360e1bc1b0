/** One way to run the zoo: who, with what devctl may use, who holds it and what becomes of that, how it stops. */
export interface Mode {
  readonly user: 'root' | 'ordinary';
  /** The native calls: child subreaper, pidfd, waitid. */
  readonly native: boolean;
  readonly cgroup: boolean;
  /** `ps` instead of /proc, as on macOS; it turns the native calls and cgroups off. */
  readonly portable: boolean;
  /**
   * A supervisor: alive; ended by SIGKILL before the stop; or ended and replaced by one that adopted what runs.
   * Or a `devctl run` for each: alive; ended by SIGKILL before the stop; or told to end by itself, before it.
   */
  readonly holder: 'alive' | 'killed' | 'adopted' | 'run' | 'run-killed' | 'run-ended';
  readonly force: boolean;
}

/** Was everything held for the whole life of the runs, so that nothing may get away? */
export function isHeld({ native, cgroup, portable, holder }: Mode): boolean {
  // Nothing is above a one-off that is its subreaper.
  return !portable && (cgroup || (native && holder !== 'run-killed'));
}

/** `root native+cgroup alive stop` */
export function nameOf(mode: Mode): string {
  return [mode.user, meansOf(mode), mode.holder, mode.force ? 'force' : 'stop'].join(' ');
}

/** Is each behaviour a one-off of its own? */
export function isRun({ holder }: Mode): boolean {
  return holder.startsWith('run');
}

/** What devctl may use, in a word. */
export function meansOf({ native, cgroup, portable }: Mode): string {
  if (portable) return 'portable';
  if (native) return cgroup ? 'native+cgroup' : 'native';
  return cgroup ? 'cgroup' : 'neither';
}

const HOLDERS = ['alive', 'killed', 'adopted', 'run', 'run-killed', 'run-ended'] as const;
const ALIVE = ['alive', 'run'] as const;

/** Every mode that can be run here. */
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
      // What a dead supervisor changes, it changes by its subreaper; on the portable table there was none.
      (mean.portable ? ALIVE : HOLDERS).flatMap((holder) =>
        // Who has ended by itself leaves a stop nothing to do.
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
