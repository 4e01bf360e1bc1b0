import { spawnSync } from 'node:child_process';
import { type Behaviour, perl } from './behaviours.ts';
import { cgroupBase } from './cgroups.ts';
import type { Mode } from './modes.ts';
import { asUser, NOBODY } from './user.ts';

/** The parts of the zoo that can run on this machine, for this user. */
export interface Here {
  /** Linux, with Perl. */
  readonly any: boolean;
  readonly root: boolean;
  /** A cgroup (v2) may be made. */
  readonly cgroup: boolean;
  /** True where koffi is installed, without which there are no native calls. */
  readonly native: boolean;
  /** True where an ordinary user can run Node, which it cannot where Node is below the home of root. */
  readonly ordinary: boolean;
  /** True where Perl has threads; perl-base has none. */
  readonly threads: boolean;
}

export async function lookHere(): Promise<Here> {
  const any = process.platform === 'linux' && perl() !== null;
  const root = process.getuid?.() === 0;
  const succeeds = ([file = '', ...args]: readonly string[]) =>
    any && spawnSync(file, args, { stdio: 'ignore', cwd: '/' }).status === 0;
  return {
    any,
    root,
    cgroup: cgroupBase() !== null,
    native: await import('koffi').then(
      () => true,
      () => false,
    ),
    ordinary: !root || succeeds(asUser(NOBODY, null, [process.execPath, '--version'])),
    threads: succeeds([perl() ?? '', '-Mthreads', '-e', '1']),
  };
}

/** Selects the behaviours that can run here in this mode. */
export function runnable(
  all: readonly Behaviour[],
  { user }: Pick<Mode, 'user'>,
  { threads }: Here,
): Behaviour[] {
  return all.filter(
    ({ needsRoot, needsThreads }) => (user === 'root' || !needsRoot) && (threads || !needsThreads),
  );
}
