import type { IncomingMessage, RequestOptions } from 'node:http';
import type { ProbeCheck } from '../../manifest/resolved.ts';
import { connectionFailure } from './connection.ts';
import { type AnswerAddress, addressOf, type Probe, type ProbeAnswer } from './probe.ts';

/**
 * Creates the probe that succeeds when a request is answered with an accepted status and, if the check has a
 * text, a body that contains it.
 *
 * Redirects are not followed, because they may lead to another service: a 3xx is an answer like any other.
 * Certificates are not verified, because on a developer's machine nobody has signed them.
 */
export function httpProbe(check: Extract<ProbeCheck, { kind: 'http' }>): Probe {
  return {
    attemptMs: 5_000,
    attempt: async (signal) => {
      const { request } = check.url.startsWith('https:')
        ? await import('node:https')
        : await import('node:http');
      return new Promise<ProbeAnswer>((resolve) => {
        const options: RequestOptions & { rejectUnauthorized: boolean } = {
          agent: false,
          rejectUnauthorized: false,
          method: check.method,
          ...(check.socketPath === null ? {} : { socketPath: check.socketPath }),
          ...(/^https?:\/\/localhost\b/i.test(check.url) ? { lookup: BOTH_LOOPBACKS } : {}),
          headers: {
            accept: '*/*',
            connection: 'close',
            'user-agent': 'devctl',
            ...check.headers,
          },
        };
        const cut = () => answer({ kind: 'cut', reason: `${check.url} does not answer` });
        const answer = (result: ProbeAnswer) => {
          signal.removeEventListener('abort', cut);
          sent?.destroy();
          resolve(result);
        };
        const fail = (error: unknown) =>
          answer({ kind: 'not-yet', reason: `${check.url}: ${connectionFailure(error)}` });
        let sent: ReturnType<typeof request> | undefined;
        try {
          let from: From = check.socketPath === null ? 'gone' : null;
          sent = request(check.url, options, (response) =>
            judgeResponse(check, response, from, answer),
          );
          // At once, because the other end may be gone when its answer is read.
          sent.once('socket', (socket) => {
            socket.once('connect', () => {
              if (check.socketPath === null) from = addressOf(socket);
            });
          });
        } catch (error) {
          fail(error);
          return;
        }
        // 'on': destroying the request makes it report a second error, which must not end the supervisor.
        sent.on('error', fail);
        if (signal.aborted) cut();
        else signal.addEventListener('abort', cut);
        sent.end();
      });
    },
  };
}

/** See `ProbeAnswer`. */
type From = AnswerAddress | 'gone' | null;

/** Asks localhost at both of its addresses, because many servers listen on one of them only. */
const BOTH_LOOPBACKS: RequestOptions['lookup'] = (_host, _options, found) =>
  found(null, [
    { address: '127.0.0.1', family: 4 },
    { address: '::1', family: 6 },
  ]);

/** Answers an attempt by the response of the service. */
function judgeResponse(
  check: Extract<ProbeCheck, { kind: 'http' }>,
  response: IncomingMessage,
  from: From,
  answer: (result: ProbeAnswer) => void,
): void {
  response.on('error', () => {});
  const status = response.statusCode ?? 0;
  const accepted =
    check.status.length === 0 ? status >= 200 && status < 400 : check.status.includes(status);
  if (!accepted) {
    answer({ kind: 'not-yet', reason: `${check.url} answered ${status}`, answered: true });
    return;
  }
  if (check.body === null || check.body === '') {
    answer({ kind: 'ok', from });
    return;
  }
  const wanted = Buffer.from(check.body);
  const missing = `${check.url} answered ${status}, but its body does not contain ${JSON.stringify(check.body)}`;
  // A body may be endless, so only the end is kept that a text across two chunks may begin with.
  let kept: Buffer = Buffer.alloc(0);
  response.on('data', (chunk: Buffer) => {
    const text = Buffer.concat([kept, chunk]);
    if (text.includes(wanted)) answer({ kind: 'ok', from });
    kept = text.subarray(Math.max(0, text.length - wanted.length + 1));
  });
  response.once('close', () => answer({ kind: 'not-yet', reason: missing, answered: true }));
}
