import { errnoOf } from '../../errors.ts';

/** Errors of connect(2) and of name resolution, in words. */
const IN_WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was closed without an answer',
  EPIPE: 'the connection was closed without an answer',
  ETIMEDOUT: 'the connection timed out',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the host name could not be looked up',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  EADDRNOTAVAIL: 'this machine has no such address',
  EMFILE: 'devctl has too many open files',
};

/** Says why a connection failed. */
export function connectionFailure(error: unknown): string {
  // A host with several addresses fails with several errors at once.
  const first = error instanceof AggregateError ? error.errors[0] : error;
  const errno = errnoOf(error) ?? errnoOf(first);
  if (errno?.startsWith('HPE_')) return 'it does not speak HTTP';
  const words = errno === undefined ? undefined : IN_WORDS[errno];
  return words ?? (first instanceof Error ? first.message : String(first));
}
