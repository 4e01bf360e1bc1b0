import type { IncomingMessage } from 'node:http';
import { DevctlError } from '../errors.ts';
import { DEVCTL } from '../own-command.ts';

/**
 * Sends one request and reads the whole answer.
 *
 * @returns the JSON of the answer; null when the supervisor refused, when the answer was not complete within
 *   `timeoutMs`, or when it was no JSON
 */
export async function request(
  socket: string,
  method: string,
  path: string,
  body: unknown,
  timeoutMs: number,
): Promise<unknown> {
  const connection = new AbortController();
  // The timer runs until the last byte, because a supervisor may stop or die when half of its answer is sent.
  const timer = setTimeout(() => connection.abort(), timeoutMs);
  try {
    const answer = await post(socket, method, path, body, connection.signal);
    return answer?.statusCode === 200 ? JSON.parse(await readAll(answer)) : null;
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
    connection.abort();
  }
}

/** Loads what the requests need: only where there is a supervisor to talk to, because that takes 15 ms. */
export function loadHttp(): Promise<typeof import('node:http')> {
  return import('node:http');
}

/**
 * Sends one request, and resolves when the answer begins.
 *
 * @param signal closes the connection when it is aborted
 * @returns null when no process listens on the socket, or the signal was aborted before the answer began
 */
export async function post(
  socketPath: string,
  method: string,
  path: string,
  body: unknown,
  signal: AbortSignal,
): Promise<IncomingMessage | null> {
  const { request } = await loadHttp();
  return new Promise((resolve) => {
    const outgoing = request({ socketPath, method, path, agent: false, signal });
    outgoing.once('response', (answer) => {
      // Without a listener an early end of the answer would end this process. The reader learns of it all the same.
      answer.on('error', () => {});
      resolve(answer);
    });
    outgoing.on('error', () => resolve(null));
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/**
 * Calls `onEvent` with every event of an NDJSON answer, until the answer ends or `until` is aborted.
 *
 * @param body undefined: the request is a GET
 * @throws DevctlError 'supervisor-failed' when the supervisor does not answer, refuses, or sends a line that is no
 *   event
 */
export async function stream(
  socket: string,
  path: string,
  body: unknown,
  onEvent: (event: unknown) => void,
  until?: AbortSignal,
): Promise<void> {
  const connection = new AbortController();
  const signal = until ? AbortSignal.any([connection.signal, until]) : connection.signal;
  const answer = await post(socket, body === undefined ? 'GET' : 'POST', path, body, signal);
  if (!answer) {
    throw new DevctlError('supervisor-failed', 'the supervisor does not answer', {
      hint: `its log is .pids/supervisor.log; ${DEVCTL} stop works without it`,
    });
  }
  try {
    if (answer.statusCode !== 200) {
      const why = await readAll(answer).catch(() => 'it said no more');
      throw new DevctlError('supervisor-failed', `the supervisor refused: ${why}`);
    }
    for await (const line of linesOf(answer)) if (line.length > 0) onEvent(parseEvent(line));
  } finally {
    connection.abort();
  }
}

/**
 * Cuts an answer into lines. The death of the supervisor ends them without an error: the last event is missing
 * then, which the caller notices.
 */
async function* linesOf(answer: IncomingMessage): AsyncGenerator<string> {
  let rest = '';
  answer.setEncoding('utf8');
  try {
    for await (const chunk of answer as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
  } catch {
    return;
  }
  yield rest;
}

/** @throws DevctlError 'supervisor-failed' for a line that is no JSON object */
function parseEvent(line: string): object {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch {
    // The error below says so.
  }
  if (event instanceof Object) return event;
  const shown = line.length > SHOWN_CHARACTERS ? `${line.slice(0, SHOWN_CHARACTERS)}…` : line;
  throw new DevctlError('supervisor-failed', `the supervisor broke off or failed: ${shown}`, {
    hint: `${DEVCTL} status shows what runs; its log is .pids/supervisor.log`,
  });
}

/** The length at which an error cuts the line that it quotes. */
const SHOWN_CHARACTERS = 200;

async function readAll(answer: IncomingMessage): Promise<string> {
  let text = '';
  answer.setEncoding('utf8');
  for await (const chunk of answer) text += chunk;
  return text;
}
