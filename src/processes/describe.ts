import { type Port, type PortHolder, splitPort } from './ports.ts';
import { isGone, type ProcessInfo, type Snapshot } from './snapshot.ts';
import { userName } from './users.ts';

/** Writes one command line for people, cut to a length that fits a report. */
export function describeCommand(snapshot: Snapshot | null, process: ProcessInfo): string {
  const argv = snapshot?.details.argv(process) ?? [];
  const isKeeper = argv[1] === '-c' && argv[3] === TERMINAL_KEEPER;
  const line = (isKeeper ? argv.slice(3) : argv).join(' ').trim() || `[${process.name}]`;
  return line.replaceAll(UNPRINTABLE, ' ').slice(0, 200);
}

/** The name of the processes that keep the terminal of a service. One is a script, which tells people nothing. */
export const TERMINAL_KEEPER = 'devctl-terminal';

/** Characters that may stand in a command line, and must not reach a terminal. */
const UNPRINTABLE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it looks for
  /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]+/g;

/** Names the holder of a port: "node server.js (pid 4711)", "a process of user 0"; null for a free port. */
export function describeHolder(holder: PortHolder | undefined, snapshot: Snapshot): string | null {
  if (!holder) return null;
  const { process, uid } = holder;
  if (process && !isGone(process)) {
    return `${describeCommand(snapshot, process)} (pid ${process.identity.pid})`;
  }
  return uid === null ? 'a process that cannot be seen' : `a process of ${userName(uid)}`;
}

/** A port of something that was stopped, and whether it can be bound after the stop. */
export interface ReportedPort {
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
  /** The service that declared it, or the compose service that published it. */
  readonly service: string;
  readonly free: boolean;
  /** The process that listens on it; null when there is none, or it cannot be seen. */
  readonly holder: string | null;
}

/**
 * Says of the ports of stopped services whether they are free, and their holders.
 *
 * @param ports the service of each port
 */
export function reportPorts(
  ports: ReadonlyMap<Port, string>,
  holders: readonly PortHolder[],
  snapshot: Snapshot,
): readonly ReportedPort[] {
  return [...ports].map(([port, service]) => {
    const held = holders.filter((holder) => holder.port === port);
    return {
      ...splitPort(port),
      service,
      free: held.length === 0,
      holder: describeHolder(held[0], snapshot),
    };
  });
}
