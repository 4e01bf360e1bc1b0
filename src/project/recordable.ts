import { DevctlError } from '../errors.ts';
import type { Identity } from '../processes/identity.ts';
import { isIdentity } from './shape.ts';

/**
 * No reader obeys a file that names PID 1, so writing one would make a record that is lost at once.
 * Only in a container without an init can devctl itself be PID 1, where it would also have to reap.
 *
 * @throws DevctlError 'unsafe' for PID 1; Error for what is no identity at all
 */
export function requireRecordable(identity: Identity): void {
  if (identity.pid === 1) {
    throw new DevctlError('unsafe', 'devctl runs as PID 1, which no record may name', {
      hint: 'start it under an init, for example with "docker run --init"',
    });
  }
  if (!isIdentity(identity)) throw new Error(`not an identity: ${JSON.stringify(identity)}`);
}
