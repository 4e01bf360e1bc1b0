import { isLimitKind } from '../manifest/resolved.ts';
import type { Breach, BreachBranch } from './breach.ts';

/** Checks a breach that was read from a file: from the history, or from `.pids/breaches.json`. */
export function isBreach(value: unknown): value is Breach {
  const fields = fieldsOf<Breach>(value);
  const { service, limit, action, value: used, allowed, measuredAs, branch, atMs } = fields;
  return (
    isTextOrNull(service) &&
    isLimitKind(limit) &&
    (action === 'warn' || action === 'stop' || action === 'restart') &&
    isAmount(used) &&
    isAmount(allowed) &&
    (measuredAs === null || measuredAs === 'pss' || measuredAs === 'rss') &&
    (branch === null || isBranch(branch)) &&
    isCount(atMs)
  );
}

function isBranch(value: unknown): value is BreachBranch {
  const { pid, command, processes, memoryBytes, service } = fieldsOf<BreachBranch>(value);
  return (
    typeof command === 'string' &&
    [pid, processes, memoryBytes].every(isCount) &&
    isTextOrNull(service)
  );
}

function fieldsOf<Shape>(value: unknown): { readonly [Key in keyof Shape]?: unknown } {
  return typeof value === 'object' && value !== null ? value : {};
}

function isTextOrNull(value: unknown): boolean {
  return value === null || typeof value === 'string';
}

function isAmount(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && isAmount(value);
}
