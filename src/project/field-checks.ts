import { isUtf8 } from 'node:buffer';
import type { Identity } from '../processes/identity.ts';

/**
 * What a value that was read from disk must look like. Written by hand: `status` and `stop` have no
 * time to load a schema library, and what these guards let through gets signals.
 */

/** PID_MAX_LIMIT of 64-bit Linux; no other system goes higher. */
const MAX_PID = 4_194_304;

/** 0 would mean our own group and 1 is init: neither may ever come out of a file. */
export function isPid(value: unknown): value is number {
  return isCount(value) && value > 1 && value <= MAX_PID;
}

/** A process group or session: 0 stands for "cannot tell". */
export function isGroup(value: unknown): value is number {
  return value === 0 || isPid(value);
}

/** A whole number from 0 on. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

export function isText(value: unknown): value is string {
  return typeof value === 'string';
}

/** The id of a run, which is compared with environments: one word, never empty. */
export function isRunId(value: unknown): value is string {
  return isText(value) && /^[\w.-]{1,128}$/.test(value);
}

/** The name of a boot or a PID namespace, in whatever words the platform has. */
export function isLabel(value: unknown): value is string {
  return isText(value) && value.length > 0 && value.length <= 200;
}

/** A service name as a file name: not hidden, no separator, no control character. */
export function isServiceName(value: unknown): value is string {
  return isText(value) && /^[^./\\\p{Cc}][^/\\\p{Cc}]{0,199}$/u.test(value);
}

export function isListOf<Item>(
  value: unknown,
  isItem: (item: unknown) => item is Item,
): value is readonly Item[] {
  return Array.isArray(value) && value.every(isItem);
}

/** Of a process that may be signalled for it: never process 1. */
export function isIdentity(value: unknown): value is Identity {
  return isOwnIdentity(value) && value.pid > 1;
}

/** Of devctl itself, which may be process 1 of a container. Nothing is ever signalled through it. */
export function isOwnIdentity(value: unknown): value is Identity {
  const fields = asObject(value);
  return (
    fields !== null &&
    (isPid(fields.pid) || fields.pid === 1) &&
    isCount(fields.startTicks) &&
    isLabel(fields.bootId) &&
    isLabel(fields.pidNamespace)
  );
}

export function asObject(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : null;
}

/** The value, or undefined (which JSON cannot say) for bytes that are not JSON in UTF-8. */
export function parseJson(bytes: Buffer): unknown {
  try {
    // Not a TextDecoder that is fatal: making one takes longer than reading all records.
    return isUtf8(bytes) ? JSON.parse(bytes.toString('utf8').replace(/^\uFEFF/, '')) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * What no reader would take must not be written: it would be lost at once. No reader takes process 1
 * for a supervisor; as process 1 of a container one runs a second one (`supervisor/init.ts`).
 *
 * @throws Error for what is no identity that may be signalled
 */
export function requireRecordable(identity: Identity): void {
  if (!isIdentity(identity)) throw new Error(`not an identity: ${JSON.stringify(identity)}`);
}

/** As `requireRecordable`, for who holds a lock: a program in a container can be process 1. */
export function requireHolder(identity: Identity): void {
  if (!isOwnIdentity(identity)) throw new Error(`not an identity: ${JSON.stringify(identity)}`);
}
