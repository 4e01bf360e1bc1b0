import { isPid } from './field-checks.ts';
import type { ServiceRecord } from './service-record.ts';

/** The three files that devctl writes for old scripts, by what a line of each holds. */
export const LEGACY_FILES = {
  pids: 'services.pids',
  groups: 'services.pids.groups',
  services: 'services.pids.services',
} as const;

export type LegacyFile = keyof typeof LEGACY_FILES;

/** A number that a line names. */
export interface LegacyNumber {
  readonly pid: number;
  /** Null when the line holds only a number. */
  readonly service: string | null;
  /** 'group': the number names a process group. */
  readonly kind: 'pid' | 'group';
}

export type LegacyLine =
  | { readonly kind: 'number'; readonly number: LegacyNumber }
  | { readonly kind: 'empty' }
  | { readonly kind: 'unknown' };

/**
 * Parses one line, in any of the three forms: `1234`, `web:1234`, `PGID:web:1234`. Old scripts mix the
 * forms in one file, and people add comments. Never throws.
 */
export function parseLegacyLine(line: string): LegacyLine {
  const text = line.replace(/^\uFEFF/, '').trim();
  if (text === '' || text.startsWith('#')) return { kind: 'empty' };
  const [, group, service, digits] = /^(PGID:)?(?:(.{1,200}):)?\s*(\d{1,10})$/.exec(text) ?? [];
  const pid = Number(digits);
  if (digits === undefined || !isPid(pid)) return { kind: 'unknown' };
  const kind = group ? 'group' : 'pid';
  return { kind: 'number', number: { pid, service: service?.trim() || null, kind } };
}

/** Formats the content of one of the three files: one line for each leader. */
export function formatLegacyLine(
  file: LegacyFile,
  records: readonly Pick<ServiceRecord, 'service' | 'leader' | 'terminal'>[],
): string {
  const lines = records.flatMap(({ service, leader, terminal }) => {
    if (!leader) return [];
    if (file === 'groups') return [`PGID:${service}:${(terminal?.session ?? leader).pid}\n`];
    return [file === 'services' ? `${service}:${leader.pid}\n` : `${leader.pid}\n`];
  });
  return lines.join('');
}
