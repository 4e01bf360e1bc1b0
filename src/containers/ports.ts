import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../processes/clock.ts';
import { type ReportedPort, reportPorts } from '../processes/describe.ts';
import type { Host } from '../processes/host.ts';
import { findPortHolders, type Port, type PortHolder, parsePort } from '../processes/ports.ts';
import { patienceWith } from '../processes/starvation.ts';

export interface PortsWait {
  /** True for a stop by force. */
  readonly force: boolean;
  /** Becomes true when the user asks a second time. */
  readonly forced: () => boolean;
  /** The end of the wait at the latest, in the time of `monotonicMs`. */
  readonly untilMs: number;
}

/** Time for a port to become free, in ms: a program of a virtual machine that forwards it sees the end a moment later. */
const PORTS_MS = 2_000;

/** The same for a stop by force. */
const FORCED_MS = 500;

/** Time for the proxy of an engine to end, in ms: it ends by itself once its container is gone. */
const PROXY_MS = 5_000;

const POLL_MS = 50;

/** Names of the programs by which engines publish ports, as the kernel has them. */
const PROXIES = /docker|rootless|podman|conmon|slirp4netns|pasta|vpnkit/;

/**
 * Waits until the ports of containers that have ended are free, and reports them.
 *
 * @param ports the compose service that published each of them
 * @throws DevctlError 'tool-missing' where nobody can tell
 */
export async function waitForPorts(
  host: Pick<Host, 'snapshot'>,
  ports: ReadonlyMap<Port, string>,
  { force, forced, untilMs }: PortsWait,
): Promise<readonly ReportedPort[]> {
  if (ports.size === 0) return [];
  const beganMs = monotonicMs();
  for (;;) {
    const snapshot = await host.snapshot();
    const holders = await findPortHolders([...ports.keys()], snapshot);
    const nowMs = monotonicMs();
    const isWaitedFor = (holder: PortHolder): boolean =>
      nowMs - beganMs < (forced() ? FORCED_MS : patienceFor(holder, force));
    if (nowMs >= untilMs || !holders.some(isWaitedFor))
      return reportPorts(ports, holders, snapshot);
    await delay(POLL_MS);
  }
}

/**
 * The time to wait for the holder of a port, in ms. A proxy of the engine gets more on a busy machine, and so does a
 * process that we may not look at, because the engine and its proxies are mostly root's.
 *
 * @param load see `patienceWith`
 */
export function patienceFor(
  { process }: Pick<PortHolder, 'process'>,
  force: boolean,
  load?: number,
): number {
  if (process === null) return patienceWith({ state: 'S' }, PROXY_MS, load);
  if (PROXIES.test(process.name)) return patienceWith(process, PROXY_MS, load);
  return force ? FORCED_MS : PORTS_MS;
}

/** Reads a port as `EngineContainer.ports` has it. */
export function toPort(text: string): Port | null {
  return parsePort(text.endsWith('/udp') ? text : Number(text));
}
