import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { httpProbe } from '../../../src/services/probes/http.ts';
import { freePort } from '../../support/free-ports.ts';

interface Listening extends AsyncDisposable {
  readonly url: string;
}

async function listen(server: Server, path = '/health'): Promise<Listening> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}${path}`,
    async [Symbol.asyncDispose]() {
      if ('closeAllConnections' in server) (server.closeAllConnections as () => void)();
      server.close();
      await once(server, 'close');
    },
  };
}

const serve = (answer: RequestListener) => listen(createServer(answer));
const never = () => new AbortController().signal;
const probe = (
  url: string,
  want: { status?: number[]; body?: string } = {},
  more: { method?: string; headers?: Record<string, string>; socketPath?: string } = {},
) =>
  httpProbe({
    kind: 'http',
    url,
    status: want.status ?? [],
    body: want.body ?? null,
    method: 'GET',
    headers: {},
    socketPath: null,
    owner: 'service',
    ...more,
  });

test.each([
  [200, [], true],
  [204, [], true],
  [302, [], true],
  [404, [], false],
  [503, [], false],
  [404, [404], true],
  [200, [204], false],
])('status %i where %j is accepted', async (status, accepted, ok) => {
  await using server = await serve((_request, response) => {
    // A redirect to nowhere: following it would fail.
    response.writeHead(status, { location: 'http://127.0.0.1:1/' }).end();
  });
  const answer = await probe(server.url, { status: accepted }).attempt(never());
  expect(answer).toMatchObject(
    ok
      ? { kind: 'ok' }
      : { kind: 'not-yet', reason: `${server.url} answered ${status}`, answered: true },
  );
});

test('a method, headers and a Unix socket', async () => {
  const path = join(mkdtempSync(join(tmpdir(), 'devctl-http-')), 'web.sock');
  const server = createServer(({ method, headers, url }, response) => {
    const isAsked = method === 'HEAD' && headers.host === 'app.test' && url === '/health';
    response.writeHead(isAsked ? 200 : 400).end();
  });
  server.listen(path);
  await once(server, 'listening');
  const more = { method: 'HEAD', headers: { Host: 'app.test' }, socketPath: path };
  const answer = await probe('http://localhost/health', {}, more).attempt(never());
  expect(answer).toEqual({ kind: 'ok', from: null });
  server.close();
  await once(server, 'close');
  rmSync(dirname(path), { recursive: true });
});

test('the body must contain the text, across chunks too', async () => {
  await using server = await serve((_request, response) => {
    response.write('{"state":"hea');
    setImmediate(() => response.end('lthy"}'));
  });
  expect(await probe(server.url, { body: 'healthy' }).attempt(never())).toMatchObject({
    kind: 'ok',
  });
  expect(await probe(server.url, { body: 'golden' }).attempt(never())).toEqual({
    kind: 'not-yet',
    reason: `${server.url} answered 200, but its body does not contain "golden"`,
    answered: true,
  });
});

test('an endless body is enough once the text has come', async () => {
  await using server = await serve((_request, response) => {
    response.write('data: healthy\n\n');
  });
  expect(await probe(server.url, { body: 'healthy' }).attempt(never())).toMatchObject({
    kind: 'ok',
  });
});

test('no process listens on the port', async () => {
  const url = `http://127.0.0.1:${await freePort()}/`;
  expect(await probe(url).attempt(never())).toEqual({
    kind: 'not-yet',
    reason: `${url}: connection refused`,
  });
});

test('no process listens on any address of a name', async () => {
  const url = `http://localhost:${await freePort()}/`;
  expect(await probe(url).attempt(never())).toEqual({
    kind: 'not-yet',
    reason: `${url}: connection refused`,
  });
});

test('a server that does not speak HTTP', async () => {
  await using server = await listen(
    createTcpServer((socket) =>
      socket
        .on('error', () => {})
        .resume()
        .end('SSH-2.0-OpenSSH\r\n'),
    ),
  );
  expect(await probe(server.url).attempt(never())).toEqual({
    kind: 'not-yet',
    reason: `${server.url}: it does not speak HTTP`,
  });
});

test('the connection is closed without an answer', async () => {
  await using server = await listen(
    createTcpServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.destroy());
    }),
  );
  expect(await probe(server.url).attempt(never())).toEqual({
    kind: 'not-yet',
    reason: `${server.url}: the connection was closed without an answer`,
  });
});

test('an invalid address is a reason, not an exception', async () => {
  const answer = await probe('http://127.0.0.1:99999/').attempt(never());
  expect(answer).toMatchObject({ kind: 'not-yet' });
});

test('a server that does not answer is cut off', async () => {
  const over = new AbortController();
  await using server = await serve(() => over.abort());
  expect(await probe(server.url).attempt(over.signal)).toEqual({
    kind: 'cut',
    reason: `${server.url} does not answer`,
  });
  expect(await probe(server.url).attempt(AbortSignal.abort())).toMatchObject({ kind: 'cut' });
});
