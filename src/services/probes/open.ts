import type { ProbeCheck } from '../../manifest/resolved.ts';
import type { Probe, ProbeContext } from './probe.ts';

const OPEN_PROBE: {
  readonly [Kind in ProbeCheck['kind']]: (
    check: Extract<ProbeCheck, { kind: Kind }>,
    context: ProbeContext,
  ) => Promise<Probe>;
} = {
  http: async (check) => (await import('./http.ts')).httpProbe(check),
  tcp: async (check) => (await import('./tcp.ts')).tcpProbe(check),
  log: async (check, context) => (await import('./log.ts')).logProbe(check, context),
  exec: async (check, context) => (await import('./exec.ts')).execProbe(check, context),
  delay: async (check) => (await import('./delay.ts')).delayProbe(check),
};

/** Opens the probe for a check, and loads its code. */
export function openProbe(check: ProbeCheck, context: ProbeContext): Promise<Probe> {
  const open = OPEN_PROBE[check.kind] as (
    check: ProbeCheck,
    context: ProbeContext,
  ) => Promise<Probe>;
  return open(check, context);
}
