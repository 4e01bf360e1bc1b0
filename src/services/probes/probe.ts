/*
 * The files of this folder, which ask services whether they are ready and well:
 *
 *   probe                        what every probe has: an attempt, and its answer
 *   open                         the probe for a check of the manifest
 *   http, tcp, log, exec, delay, file, ports  one kind of probe each
 *   own-answer                   believes an answer only of a process of the project
 *   whose-socket                 decides whether a listening socket counts for a service
 *   probed-ports                 the ports that the probes of a service ask
 *   readiness                    attempts until a service is ready, or the time is up
 *   liveness                     attempts for as long as a service runs
 *   connection                   failures of connections in words
 *   pause                        the pause between two attempts
 */
import type { Socket } from 'node:net';
import type { LogSource } from '../../logs/source.ts';
import type { Contain } from '../launch/launch.ts';

/**
 * The answer of one attempt. `reason` tells a user what is missing: "http://127.0.0.1:3000/health answered
 * 503".
 */
export type ProbeAnswer =
  /**
   * `from`: the address that has answered; null for a Unix socket, 'gone' where the connection was over before it could be
   * read; missing where nobody was connected to.
   */
  | { readonly kind: 'ok'; readonly from?: AnswerAddress | 'gone' | null }
  /** `answered`: the service has answered the attempt, so it listens. */
  | { readonly kind: 'not-yet'; readonly reason: string; readonly answered?: boolean }
  /** The attempt was aborted before the service had answered. */
  | { readonly kind: 'cut'; readonly reason: string };

/** The two ends of a connection that was answered. */
export interface AnswerAddress {
  readonly address: string;
  readonly port: number;
  /** Our own address. It is the same where the connection stayed on this machine. */
  readonly local: string;
}

/** Returns where a TCP connection leads to; 'gone' for one that is over. */
export function addressOf(socket: Socket): AnswerAddress | 'gone' {
  const { remoteAddress, remotePort, localAddress } = socket;
  if (remoteAddress === undefined || remotePort === undefined) return 'gone';
  return { address: remoteAddress, port: remotePort, local: localAddress ?? '' };
}

/** Tells whose the listening sockets are that a probe meets. Never throws. */
export interface OwnSockets {
  /** Says why the service itself does not listen on all of these ports; null: it does. */
  whyNotListening(ports: readonly number[]): Promise<string | null>;
  /** Says why the process that listens at this address of this machine is not of this project; null: it may be. */
  whyForeign(address: string, port: number): Promise<string | null>;
}

/** A way to ask a service whether it is ready. A new one needs a file here, a line in `open.ts`, and the schema. */
export interface Probe {
  /** How long one attempt may take, in ms. */
  readonly attemptMs: number;
  /** Asks once. Answers soon after `signal` is aborted, and leaves nothing behind. Never throws: a failure is a reason. */
  attempt(signal: AbortSignal): Promise<ProbeAnswer>;
}

/** The run that a probe asks about. */
export interface ProbeContext {
  readonly cwd: string;
  /** The whole environment of the service, the cookie of the run included. */
  readonly env: Readonly<Record<string, string>>;
  readonly log: LogSource;
  /** Position in the log at which the run began: the lines before it are of earlier runs. */
  readonly logFrom: number;
  /** Wall-clock time just before the spawn, in ms since the epoch. */
  readonly spawnedAtMs: number;
  readonly sockets: OwnSockets;
  /**
   * Called with the pid of a program of a probe, which leads a process group.
   *
   * @returns call it when that has ended
   */
  readonly onProgram?: (pid: number) => () => void;
  /** Spawns the program of a probe where all of its descendants are contained; missing: as any child. */
  readonly contain?: Contain;
}
