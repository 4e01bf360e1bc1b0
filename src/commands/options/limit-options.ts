import { DevctlError } from '../../errors.ts';
import { CPU_WINDOW_MS } from '../../manifest/limits.ts';
import type { Limit, LimitKind } from '../../manifest/resolved.ts';
import { parseSize } from '../../manifest/units.ts';
import { durationOption } from './duration-option.ts';

/** The options of `devctl run` that set limits. */
export interface LimitOptions {
  readonly maxProcesses?: string;
  readonly maxMemory?: string;
  readonly maxCpu?: string;
  readonly idle?: string;
}

/**
 * Reads the limits of `devctl run`. When one of them is exceeded, devctl ends everything.
 *
 * @throws DevctlError 'usage'
 */
export function limitOptions(options: LimitOptions): readonly Limit[] {
  const { maxProcesses, maxMemory, maxCpu, idle } = options;
  return [
    ...limit('processes', maxProcesses, (text) => (/^\d+$/.test(text) ? Number(text) : null), {
      option: '--max-processes',
      hint: 'write a whole number of processes, such as 50',
    }),
    ...limit('memory', maxMemory, (text) => parseSize(/^\d+$/.test(text) ? Number(text) : text), {
      option: '--max-memory',
      hint: 'write 512MB or 2GB, or a number of bytes',
    }),
    ...limit('cpu', maxCpu, parseCores, {
      option: '--max-cpu',
      hint: 'write a number of cores such as 1.5, or a share such as 150%',
    }),
    ...limit('idle', idle, (text) => durationOption('--idle', text), {
      option: '--idle',
      hint: 'write a time such as 90s or 10m, at least 1s',
    }),
  ];
}

const LEAST: Readonly<Partial<Record<LimitKind, number>>> = { idle: 1_000 };

function limit(
  kind: LimitKind,
  text: string | undefined,
  parse: (text: string) => number | null,
  { option, hint }: { readonly option: string; readonly hint: string },
): readonly Limit[] {
  if (text === undefined) return [];
  const allowed = parse(text);
  if (allowed === null || allowed <= 0 || allowed < (LEAST[kind] ?? 0)) {
    throw new DevctlError('usage', `${option} ${text}: not a limit`, { hint });
  }
  return [{ kind, allowed, windowMs: kind === 'cpu' ? CPU_WINDOW_MS : 0, action: 'stop' }];
}

/** Parses a number of cores or a share to percent of one core. */
function parseCores(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)(%?)$/.exec(text);
  if (!match) return null;
  return Number(match[1]) * (match[2] === '%' ? 1 : 100);
}
