import type { Identity } from '../processes/identity.ts';
import { isIdentity, isOwnIdentity } from './field-checks.ts';

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
