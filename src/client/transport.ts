import type { IncomingMessage } from 'node:http';
import { DevctlError } from '../errors.ts';

/**
 * One short question.
 *
 * @returns the JSON of the answer; null when it was refused, not whole within `timeoutMs`, or no JSON
 */
export async function request(
  socket: string,
  method: string,
  path: string,
  body: unknown,
  timeoutMs: number,
): Promise<unknown> {
  const over = new AbortController();
  // Runs until the last byte: a supervisor may stop, or die, with half of its answer sent.
  const timer = setTimeout(() => over.abort(), timeoutMs);
  try {
    const answer = await post(socket, method, path, body, over.signal);
    return answer?.statusCode === 200 ? JSON.parse(await readAll(answer)) : null;
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
    over.abort();
  }
}

/** One request; null when nobody listens, or `over` is aborted before an answer begins. */
export async function post(
  socketPath: string,
  method: string,
  path: string,
  body: unknown,
  over: AbortSignal,
): Promise<IncomingMessage | null> {
  // Loaded when there is a supervisor to talk to: a stop with nothing to stop never pays for it.
  const { request } = await import('node:http');
  return new Promise((resolve) => {
    const outgoing = request({ socketPath, method, path, agent: false, signal: over });
    outgoing.once('response', (answer) => {
      // Whoever reads it learns of an early end all the same; nobody must die of it.
      answer.on('error', () => {});
      resolve(answer);
    });
    outgoing.on('error', () => resolve(null));
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/**
 * Hands on every event of an NDJSON answer, until it ends or `until` is aborted.
 *
 * @param body undefined: a GET
 * @throws DevctlError 'supervisor-failed'
 */
export async function stream(
  socket: string,
  path: string,
  body: unknown,
  listen: (event: unknown) => void,
  until?: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  const signal = until ? AbortSignal.any([over.signal, until]) : over.signal;
  const answer = await post(socket, body === undefined ? 'GET' : 'POST', path, body, signal);
  if (!answer) {
    throw new DevctlError('supervisor-failed', 'the supervisor does not answer', {
      hint: 'its log is .pids/supervisor.log; devctl stop works without it',
    });
  }
  try {
    if (answer.statusCode !== 200) {
      const why = await readAll(answer).catch(() => 'it said no more');
      throw new DevctlError('supervisor-failed', `the supervisor refused: ${why}`);
    }
    for await (const line of linesOf(answer)) if (line.length > 0) listen(parseEvent(line));
  } finally {
    over.abort();
  }
}

/** Its death ends the lines; what is missing then shows in the result. */
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

/** @throws DevctlError 'supervisor-failed' for what is no JSON object */
function parseEvent(line: string): object {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch {
    // Said below.
  }
  if (event instanceof Object) return event;
  const shown = line.length > SHOWN_CHARACTERS ? `${line.slice(0, SHOWN_CHARACTERS)}…` : line;
  throw new DevctlError('supervisor-failed', `the supervisor broke off or failed: ${shown}`, {
    hint: 'devctl status shows what runs; its log is .pids/supervisor.log',
  });
}

const SHOWN_CHARACTERS = 200;

async function readAll(answer: IncomingMessage): Promise<string> {
  let text = '';
  answer.setEncoding('utf8');
  for await (const chunk of answer) text += chunk;
  return text;
}
