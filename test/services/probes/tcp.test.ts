import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { tcpProbe } from '../../../src/services/probes/tcp.ts';
import { freePort } from '../../support/free-ports.ts';

const never = () => new AbortController().signal;
const probe = (host: string, port: number) =>
  tcpProbe({ kind: 'tcp', target: { kind: 'address', host, port }, owner: 'service' });

test('a server on ::1 alone is found at localhost', async () => {
  const server = createServer((socket) => socket.on('error', () => {}).destroy());
  server.listen(0, '::1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  expect(await probe('localhost', port).attempt(never())).toMatchObject({ kind: 'ok' });
  server.close();
  await once(server, 'close');
});

test.each(['127.0.0.1', 'localhost'])('%s accepts connections', async (host) => {
  const server = createServer((socket) => socket.on('error', () => {}).destroy());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  expect(await probe(host, port).attempt(never())).toMatchObject({
    kind: 'ok',
    from: { address: '127.0.0.1', port },
  });
  server.close();
  await once(server, 'close');
});

test('no process listens on the port', async () => {
  const port = await freePort();
  expect(await probe('127.0.0.1', port).attempt(never())).toEqual({
    kind: 'not-yet',
    reason: `127.0.0.1:${port}: connection refused`,
  });
});

test('an attempt that is aborted before it begins', async () => {
  const answer = await probe('::1', await freePort()).attempt(AbortSignal.abort());
  expect(answer).toMatchObject({ kind: 'cut', reason: expect.stringMatching(/^\[::1\]:\d+ does/) });
});
