import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { tcpProbe } from '../../../src/services/probes/tcp.ts';
import { freePort } from '../../support/free-ports.ts';

const never = () => new AbortController().signal;

test.each(['127.0.0.1', 'localhost'])('%s accepts connections', async (host) => {
  const server = createServer((socket) => socket.on('error', () => {}).destroy());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  expect(await tcpProbe({ kind: 'tcp', host, port }).attempt(never())).toEqual({ kind: 'ok' });
  server.close();
  await once(server, 'close');
});

test('no process listens on the port', async () => {
  const port = await freePort();
  const probe = tcpProbe({ kind: 'tcp', host: '127.0.0.1', port });
  expect(await probe.attempt(never())).toEqual({
    kind: 'not-yet',
    reason: `127.0.0.1:${port}: connection refused`,
  });
});

test('an attempt that is aborted before it begins', async () => {
  const probe = tcpProbe({ kind: 'tcp', host: '::1', port: await freePort() });
  const answer = await probe.attempt(AbortSignal.abort());
  expect(answer).toMatchObject({ kind: 'cut', reason: expect.stringMatching(/^\[::1\]:\d+ does/) });
});
