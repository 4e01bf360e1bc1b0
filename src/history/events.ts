import type { Breach } from '../limits/breach.ts';
import { asObject, isCount, isText } from '../project/field-checks.ts';
import type { StateKind } from '../services/lifecycle/states.ts';

/** An event of a project, kept beyond the life of its supervisor. */
export type HistoryEvent = {
  /** Since the epoch, in ms. */
  readonly atMs: number;
} & (
  | {
      readonly kind: 'change';
      readonly service: string;
      readonly from: StateKind;
      readonly to: StateKind;
      readonly reason: string | null;
      readonly pid: number | null;
      /** The services for which it was not started. Missing: none. */
      readonly blockedBy?: readonly string[];
    }
  | { readonly kind: 'breach'; readonly breach: Breach }
  | { readonly kind: 'supervisor'; readonly what: 'began' | 'ended' }
  | { readonly kind: 'lease'; readonly why: string }
);

/** Checks an event from disk; null when it is none: a line that was cut off, or written by a later devctl. */
export function toHistoryEvent(value: unknown): HistoryEvent | null {
  const fields = asObject(value);
  return fields !== null && isCount(fields.atMs) && isEvent(fields) ? fields : null;
}

function isEvent(fields: Readonly<Record<string, unknown>>): fields is HistoryEvent {
  switch (fields.kind) {
    case 'change':
      return isText(fields.service) && isText(fields.from) && isText(fields.to);
    case 'breach':
      return asObject(fields.breach) !== null;
    case 'supervisor':
      return fields.what === 'began' || fields.what === 'ended';
    case 'lease':
      return isText(fields.why);
    default:
      return false;
  }
}
