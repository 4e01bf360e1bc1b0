import { appendFileSync, existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { expect } from 'vitest';
import { connectTo } from '../../src/client/client.ts';
import type { SampleEvent } from '../../src/client/protocol.ts';
import { readHistory } from '../../src/history/read.ts';
import type { Sample } from '../../src/history/samples.ts';
import { projectFolder } from '../../src/project/folder.ts';
import { devctl } from '../support/devctl.ts';
import {
  removeRecords,
  service,
  signalSupervisor,
  supervisorsOf,
  untilWitnessed,
} from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { canMount, smallDisk } from '../support/small-disk.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

const folderOf = (project: TemporaryProject) => projectFolder(project.root);
const samplesOf = (project: TemporaryProject): readonly Sample[] =>
  readHistory(folderOf(project)).samples;

/** One process that works as hard as it can, and its parent, which keeps 60 MB. */
const WORKER = `node -e '
  if (process.argv[1] === "work") for (;;);
  const { spawn } = require("node:child_process");
  spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" });
  globalThis.kept = Buffer.alloc(60e6, 1);
  setInterval(() => {}, 1e6);
'`;

/** Listens to the samples of a supervisor until `enough`. */
async function listenUntil(
  project: TemporaryProject,
  enough: (heard: readonly SampleEvent[]) => boolean,
): Promise<readonly SampleEvent[]> {
  const { socket } = JSON.parse(readFileSync(project.file('.pids/supervisor.json'), 'utf8'));
  const heard: SampleEvent[] = [];
  const over = new AbortController();
  const listening = connectTo(socket).samples((event) => heard.push(event), over.signal);
  await until(() => enough(heard));
  over.abort();
  await listening;
  return heard;
}

test('samples reach subscribers, and the history outlives SIGKILL, a torn line and a stop', async () => {
  await using project = await temporaryProject({
    services: { web: { command: WORKER }, quiet: service('sleeper') },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const heard = await listenUntil(project, (events) => {
    const last = events.at(-1);
    const web = last?.type === 'sample' ? last.sample.services.web : undefined;
    // The second one of Node may still be loading.
    const isLoaded = web?.memoryBytes !== null && (web?.memoryBytes ?? 0) > 100e6;
    return web !== undefined && web.processes === 2 && web.cpuPercent > 20 && isLoaded;
  });
  const [first, ...rest] = heard;
  expect(first?.type).toBe('history');
  const samples = rest.flatMap((event) => (event.type === 'sample' ? event.sample : []));
  expect(samples).toHaveLength(rest.length);
  const { web, quiet } = samples.at(-1)?.services ?? {};
  // Two of Node.
  expect(web?.memoryBytes).toBeGreaterThan(100e6);
  expect(web?.memoryBytes).toBeLessThan(400e6);
  expect(quiet).toMatchObject({ processes: 1 });
  expect(quiet?.cpuPercent).toBeLessThan(20);

  await until(() => samplesOf(project).some(({ atMs }) => atMs === samples.at(-1)?.atMs));
  await signalSupervisor(project, 'SIGKILL');
  const kept = samplesOf(project);
  appendFileSync(project.file('.pids/history/recent.ndjson'), '\n{"atMs":17,"services":{"w');
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  await until(() => samplesOf(project).length > kept.length);
  expect(samplesOf(project).slice(0, kept.length)).toEqual(kept);
  // The next supervisor reads the history from before.
  const [again] = await listenUntil(project, (events) => events.length > 0);
  expect(again?.type === 'history' && again.samples.slice(0, kept.length)).toEqual(kept);

  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
  await until(() => supervisorsOf(project).length === 0);
  const { samples: last, events } = readHistory(folderOf(project));
  expect(last.slice(0, kept.length)).toEqual(kept);
  const told = events.map((event) =>
    event.kind === 'change' ? `${event.service} ${event.to}` : 'what' in event ? event.what : '',
  );
  expect(told.filter((one) => !one.includes(' '))).toEqual(['began', 'began', 'ended']);
  expect(told).toContain('web running');
  expect(told).toContain('quiet ready');
  expect(told.indexOf('quiet starting')).toBeLessThan(told.indexOf('quiet ready'));

  // The history is not taken for a leftover.
  expect(await devctl(project, 'status')).toMatchObject({ exitCode: 3 });
  expect((await devctl(project, 'stop')).stdout).toMatch(/nothing/i);
  expect((await devctl(project, 'doctor')).stdout).not.toMatch(/history/);
});

fullTest('a records folder that was removed is not made again for the history', async () => {
  await using project = await temporaryProject({ services: { web: { command: WORKER } } });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  await until(() => samplesOf(project).length > 0);
  // A process that the supervisor sees only later makes it write the records again.
  await until(() => project.oracle.processes().length === 2);
  await untilWitnessed(project);
  const { atMs } = samplesOf(project).at(-1) ?? { atMs: 0 };
  const heard = listenUntil(project, (events) => events.length > 3);
  await until(() => (samplesOf(project).at(-1)?.atMs ?? 0) > atMs);
  await removeRecords(project);
  await heard;
  expect(existsSync(project.file('.pids/history'))).toBe(false);
});

fullTest.runIf(canMount)(
  'on a full disk only lines without room are lost, and the history goes on when there is room',
  async () => {
    await using project = await temporaryProject({ services: { web: { command: WORKER } } });
    using disk = smallDisk(project.file('.pids'));
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    await until(() => samplesOf(project).length > 1);
    disk.fill();
    const full = samplesOf(project);
    const heard = await listenUntil(project, (events) => events.length > 3);
    // Lines that had room in the last block may still have been written.
    expect(samplesOf(project).slice(0, full.length)).toEqual(full);
    rmSync(project.file('.pids/fill'));
    const last = heard.at(-1);
    const lastMs = last?.type === 'sample' ? last.sample.atMs : 0;
    await until(() => samplesOf(project).some(({ atMs }) => atMs > lastMs));
    expect(statSync(project.file('.pids/history/recent.ndjson')).size).toBeGreaterThan(0);
  },
);
