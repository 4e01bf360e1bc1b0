import { expect, test } from 'vitest';
import type { ProposedService } from '../../../src/init/proposal.ts';
import { learn, type ShownByRun } from '../../../src/operations/probe/learn.ts';

const web: ProposedService = {
  name: 'web',
  command: 'npm run dev',
  from: 'package.json: scripts.dev',
  notes: [],
  text: 'vite',
};
const seen: ShownByRun = {
  failure: null,
  ports: [],
  lines: [],
  endedAfterMs: 100,
  needsInterrupt: false,
};

test.each<[string, Partial<ProposedService>, Partial<ShownByRun>, Record<string, unknown>]>([
  [
    'a page at a port of its own',
    {},
    { ports: [{ port: 5173, status: 200 }] },
    { ports: [5173], ready: { http: 'http://localhost:5173/' } },
  ],
  [
    'no page: the port alone',
    {},
    { ports: [{ port: 4000, status: 404 }] },
    { ports: [4000], ready: undefined },
  ],
  [
    'a port without HTTP beside a page',
    {},
    {
      ports: [
        { port: 4000, status: null },
        { port: 4001, status: 302 },
      ],
    },
    { ports: [4000, 4001], ready: { http: 'http://localhost:4001/' } },
  ],
  [
    'debugger, hot reload, and what the system has given away: not waited for',
    {},
    {
      ports: [
        { port: 3000, status: 404 },
        { port: 9229, status: 400 },
        { port: 24678, status: 426 },
        { port: 3001, status: 426 },
        { port: 40_123, status: 200 },
      ],
    },
    { ports: [3000] },
  ],
  [
    'a high port that the configuration names',
    { ports: [46_101] },
    { ports: [{ port: 46_101, status: null }] },
    { ports: [46_101] },
  ],
  [
    'a port that was wrong',
    { ports: [5173] },
    { ports: [{ port: 3000, status: null }] },
    { ports: [3000] },
  ],
  [
    'no port: a line of its output, without what differs from run to run',
    {},
    { lines: ['> vite', '\u001b[32mWatching for file changes\u001b[0m in 12 s'] },
    { ports: undefined, ready: { log: 'Watching for file changes in' } },
  ],
  [
    'a readiness line that was given stays',
    { ready: { log: 'mine' } },
    { lines: ['ready to go'] },
    { ready: { log: 'mine' } },
  ],
  ['slow to end', {}, { endedAfterMs: 4_000 }, { stop: { grace: '8s' } }],
  ['quick to end', {}, { endedAfterMs: 1_000 }, { stop: undefined }],
  ['killed in the end', {}, { endedAfterMs: null }, { stop: undefined }],
  ['deaf to SIGTERM', {}, { needsInterrupt: true }, { stop: { signal: 'SIGINT' } }],
  [
    'it did not come up: nothing is changed',
    { ports: [5173] },
    { failure: 'exited with code 1' },
    { ports: [5173] },
  ],
  ['a task', { oneShot: true }, { ports: [{ port: 1, status: 200 }] }, { ports: undefined }],
])('what a probe teaches: %s', (_name, proposed, shown, expected) => {
  const learned = learn({ ...web, ...proposed }, { ...seen, ...shown }, 32_768);
  for (const [key, value] of Object.entries(expected))
    expect(learned[key as keyof ProposedService], key).toEqual(value);
});
