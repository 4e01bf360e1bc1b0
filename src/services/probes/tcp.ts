import { connect } from 'node:net';
import type { ProbeCheck } from '../../manifest/resolved.ts';
import { connectionFailure } from './connection.ts';
import type { Probe, ProbeAnswer } from './probe.ts';

/**
 * Creates the probe that succeeds as soon as the port accepts a connection. It does not prove that the service
 * answers on it.
 */
export function tcpProbe(check: Extract<ProbeCheck, { kind: 'tcp' }>): Probe {
  const address = check.host.includes(':')
    ? `[${check.host}]:${check.port}`
    : `${check.host}:${check.port}`;
  return {
    attemptMs: 5_000,
    attempt: (signal) =>
      new Promise<ProbeAnswer>((resolve) => {
        const socket = connect({ host: check.host, port: check.port });
        const cut = () => answer({ kind: 'cut', reason: `${address} does not answer` });
        const answer = (result: ProbeAnswer) => {
          signal.removeEventListener('abort', cut);
          socket.destroy();
          resolve(result);
        };
        socket.once('connect', () => answer({ kind: 'ok' }));
        // 'on': a second error after the first must not end the supervisor.
        socket.on('error', (error) =>
          answer({ kind: 'not-yet', reason: `${address}: ${connectionFailure(error)}` }),
        );
        if (signal.aborted) cut();
        else signal.addEventListener('abort', cut);
      }),
  };
}
