import { DevctlError, inWords } from '../errors.ts';
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

/** A supervisor that answers. Every call is one connection. */
export interface SupervisorClient {
  readonly socket: string;
  hello(timeoutMs: number): Promise<Hello | null>;
  /** Resolves with the last event; `listen` hears the others. */
  start(body: StartRequest, listen: (event: StartEvent) => void): Promise<StartEvent>;
  /** Drops every start that has not been carried out yet, so that its caller lets go of the lock. */
  abortStarts(timeoutMs: number): Promise<boolean>;
  /**
   * Tells it to restart and probe nothing, and to leave the records alone.
   *
   * @returns how to end that, or null when it did not answer in time
   */
  standDown(body: StandDownRequest, timeoutMs: number): Promise<(() => void) | null>;
  /**
   * Does it still have a child, living or dead? Only a subreaper's answer counts.
   *
   * @returns null when it is none, or did not answer in time
   */
  hasChildren(timeoutMs: number): Promise<boolean | null>;
  /**
   * Runs a stop command below the supervisor, until it ends or `over` is aborted.
   *
   * @returns null when it was not even begun; not `held` when the supervisor died in the middle
   */
  runStopCommand(body: StopCommandRequest, over: AbortSignal): Promise<ContainedCommand | null>;
  /**
   * Has services stopped should this process die; `listen` hears every change from then on.
   *
   * @throws DevctlError 'supervisor-failed'
   */
  hold(body: HoldRequest, listen: (event: SupervisorEvent) => void): Promise<Hold>;
  /**
   * What services use: the last minutes first, then each sample, one a second for as long as somebody listens.
   * Resolves when the supervisor has ended, or `over` is aborted.
   *
   * @throws DevctlError 'supervisor-failed'
   */
  samples(listen: (event: SampleEvent) => void, over: AbortSignal): Promise<void>;
  /** Streams any request's NDJSON answer, for callers inside a service. */
  stream(path: string, body: unknown, listen: (event: unknown) => void): Promise<void>;
}

export interface Hold {
  /** Resolves when the connection has ended, on whichever side. */
  readonly over: Promise<void>;
  /** From now on nothing is stopped when this process ends. */
  release(timeoutMs: number): Promise<void>;
}

export function connectTo(socket: string): SupervisorClient {
  return {
    socket,
    async hello(timeoutMs) {
      const hello = await request(socket, 'GET', '/hello', undefined, timeoutMs);
      return isHello(hello) ? hello : null;
    },
    async start(body, listen) {
      let last: StartEvent | undefined;
      await stream(socket, '/start', body, (event) => {
        last = event as StartEvent;
        listen(last);
      });
      if (last?.type === 'result') return last;
      throw new DevctlError('supervisor-failed', 'the supervisor ended before the start was done', {
        hint: 'devctl status shows what runs; its log is .pids/supervisor.log',
      });
    },
    async abortStarts(timeoutMs) {
      return (await request(socket, 'POST', '/abort-starts', {}, timeoutMs)) !== null;
    },
    async standDown(body, timeoutMs) {
      const over = new AbortController();
      const timer = setTimeout(() => over.abort(), timeoutMs);
      const answer = await post(socket, 'POST', '/stand-down', body, over.signal);
      clearTimeout(timer);
      if (answer?.statusCode !== 200) {
        over.abort();
        return null;
      }
      answer.resume();
      return () => over.abort();
    },
    async hasChildren(timeoutMs) {
      const answer = await request(socket, 'GET', '/children', undefined, timeoutMs);
      return isChildrenAnswer(answer) ? answer.children : null;
    },
    async runStopCommand(body, over) {
      let last: StopCommandEvent | undefined;
      try {
        const hear = (event: unknown): void => {
          last = event as StopCommandEvent;
        };
        await stream(socket, '/stop-command', body, hear, over);
      } catch (error) {
        if (!last) return null;
        return { end: { kind: 'failed', why: inWords(error) }, held: false };
      }
      if (last?.type === 'ended') return last;
      if (!last) return null;
      // Cut off: the supervisor kills it, and holds it until then.
      if (over.aborted)
        return { end: { kind: 'exited', code: null, signal: 'SIGKILL' }, held: true };
      return { end: { kind: 'failed', why: 'the supervisor ended in the middle' }, held: false };
    },
    async hold(body, listen) {
      const over = new AbortController();
      let lasting: Promise<void> = Promise.resolve();
      await new Promise<void>((resolve, reject) => {
        lasting = stream(
          socket,
          '/hold',
          body,
          (event) => {
            const told = event as HoldEvent;
            if (told.type === 'held') resolve();
            else listen(told);
          },
          over.signal,
        ).catch(reject);
        const hint = 'its log is .pids/supervisor.log';
        const early = () =>
          reject(new DevctlError('supervisor-failed', 'the supervisor has ended', { hint }));
        void lasting.then(early);
      });
      return {
        over: lasting,
        async release(timeoutMs) {
          await request(socket, 'POST', '/release', { id: body.id }, timeoutMs);
          over.abort();
        },
      };
    },
    samples: (listen, over) =>
      stream(socket, '/samples', undefined, (event) => listen(event as SampleEvent), over),
    stream: (path, body, listen) => stream(socket, path, body, listen),
  };
}

function isHello(value: unknown): value is Hello {
  return value instanceof Object && 'pid' in value && 'capabilities' in value && 'version' in value;
}

function isChildrenAnswer(value: unknown): value is ChildrenAnswer {
  if (!(value instanceof Object && 'children' in value)) return false;
  return value.children === null || typeof value.children === 'boolean';
}
