import { createServer, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { connectTo, type SupervisorClient } from '../../src/client/client.ts';
import { DevctlError } from '../../src/errors.ts';
import { temporaryProject } from '../support/temporary-project.ts';

type Answer = (response: ServerResponse) => void;

/** Calls `use` with a client of a supervisor that gives this answer to every request. */
async function withSupervisor(answer: Answer, use: (client: SupervisorClient) => Promise<void>) {
  await using project = await temporaryProject();
  const server = createServer((request, response) => {
    request.resume();
    answer(response);
  });
  const socket = join(project.root, 's');
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  try {
    await use(connectTo(socket));
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const whole = '{"pid":1,"capabilities":{},"version":"1","children":false}';

const broken: readonly (readonly [string, Answer])[] = [
  ['no JSON', (response) => response.end('<html>')],
  ['half of an answer, and the end', (response) => response.end(whole.slice(0, 20))],
  [
    'half of an answer, and a broken connection',
    (response) => response.write(whole.slice(0, 20), () => response.destroy()),
  ],
  ['half of an answer, and silence', (response) => response.write(whole.slice(0, 20))],
  ['a beginning, and silence', (response) => response.flushHeaders()],
  ['silence', () => {}],
  ['a refusal', (response) => response.writeHead(500).end(whole)],
  ['another shape', (response) => response.end('"hello"')],
];

test.each(broken)(
  'a request that is answered with %s counts as unanswered',
  async (_name, answer) => {
    await withSupervisor(answer, async (client) => {
      expect(await client.hello(200)).toBeNull();
      expect(await client.hasChildren(200)).toBeNull();
    });
  },
);

test('a complete answer counts', async () => {
  const answer: Answer = (response) => response.end(whole);
  await withSupervisor(answer, async (client) => {
    expect(await client.hello(5_000)).toMatchObject({ pid: 1 });
    expect(await client.hasChildren(5_000)).toBe(false);
    expect(await client.abortStarts(5_000)).toBe(true);
  });
});

const change = '{"type":"change"}\n';

test.each<readonly [string, Answer, RegExp]>([
  ['no JSON', (response) => response.end(`${change}Error: no luck\n`), /Error: no luck/],
  ['half a line', (response) => response.end(`${change}{"type":"re`), /broke off/],
  ['no event', (response) => response.end(`${change}null\n`), /broke off/],
  [
    'a broken connection',
    (response) => response.write(change, () => response.destroy()),
    /ended before/,
  ],
  ['a refusal', (response) => response.writeHead(500).end('locked'), /refused: locked/],
])('a start that is answered with %s fails in words', async (_name, answer, words) => {
  await withSupervisor(answer, async (client) => {
    const events: unknown[] = [];
    const request = {
      services: [],
      env: {},
      logsDir: '/',
      logRotation: null,
      containment: 'auto',
      protection: { patterns: [], byEnvironment: false },
      limits: { limits: [], manifest: null },
    } as const;
    const failure = await client.start(request, (event) => events.push(event)).catch((e) => e);
    expect(failure).toBeInstanceOf(DevctlError);
    expect(failure).toMatchObject({ code: 'supervisor-failed' });
    expect(failure.message).toMatch(words);
    expect(events.length).toBeLessThanOrEqual(1);
  });
});
