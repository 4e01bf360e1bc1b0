import type { ProbeCheck } from '../../manifest/resolved.ts';
import type { Probe, ProbeContext } from './probe.ts';

/** Creates the probe that succeeds when processes of the service listen on all of the ports. */
export function portsProbe(
  { ports }: Extract<ProbeCheck, { kind: 'ports' }>,
  { sockets }: Pick<ProbeContext, 'sockets'>,
): Probe {
  return {
    attemptMs: 5_000,
    attempt: async () => {
      const reason = await sockets.whyNotListening(ports);
      return reason === null ? { kind: 'ok' } : { kind: 'not-yet', reason };
    },
  };
}
