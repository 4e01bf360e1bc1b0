import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { createConnection } from 'node:net';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createApi, STREAMED } from '../../../src/supervisor/api/server.ts';
import { devctl } from '../../support/devctl.ts';
import { statusReport } from '../../support/reports.ts';
import { service, supervisorsOf } from '../../support/services.ts';
import { type TemporaryProject, temporaryProject } from '../../support/temporary-project.ts';
import { until } from '../../support/until.ts';

const SECRET = 'hunter2-hunter2';
const ROUTES = ['/start', '/stand-down', '/stop', '/abort-starts', '/hello', '/nowhere'];

function socketOf(project: TemporaryProject): string {
  return JSON.parse(readFileSync(project.file('.pids/supervisor.json'), 'utf8')).socket;
}

/** Sends one request with this body, unchanged. */
function post(socketPath: string, path: string, body: string | Buffer): Promise<[number, string]> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, method: 'POST', path, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      answer.on('error', reject);
      answer.on('end', () => resolve([answer.statusCode ?? 0, text]));
    });
    // The server answers before it has read all of a body that is too large.
    outgoing.on('error', (error) => reject(error));
    outgoing.end(body);
  });
}

/** Writes these bytes, and hangs up or waits until the server does. */
async function speak(socketPath: string, bytes: string, hangUp: boolean): Promise<void> {
  const socket = createConnection(socketPath);
  socket.on('error', () => {});
  // A reset also counts as hanging up; events.once would reject for it.
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  await once(socket, 'connect');
  socket.write(bytes, () => hangUp && socket.destroy());
  socket.resume();
  await closed;
}

test('no bad request ends a supervisor, changes a service, or gets its text into the log', async () => {
  await using project = await temporaryProject({ services: { web: service('sleeper') } });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const identity = () => supervisorsOf(project).map(({ pid, started }) => [pid, started]);
  const before = identity();
  const running = (await statusReport(project)).report.services;
  const socket = socketOf(project);

  const start = {
    services: [],
    env: { SECRET },
    logsDir: project.root,
    logRotation: null,
    containment: 'auto',
  };
  const stop = { names: ['web'], force: true, graceMs: null };
  const sweep = { patterns: [], protect: [], scope: 'user' };
  const bad: readonly (readonly [string, string])[] = [
    ['/start', `{"env":{"TOKEN":${SECRET}`],
    ['/start', JSON.stringify(start)],
    ['/start', JSON.stringify({ ...start, limits: {}, env: SECRET })],
    ['/start', JSON.stringify({ ...start, limits: {}, services: [{ env: { SECRET } }] })],
    ['/start', JSON.stringify({ ...start, limits: {}, services: [{ name: '../../etc' }] })],
    ['/start', JSON.stringify({ ...start, services: { length: 1e9 } })],
    ['/stand-down', '{"names":5}'],
    ['/stand-down', '[]'],
    ['/stop', JSON.stringify({ ...stop, sweep })],
    ['/stop', JSON.stringify({ ...stop, sweep, declared: [], names: [1] })],
    ['/hold', JSON.stringify({ ...stop, sweep, declared: [] })],
    ['/stop-command', JSON.stringify({ service: '../../etc', env: {} })],
  ];
  for (const [path, body] of bad) {
    const [status, said] = await post(socket, path, body);
    expect([path, body, status]).toEqual([path, body, 400]);
    expect(said).not.toContain(SECRET);
  }
  const anyBody = fc.oneof(fc.json(), fc.string(), fc.uint8Array().map(String));
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...ROUTES), anyBody, async (path, body) => {
      const [status] = await post(socket, path, body);
      expect(path === '/abort-starts' ? [200, 400] : [400, 404]).toContain(status);
    }),
    { numRuns: 100 },
  );

  const length = `Content-Length: 1000\r\n\r\n{"env":{"TOKEN":"${SECRET}"`;
  await speak(socket, `POST /start HTTP/1.1\r\nHost: x\r\n${length}`, true);
  await speak(socket, `POST /stop HTTP/1.1\r\nHost: x\r\n${length}`, true);
  await speak(socket, 'GET /events HTTP/1.1\r\nHost: x\r\n\r\n', true);
  await speak(socket, `\x00\xff${'A'.repeat(100_000)}\r\n\r\n`, false);
  const huge = post(socket, '/start', Buffer.alloc(17 * 1024 * 1024, 0x20));
  expect(await huge.catch((error) => [error.code])).toContainEqual(
    expect.toBeOneOf([413, 'EPIPE', 'ECONNRESET']),
  );

  expect(identity()).toEqual(before);
  const { report } = await statusReport(project);
  expect(report.services.map(({ pid, state }) => [pid, state])).toEqual(
    running.map(({ pid, state }) => [pid, state]),
  );
  expect(readFileSync(project.file('.pids/supervisor.log'), 'utf8')).not.toContain(SECRET);
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
});

test('a caller that does not read its answer is dropped', async () => {
  await using project = await temporaryProject();
  let told = 0;
  const server = createApi(
    {
      'GET /events': async (_body, stream) => {
        let open = true;
        void stream.closed.then(() => {
          open = false;
        });
        const event = 'x'.repeat(64 * 1024);
        while (open && told < 1_000) {
          stream.write(event);
          told += 1;
          await new Promise((resolve) => setImmediate(resolve));
        }
        return STREAMED;
      },
    },
    () => {},
  );
  const path = project.file('s');
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const deaf = createConnection(path);
  deaf.on('error', () => {});
  deaf.pause();
  deaf.write('GET /events HTTP/1.1\r\nHost: x\r\n\r\n');
  let connections = -1;
  await until(() => {
    server.getConnections((_error, count) => {
      connections = count;
    });
    return told > 0 && connections === 0;
  });
  // 4 MiB, and the bytes in the kernel's buffers.
  expect(told).toBeLessThan(150);
  deaf.destroy();
  server.close();
});
