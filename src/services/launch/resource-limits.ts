import type { ResourceLimits } from '../../manifest/resolved.ts';
import { hardLimit } from '../../processes/linux/process-limits.ts';
import { toArgv } from './command-line.ts';

/** Block size in which `ulimit -c` counts in every /bin/sh (sh(1p)). */
const CORE_BLOCK_BYTES = 512;

/** Names that a shell accepts for a variable. It may not hand on variables with other names. */
const SHELL_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Builds the argument vector of a command with resource limits. A shell sets the limits and becomes the
 * command (exec), so the limits hold from its first instruction on, and the command keeps the pid, session and
 * group that it has without limits.
 *
 * The shell sets both the soft and the hard limit, because Node and others raise the soft limit to the hard
 * one as they start.
 *
 * @param env environment of the service
 */
export function limitedArgv(
  command: string | readonly string[],
  { openFiles, core }: ResourceLimits,
  env: Readonly<Record<string, string>>,
): readonly string[] {
  const argv = toArgv(command);
  const blocks = typeof core === 'number' ? Math.ceil(core / CORE_BLOCK_BYTES) : core;
  const orders = [
    ...(openFiles === null ? [] : [`ulimit -n ${openFiles}`]),
    ...(blocks === null ? [] : [`ulimit -c ${blocks}`]),
  ];
  if (orders.length === 0) return argv;
  const odd = Object.entries(env).filter(([name]) => !SHELL_NAME.test(name));
  const handedOn =
    odd.length > 0 ? ['/usr/bin/env', ...odd.map(([name, value]) => `${name}=${value}`)] : [];
  const script = `${orders.join(' && ')} && exec "$@"`;
  return ['/bin/sh', '-c', script, 'devctl', ...handedOn, ...argv];
}

/** Says why these limits cannot be set here; null when they can. Only root may exceed a hard limit (setrlimit(2)). */
export function whyNotLimited({ openFiles, core }: ResourceLimits): string | null {
  if (process.geteuid?.() === 0) return null;
  const files = hardLimit('Max open files');
  if (openFiles !== null && files !== null && openFiles > files) {
    return `its limit of ${openFiles} open files is more than this user may have: ${files} (ulimit -Hn)`;
  }
  const bytes = hardLimit('Max core file size');
  if (core !== null && bytes !== null && (core === 'unlimited' || core > bytes)) {
    return `its limit on core files is more than this user may have: ${bytes} bytes (ulimit -Hc)`;
  }
  return null;
}
