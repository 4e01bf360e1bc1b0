/*
 * The files of this folder: how a command talks to the supervisor of its project.
 *
 *   client            every call to a supervisor, as methods of one object
 *   protocol          the routes: the request and the answer of each
 *   started-service   the answer for one service of a start
 *   transport         requests and NDJSON streams over a Unix socket
 *   connect           finds the supervisor that answers
 *   start-supervisor  finds it, or starts one
 *   end-supervisor    ends supervisors and their guards
 */

import { DevctlError, inWords } from '../errors.ts';
import { DEVCTL } from '../own-command.ts';
import type { ContainedCommand } from '../services/launch/stop-command.ts';
import type {
  ChildrenAnswer,
  Hello,
  HoldEvent,
  HoldRequest,
  SampleEvent,
  StandDownRequest,
  StartEvent,
  StartRequest,
  StopCommandEvent,
  StopCommandRequest,
  SupervisorEvent,
} from './protocol.ts';
import { post, request, stream } from './transport.ts';

/** The time that a supervisor has to drop the services that starts in progress have not spawned yet, in ms. */
export const ABORT_STARTS_MS = 500;

/** The pause between two requests to abort starts, in ms. */
export const ABORT_AGAIN_MS = 100;

/** A supervisor that answers. Every call is one connection. */
export interface SupervisorClient {
  readonly socket: string;
  /** @returns null when the supervisor did not answer in time */
  hello(timeoutMs: number): Promise<Hello | null>;
  /**
   * Starts services. Resolves with the last event; `onEvent` gets the others too.
   *
   * @throws DevctlError 'supervisor-failed'
   */
  start(body: StartRequest, onEvent: (event: StartEvent) => void): Promise<StartEvent>;
  /**
   * Drops the services that starts in progress have not spawned yet, so that the callers of these starts release the
   * lock.
   *
   * @returns false when the supervisor did not answer in time
   */
  abortStarts(timeoutMs: number): Promise<boolean>;
  /**
   * Tells the supervisor to stand down: to restart and probe nothing, and to leave the records alone.
   *
   * @returns the function that ends this; null when the supervisor did not answer in time
   */
  standDown(body: StandDownRequest, timeoutMs: number): Promise<(() => void) | null>;
  /**
   * Asks whether the supervisor still has a child, living or dead. Only the answer of a subreaper counts.
   *
   * @returns null when it is no subreaper, or did not answer in time
   */
  hasChildren(timeoutMs: number): Promise<boolean | null>;
  /**
   * Runs a stop command below the supervisor, until the command ends or `until` is aborted.
   *
   * @returns null when the command has not begun; `held: false` when the supervisor died while the command ran
   */
  runStopCommand(body: StopCommandRequest, until: AbortSignal): Promise<ContainedCommand | null>;
  /**
   * Makes the supervisor stop services if this process dies. `onEvent` gets every event from then on.
   *
   * @throws DevctlError 'supervisor-failed'
   */
  hold(body: HoldRequest, onEvent: (event: SupervisorEvent) => void): Promise<ForegroundHold>;
  /**
   * Streams samples: those of the last minutes first, then one a second. Resolves when the supervisor has ended or
   * `until` is aborted.
   *
   * @throws DevctlError 'supervisor-failed'
   */
  samples(onEvent: (event: SampleEvent) => void, until: AbortSignal): Promise<void>;
  /**
   * Streams the NDJSON answer of any request.
   *
   * @throws DevctlError 'supervisor-failed'
   */
  stream(path: string, body: unknown, onEvent: (event: unknown) => void): Promise<void>;
}

/** Keeps services up for as long as this process lives. */
export interface ForegroundHold {
  /** Resolves when the connection has ended, on either side. */
  readonly over: Promise<void>;
  /** Ends the hold: the supervisor no longer stops anything when this process ends. */
  release(timeoutMs: number): Promise<void>;
}

