import { isUtf8 } from 'node:buffer';
import type { Identity } from '../processes/identity.ts';

/**
 * Checks of values that were read from disk. They are written by hand, because `status` and `stop` have
 * no time to load a schema library. They are strict, because devctl signals the processes that such
 * values name.
 */

/** The largest pid: PID_MAX_LIMIT of 64-bit Linux. No other system goes higher. */
const MAX_PID = 4_194_304;

/**
 * True for the pid of a process that may be signalled. 0 and 1 are refused, because 0 would mean our
 * own process group (kill(2)) and 1 is init.
 */
export function isPid(value: unknown): value is number {
  return isCount(value) && value > 1 && value <= MAX_PID;
}

/** True for the number of a process group or session; 0 stands for "the platform cannot tell". */
export function isGroup(value: unknown): value is number {
  return value === 0 || isPid(value);
}

/** True for a whole number from 0 on. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

export function isText(value: unknown): value is string {
  return typeof value === 'string';
}

/** True for the id of a run. It is one word and never empty, because devctl compares it with environments. */
export function isRunId(value: unknown): value is string {
  return isText(value) && /^[\w.-]{1,128}$/.test(value);
}

/** True for the name of a boot or of a PID namespace, in the words of the platform. */
export function isLabel(value: unknown): value is string {
  return isText(value) && value.length > 0 && value.length <= 200;
}

/** True for a service name that can be a file name: not hidden, no separator, no control character. */
export function isServiceName(value: unknown): value is string {
  return isText(value) && /^[^./\\\p{Cc}][^/\\\p{Cc}]{0,199}$/u.test(value);
}

export function isListOf<Item>(
  value: unknown,
  isItem: (item: unknown) => item is Item,
): value is readonly Item[] {
  return Array.isArray(value) && value.every(isItem);
}

/** True for the identity of a process that may be signalled: never process 1. */
export function isIdentity(value: unknown): value is Identity {
  return isOwnIdentity(value) && value.pid > 1;
}

/**
 * True for the identity of a devctl process, which may be process 1 of a container. Nothing is ever
 * signalled through it.
 */
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

/** Returns the value when it is a JSON object, null otherwise. */
export function asObject(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : null;
}

/** Parses JSON. Returns undefined, which JSON cannot express, for bytes that are not JSON in UTF-8. */
export function parseJson(bytes: Buffer): unknown {
  try {
    // No TextDecoder with `fatal`: to make one takes longer than to read all records.
    return isUtf8(bytes) ? JSON.parse(bytes.toString('utf8').replace(/^\uFEFF/, '')) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Refuses an identity that no reader would accept, because the record would be lost at once. Readers
 * refuse process 1 as a supervisor: in a container whose process 1 is devctl, the supervisor is its
 * child.
 *
 * @throws Error for an identity that may not be signalled
 */
export function requireRecordable(identity: Identity): void {
  if (!isIdentity(identity)) throw new Error(`not an identity: ${JSON.stringify(identity)}`);
}

/** As `requireRecordable`, for the holder of a lock, which may be process 1 of a container. */
export function requireHolder(identity: Identity): void {
  if (!isOwnIdentity(identity)) throw new Error(`not an identity: ${JSON.stringify(identity)}`);
}
