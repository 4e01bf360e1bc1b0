import { cpSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { cleanEnvironment } from '../clean-environment.ts';
import { repositoryRoot } from '../paths.ts';
import { perl, zooFolder } from './behaviours.ts';
import type { Mode } from './modes.ts';

/** The uid of nobody on Linux. */
export const NOBODY = 65_534;

/** The paths of devctl and of the zoo for a user. */
export interface Installation {
  readonly program: string;
  readonly zoo: string;
}

/**
 * Root becomes nobody for the modes of an ordinary user; anybody else is one.
 *
 * @returns the user to become, null for the one who runs the tests
 */
export function uidOf(mode: Mode): number | null {
  return mode.user === 'ordinary' && process.getuid?.() === 0 ? NOBODY : null;
}

/** The repository itself, or a copy in `folder` for another user, who may not be able to read it. */
export function installFor(uid: number | null, folder: string): Installation {
  if (uid === null) return { program: join(repositoryRoot, 'bin', 'devctl.js'), zoo: zooFolder };
  const copy = join(folder, 'devctl');
  if (!existsSync(copy)) {
    mkdirSync(copy, { recursive: true, mode: 0o755 });
    const parts = ['package.json', 'bin', 'dist', 'fixtures/zoo'];
    for (const part of [...parts, 'node_modules/koffi', 'node_modules/@koromix']) {
      const source = join(repositoryRoot, part);
      if (existsSync(source)) cpSync(source, join(copy, part), { recursive: true });
    }
  }
  return { program: join(copy, 'bin', 'devctl.js'), zoo: join(copy, 'fixtures', 'zoo') };
}

/** A program of Perl, because it can join a cgroup and change its user before it execs. */
const BECOME = `my ($uid, $procs) = splice @ARGV, 0, 2;
  if ($procs) { open(my $f, '>', $procs) or die "$procs: $!"; print $f $$; close $f or die "$procs: $!" }
  if ($uid) { $) = "$uid $uid"; $( = $uid; require POSIX; POSIX::setuid($uid) }
  exec { $ARGV[0] } @ARGV;`;

/** Builds the command line that runs a command as this user, in this cgroup. */
export function asUser(
  uid: number | null,
  procs: string | null,
  command: readonly string[],
): [string, ...string[]] {
  return [perl() ?? 'perl', '-e', BECOME, String(uid ?? ''), procs ?? '', ...command];
}

/** Builds the environment of a mode: a home of its own, and the means that are turned off. */
export function environmentOf(mode: Mode, home: string): Record<string, string> {
  const { XDG_RUNTIME_DIR: _, ...inherited } = cleanEnvironment();
  return {
    ...inherited,
    ...(mode.user === 'ordinary' ? { HOME: home, TMPDIR: home } : {}),
    DEVCTL_NATIVE: mode.native ? 'auto' : 'off',
    DEVCTL_CGROUP: mode.cgroup ? 'auto' : 'off',
    DEVCTL_PROCESS_TABLE: mode.portable ? 'portable' : 'auto',
  };
}
