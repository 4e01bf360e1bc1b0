import type { IncomingMessage } from 'node:http';
import { DevctlError } from '../errors.ts';
import type {
  ChildrenAnswer,
  Hello,
  StandDownRequest,
  StartEvent,
  StartRequest,
} from './protocol.ts';

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
  /** Streams any request's NDJSON answer, for callers inside a service. */
  stream(path: string, body: unknown, listen: (event: unknown) => void): Promise<void>;
}

export function connectTo(socket: string): SupervisorClient {
  return {
    socket,
    async hello(timeoutMs) {
      const answer = await send(socket, 'GET', '/hello', undefined, timeoutMs);
      if (!answer) return null;
      const hello: unknown = JSON.parse(await readAll(answer));
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
      const answer = await send(socket, 'POST', '/abort-starts', {}, timeoutMs);
      answer?.resume();
      return answer?.statusCode === 200;
    },
    async standDown(body, timeoutMs) {
      const answer = await send(socket, 'POST', '/stand-down', body, timeoutMs);
      if (answer?.statusCode !== 200) return null;
      // A supervisor that dies meanwhile needs no reply from us.
      answer.on('error', () => {});
      answer.resume();
      return () => answer.destroy();
    },
    async hasChildren(timeoutMs) {
      const answer = await send(socket, 'GET', '/children', undefined, timeoutMs);
      if (answer?.statusCode !== 200) return null;
      return (JSON.parse(await readAll(answer)) as ChildrenAnswer).children;
    },
    stream: (path, body, listen) => stream(socket, path, body, listen),
  };
}

/** One request; null when nobody listens or no answer begins within `timeoutMs`. */
async function send(
  socketPath: string,
  method: string,
  path: string,
  body: unknown,
  timeoutMs: number | null,
): Promise<IncomingMessage | null> {
  // Loaded when there is a supervisor to talk to: a stop with nothing to stop never pays for it.
  const { request } = await import('node:http');
  return new Promise((resolve) => {
    const outgoing = request({ socketPath, method, path, agent: false });
    const timer =
      timeoutMs === null
        ? null
        : setTimeout(() => {
            outgoing.destroy();
            resolve(null);
          }, timeoutMs);
    const settle = (answer: IncomingMessage | null): void => {
      if (timer) clearTimeout(timer);
      resolve(answer);
    };
    outgoing.once('response', settle);
    outgoing.on('error', () => settle(null));
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

async function stream(
  socket: string,
  path: string,
  body: unknown,
  listen: (event: unknown) => void,
): Promise<void> {
  const answer = await send(socket, 'POST', path, body, null);
  if (!answer) {
    throw new DevctlError('supervisor-failed', 'the supervisor does not answer', {
      hint: 'its log is .pids/supervisor.log; devctl stop works without it',
    });
  }
  if (answer.statusCode !== 200) {
    throw new DevctlError('supervisor-failed', `the supervisor refused: ${await readAll(answer)}`);
  }
  const { createInterface } = await import('node:readline');
  const lines = createInterface({ input: answer });
  // Its death closes the stream; what is missing then shows in the result.
  answer.on('error', () => lines.close());
  for await (const line of lines) if (line.length > 0) listen(JSON.parse(line));
}

async function readAll(answer: IncomingMessage): Promise<string> {
  let text = '';
  answer.setEncoding('utf8');
  for await (const chunk of answer) text += chunk;
  return text;
}

function isHello(value: unknown): value is Hello {
  return value instanceof Object && 'pid' in value && 'subreaper' in value && 'version' in value;
}
