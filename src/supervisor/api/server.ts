import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

/** One route: takes the parsed body, and answers by returning JSON or by streaming. */
export type Route = (body: unknown, stream: Stream) => Promise<unknown> | unknown;

/** The answer as a stream of NDJSON, for a route that takes its time. */
export interface Stream {
  /** Sends the headers, so that the caller knows before the first event that the request has arrived. */
  begin(): void;
  write(event: unknown): void;
  /** Resolves when the caller has hung up, or when the answer is complete. */
  readonly closed: Promise<void>;
}

/** The result of a route that has streamed its answer. */
export const STREAMED = Symbol('streamed');

const MAX_BODY_BYTES = 16 * 1024 * 1024;
/**
 * Largest part of an answer, in bytes, that may wait for the caller. A caller that does not read it is
 * not listening, and must not fill the memory.
 */
const MAX_UNREAD_BYTES = 4 * 1024 * 1024;

/** A malformed request. The message must not quote the request, because its body holds environments. */
export class BadRequest extends Error {
  override readonly name = 'BadRequest';
  readonly status: number;

  constructor(message: string, status = 400) {
    super(message);
    this.status = status;
  }
}

/**
 * Creates the supervisor's HTTP server. Only the mode of the socket's folder (0700) guards it: every
 * process that can connect belongs to our own user.
 *
 * @param routes keyed by `METHOD /path`
 */
export function createApi(
  routes: Readonly<Record<string, Route>>,
  log: (line: string) => void,
): Server {
  return createServer((request, response) => {
    // A caller that hangs up at the wrong moment must not end the supervisor.
    for (const stream of [request, response]) stream.on('error', () => {});
    // Nobody asks for the date.
    response.sendDate = false;
    void answer(routes, request, response).catch((error: unknown) => {
      const isBad = error instanceof BadRequest;
      const detail = error instanceof Error && !isBad ? error.stack : error;
      log(`${request.method} ${request.url}: ${detail}`);
      if (!response.headersSent) {
        // Close the connection instead of waiting for the rest of an unwanted body.
        response.writeHead(isBad ? error.status : 500, { connection: 'close' });
      }
      response.end(error instanceof Error ? error.message : String(error));
    });
  });
}

async function answer(
  routes: Readonly<Record<string, Route>>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const route = routes[`${request.method} ${request.url}`];
  if (!route) {
    response.writeHead(404);
    response.end(`no such route; there are: ${Object.keys(routes).join(', ')}\n`);
    return;
  }
  // Listen before the first await, because a caller may hang up at any time.
  const closed = new Promise<void>((resolve) => response.once('close', resolve));
  const body = await readBody(request);
  const begin = (): void => {
    if (response.headersSent) return;
    response.writeHead(200, { 'content-type': 'application/x-ndjson' });
    response.flushHeaders();
  };
  const stream: Stream = {
    begin,
    write(event) {
      begin();
      if (response.writableLength > MAX_UNREAD_BYTES) response.destroy();
      if (!response.destroyed) response.write(`${JSON.stringify(event)}\n`);
    },
    closed,
  };
  const result = await route(body, stream);
  if (result === STREAMED) {
    response.end();
    return;
  }
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(result)}\n`);
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new BadRequest('the request is too large', 413);
    chunks.push(chunk);
  }
  if (size === 0) return null;
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new BadRequest('the request is no JSON');
  }
}
