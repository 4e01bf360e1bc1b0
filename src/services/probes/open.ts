import type { AnswerOwner, ProbeCheck } from '../../manifest/resolved.ts';
import type { Probe, ProbeContext } from './probe.ts';

const OPEN_PROBE: {
  readonly [Kind in ProbeCheck['kind']]: (
    check: Extract<ProbeCheck, { kind: Kind }>,
    context: ProbeContext,
  ) => Promise<Probe>;
} = {
  http: async (check, context) => {
    const { httpProbe } = await import('./http.ts');
    return ownIfAsked(check, httpProbe(check), context);
  },
  tcp: async (check, context) => {
    const { tcpProbe } = await import('./tcp.ts');
    return ownIfAsked(check, tcpProbe(check), context);
  },
  ports: async (check, context) => (await import('./ports.ts')).portsProbe(check, context),
  file: async (check, context) => (await import('./file.ts')).fileProbe(check, context),
  log: async (check, context) => (await import('./log.ts')).logProbe(check, context),
  exec: async (check, context) => (await import('./exec.ts')).execProbe(check, context),
  delay: async (check) => (await import('./delay.ts')).delayProbe(check),
};

async function ownIfAsked(
  { owner }: { readonly owner: AnswerOwner },
  probe: Probe,
  { sockets }: ProbeContext,
): Promise<Probe> {
  return owner === 'any' ? probe : (await import('./own-answer.ts')).believingOwn(probe, sockets);
}

/** Opens the probe for a check, and loads its code. */
export function openProbe(check: ProbeCheck, context: ProbeContext): Promise<Probe> {
  const open = OPEN_PROBE[check.kind] as (
    check: ProbeCheck,
    context: ProbeContext,
  ) => Promise<Probe>;
  return open(check, context);
}
