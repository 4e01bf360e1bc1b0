import { connect, type NetConnectOpts } from 'node:net';
import type { ProbeCheck } from '../../manifest/resolved.ts';
import { connectionFailure } from './connection.ts';
import { addressOf, type Probe, type ProbeAnswer } from './probe.ts';

/**
 * Creates the probe that succeeds as soon as the port or Unix socket accepts a connection. It does not prove that the
 * service answers on it. `localhost` is asked at 127.0.0.1 and at ::1, because many servers listen on one of them only.
 */
export function tcpProbe({ target }: Extract<ProbeCheck, { kind: 'tcp' }>): Probe {
  if (target.kind === 'socket') {
    return {
      attemptMs: ATTEMPT_MS,
      attempt: (signal) => attemptOn({ path: target.path }, target.path, signal),
    };
  }
  const { host, port } = target;
  const hosts = host === 'localhost' ? ['127.0.0.1', '::1'] : [host];
  const shown = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  return {
    attemptMs: ATTEMPT_MS,
    async attempt(signal) {
      const answers: ProbeAnswer[] = [];
      for (const one of hosts) {
        const answer = await attemptOn({ host: one, port }, shown, signal);
        if (answer.kind !== 'not-yet') return answer;
        answers.push(answer);
      }
      return answers[0] ?? { kind: 'not-yet', reason: `${shown} does not answer` };
    },
  };
}

const ATTEMPT_MS = 5_000;

function attemptOn(
  where: NetConnectOpts,
  shown: string,
  signal: AbortSignal,
): Promise<ProbeAnswer> {
  return new Promise<ProbeAnswer>((resolve) => {
    const socket = connect(where);
    const cut = () => answer({ kind: 'cut', reason: `${shown} does not answer` });
    const answer = (result: ProbeAnswer) => {
      signal.removeEventListener('abort', cut);
      socket.destroy();
      resolve(result);
    };
    const isTcp = 'port' in where;
    socket.once('connect', () => answer({ kind: 'ok', from: isTcp ? addressOf(socket) : null }));
    // 'on': a second error after the first must not end the supervisor.
    socket.on('error', (error) =>
      answer({ kind: 'not-yet', reason: `${shown}: ${connectionFailure(error)}` }),
    );
    if (signal.aborted) cut();
    else signal.addEventListener('abort', cut);
  });
}
