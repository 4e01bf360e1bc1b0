import type { ResourceLimits } from '../../manifest/resolved.ts';
import { hardLimit } from '../../processes/linux/process-limits.ts';
import { toArgv } from './command-line.ts';

/** ulimit -c counts in blocks of this size in every /bin/sh (sh(1p)). */
const CORE_BLOCK_BYTES = 512;

/** A name that a shell can have for a variable: others it may not hand on. */
const SHELL_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * The command under limits of its own: a shell sets them and becomes the command, so that they hold from its first
 * instruction on, and it has the number, session and group that it would have without.
 *
 * Both the soft and the hard limit: Node and others raise the one to the other as they start.
 *
 * @param env of the service
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

/** Why these limits cannot be had here, in words; null where they can. Only root may go beyond a hard limit. */
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