/** Makes a client of the supervisor that listens on this socket. Connects only when a method is called. */
export function connectTo(socket: string): SupervisorClient {
  return {
    socket,
    async hello(timeoutMs) {
      const hello = await request(socket, 'GET', '/hello', undefined, timeoutMs);
      return isHello(hello) ? hello : null;
    },
    start: (body, onEvent) => start(socket, body, onEvent),
    async abortStarts(timeoutMs) {
      return (await request(socket, 'POST', '/abort-starts', {}, timeoutMs)) !== null;
    },
    standDown: (body, timeoutMs) => standDown(socket, body, timeoutMs),
    async hasChildren(timeoutMs) {
      const answer = await request(socket, 'GET', '/children', undefined, timeoutMs);
      return isChildrenAnswer(answer) ? answer.children : null;
    },
    runStopCommand: (body, until) => runStopCommand(socket, body, until),
    hold: (body, onEvent) => hold(socket, body, onEvent),
    samples: (onEvent, until) =>
      stream(socket, '/samples', undefined, (event) => onEvent(event as SampleEvent), until),
    stream: (path, body, onEvent) => stream(socket, path, body, onEvent),
  };
}

async function start(
  socket: string,
  body: StartRequest,
  onEvent: (event: StartEvent) => void,
): Promise<StartEvent> {
  let last: StartEvent | undefined;
  await stream(socket, '/start', body, (event) => {
    last = event as StartEvent;
    onEvent(last);
  });
  if (last?.type === 'result') return last;
  throw new DevctlError('supervisor-failed', 'the supervisor ended before the start was done', {
    hint: `${DEVCTL} status shows what runs; its log is .pids/supervisor.log`,
  });
}

async function standDown(
  socket: string,
  body: StandDownRequest,
  timeoutMs: number,
): Promise<(() => void) | null> {
  const connection = new AbortController();
  const timer = setTimeout(() => connection.abort(), timeoutMs);
  const answer = await post(socket, 'POST', '/stand-down', body, connection.signal);
  clearTimeout(timer);
  if (answer?.statusCode !== 200) {
    connection.abort();
    return null;
  }
  answer.resume();
  return () => connection.abort();
}

async function runStopCommand(
  socket: string,
  body: StopCommandRequest,
  until: AbortSignal,
): Promise<ContainedCommand | null> {
  let last: StopCommandEvent | undefined;
  const onEvent = (event: unknown): void => {
    last = event as StopCommandEvent;
  };
  try {
    await stream(socket, '/stop-command', body, onEvent, until);
  } catch (error) {
    if (!last) return null;
    return { end: { kind: 'failed', why: inWords(error) }, held: false };
  }
  if (last?.type === 'ended') return last;
  if (!last) return null;
  // We closed the connection, so the supervisor kills the command, and contains it until then.
  if (until.aborted) return { end: { kind: 'exited', code: null, signal: 'SIGKILL' }, held: true };
  return { end: { kind: 'failed', why: 'the supervisor ended in the middle' }, held: false };
}

async function hold(
  socket: string,
  body: HoldRequest,
  onEvent: (event: SupervisorEvent) => void,
): Promise<ForegroundHold> {
  const connection = new AbortController();
  let over: Promise<void> = Promise.resolve();
  await new Promise<void>((resolve, reject) => {
    const onHoldEvent = (received: unknown): void => {
      const event = received as HoldEvent;
      if (event.type === 'held') resolve();
      else onEvent(event);
    };
    over = stream(socket, '/hold', body, onHoldEvent, connection.signal).catch(reject);
    const hint = 'its log is .pids/supervisor.log';
    // Without effect once the hold has begun.
    const rejectEarlyEnd = () =>
      reject(new DevctlError('supervisor-failed', 'the supervisor has ended', { hint }));
    void over.then(rejectEarlyEnd);
  });
  return {
    over,
    async release(timeoutMs) {
      await request(socket, 'POST', '/release', { id: body.id }, timeoutMs);
      connection.abort();
    },
  };
}

function isHello(value: unknown): value is Hello {
  return value instanceof Object && 'pid' in value && 'capabilities' in value && 'version' in value;
}

function isChildrenAnswer(value: unknown): value is ChildrenAnswer {
  if (!(value instanceof Object && 'children' in value)) return false;
  return value.children === null || typeof value.children === 'boolean';
}
