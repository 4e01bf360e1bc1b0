import type { OwnSockets, Probe } from './probe.ts';
import { isLoopback } from './whose-socket.ts';

/**
 * Makes a probe believe only an answer of its own project. An answer of another machine, or through a Unix socket, is
 * taken as it is.
 */
export function believingOwn(probe: Probe, sockets: OwnSockets): Probe {
  return {
    ...probe,
    async attempt(signal) {
      const answer = await probe.attempt(signal);
      if (answer.kind !== 'ok' || !answer.from) return answer;
      if (answer.from === 'gone') {
        const reason = 'the connection was over before anybody could see whose answer it was';
        return { kind: 'not-yet', reason, answered: true };
      }
      const { address, port, local } = answer.from;
      if (!isLoopback(address) && address !== local) return answer;
      const why = await sockets.whyForeign(address, port);
      return why === null ? answer : { kind: 'not-yet', reason: why, answered: true };
    },
  };
}
