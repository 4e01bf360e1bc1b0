import { accessSync, constants, existsSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ROLE_OF_SUPERVISOR } from '../ownership/cookie.ts';
import { packageRoot } from '../package-root.ts';
import { GUARDED, READY_FD, SPAWNED, SUPERVISOR_FLAGS } from './protocol.ts';

/** Where it is missing, as in an image without a shell, the guard starts the supervisor. */
const SHELL = '/bin/sh';

/** Not looked for in PATH, where a project may have put a program of the same name. */
const PERL = '/usr/bin/perl';

/** The numbers of prctl(2) in the kernel's tables of system calls (arch/x86/entry/syscalls, asm-generic/unistd.h). */
const PRCTL: Partial<Record<NodeJS.Architecture, number>> = { x64: 157, arm64: 167 };
/** linux/prctl.h */
const PR_SET_CHILD_SUBREAPER = 36;
/** asm-generic/fcntl.h: marks a file to be closed by execve(2). */
const F_SETFD = 2;
const FD_CLOEXEC = 1;

/**
 * Starts a supervisor, and becomes its guard: both boot side by side. $0 is Node, $1 the script of the guard; then
 * follow the arguments of the supervisor, which begin with a flag and its script.
 */
const BOTH = `devctl_guard=$1
shift
${ROLE_OF_SUPERVISOR} "$0" "$@" "${GUARDED}$$" &
shift ${SUPERVISOR_FLAGS.length + 1}
exec ${READY_FD}>&-`;

/** The guard as Node, which then becomes `sleep` (`supervisor/guard.ts`). */
const BY_NODE = `"$0" "$devctl_guard" "$@" ${SPAWNED}`;

/** The last value that every `sleep` understands, in seconds: 68 years. */
const FOR_EVER = '2147483647';

/** The `sleep` that a guard becomes. */
export interface Sleep {
  /** Absolute path. */
  readonly program: string;
  /** `ps` shows its first word. BusyBox is many programs in one, and needs it to know which. */
  readonly argv: readonly [string, string];
}

/** Finds `sleep`, but not in PATH, where a project may have put a program of the same name. */
export function findSleep(): Sleep | null {
  const places = ['/bin/sleep', '/usr/bin/sleep', '/run/current-system/sw/bin/sleep'];
  const program = places.find(isExecutable);
  if (program === undefined) return null;
  const name = basename(realpathSync(program)) === 'sleep' ? 'devctl-guard' : 'sleep';
  return { program, argv: [name, FOR_EVER] };
}

/**
 * The program that starts a supervisor and becomes its guard.
 *
 * @param supervisor the arguments of Node that run the supervisor
 * @param args the arguments of the supervisor, without that of its guard
 * @param perl absolute path of Perl; the guard is Node for a moment where it is missing
 */
export function guardedProgram(
  supervisor: readonly string[],
  args: readonly string[],
  perl = PERL,
): readonly string[] {
  const node = process.execPath;
  const guard = join(packageRoot(), 'dist', 'supervisor', 'guard.cjs');
  if (!existsSync(SHELL)) return [node, guard, ...args];
  const script = `${BOTH}\n${becomePerl(perl) ?? `exec ${BY_NODE}`}`;
  return [SHELL, '-c', script, node, guard, ...supervisor, ...args];
}

/**
 * The guard as Perl, which then becomes `sleep`: Node needs 70 ms of CPU time for that, Perl 2. It ignores SIGCHLD, so
 * that the kernel reaps its children, and keeps no file in use, not even the log. Where the kernel refuses, Node tells why.
 */
function becomePerl(perl: string): string | null {
  const prctl = PRCTL[process.arch];
  const sleep = findSleep();
  if (prctl === undefined || sleep === null || !isExecutable(perl)) return null;
  const [name, seconds] = sleep.argv;
  const program = `
if (syscall(${prctl}, ${PR_SET_CHILD_SUBREAPER}, 1, 0, 0, 0) == 0) {
  opendir(my $folder, "/proc/self/fd");
  for (readdir $folder) { open(my $file, "<&=", $_) and close $file if /^\\d+$/ and $_ > 2 }
  $SIG{CHLD} = "IGNORE";
  fcntl($_, ${F_SETFD}, ${FD_CLOEXEC}) for *STDIN, *STDOUT, *STDERR;
  exec { "${sleep.program}" } "${name}", "${seconds}";
  fcntl($_, ${F_SETFD}, 0) for *STDIN, *STDOUT, *STDERR;
}
exec @ARGV;`;
  // A variable of the person may name modules to load, and an unknown locale would be told in the log.
  return `unset PERL5OPT PERL5LIB PERLLIB PERL5DB
PERL_BADLANG=0 exec ${perl} -e '${program}' ${BY_NODE}`;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
