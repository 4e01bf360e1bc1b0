import { mkdirSync, writeFileSync } from 'node:fs';
import type { HistoryEvent } from '../../src/history/events.ts';
import { appendHistory } from '../../src/history/files.ts';
import { formatSample } from '../../src/history/sample-lines.ts';
import type { Sample, ServiceUse } from '../../src/history/samples.ts';
import { projectFolder } from '../../src/project/folder.ts';
import type { StateKind } from '../../src/services/lifecycle/states.ts';
import type { ReportedProcess, StopReport } from '../../src/stopping/report.ts';

/** A hostile name for a process that will be on a page. */
export const HOSTILE = `node </script><img src=x onerror="document.title='taken'"> --name='"><b>' \u001B[31m\u202E`;

export interface Runaway {
  readonly samples: readonly Sample[];
  readonly events: readonly HistoryEvent[];
  readonly lastStop: StopReport;
}

const MB = 1024 * 1024;
const SECONDS = 600;

/**
 * The history of ten minutes in which the tests of `web` ran away: 3 processes until the fifth minute, 97 in
 * the sixth, ended in the eighth. `api` fails once and comes back.
 *
 * @param beganMs when it began, since the epoch
 */
export function runaway(beganMs: number): Runaway {
  const at = (second: number): number => beganMs + second * 1000;
  const change = (
    second: number,
    service: string,
    from: StateKind,
    to: StateKind,
    reason: string | null = null,
  ): HistoryEvent => ({ atMs: at(second), kind: 'change', service, from, to, reason, pid: null });
  const rise = (service: string, second: number, ready: number): HistoryEvent[] => [
    change(0.1, service, 'idle', 'waiting'),
    change(second, service, 'waiting', 'spawning'),
    change(second + 0.1, service, 'spawning', 'starting'),
    change(ready, service, 'starting', 'ready'),
  ];
  const branch = {
    pid: 4242,
    command: HOSTILE,
    processes: 96,
    memoryBytes: 6200 * MB,
    service: 'web',
  };
  const events: HistoryEvent[] = [
    { atMs: at(0), kind: 'supervisor', what: 'began' },
    ...rise('db', 0.2, 1.5),
    ...rise('api', 1.6, 3.2),
    ...rise('web', 3.3, 7),
    change(
      200,
      'api',
      'ready',
      'clearing',
      'exited with code 1; restart 1 after a pause of 480 ms',
    ),
    change(200.2, 'api', 'clearing', 'backoff', 'exited with code 1; restart 1 after a pause'),
    change(200.7, 'api', 'backoff', 'spawning'),
    change(200.8, 'api', 'spawning', 'starting'),
    change(202, 'api', 'starting', 'ready'),
    {
      atMs: at(330),
      kind: 'breach',
      breach: {
        service: 'web',
        limit: 'processes',
        value: 61,
        allowed: 60,
        action: 'warn',
        measuredAs: null,
        branch: { ...branch, processes: 58 },
        atMs: at(330),
      },
    },
    {
      atMs: at(390),
      kind: 'breach',
      breach: {
        service: 'web',
        limit: 'memory',
        value: 6300 * MB,
        allowed: 6144 * MB,
        action: 'stop',
        measuredAs: 'rss',
        branch,
        atMs: at(390),
      },
    },
    ...['web', 'api', 'db'].flatMap((service) => [
      change(480, service, 'ready', 'stopping'),
      change(481, service, 'stopping', 'idle'),
    ]),
    { atMs: at(482), kind: 'supervisor', what: 'ended' },
  ];
  const samples = Array.from({ length: 481 }, (_, second) => ({
    atMs: at(second),
    services: uses(second),
  }));
  const sorted = events.toSorted((a, b) => a.atMs - b.atMs);
  return { samples, events: sorted, lastStop: stopReport(at(480)) };
}

/** The length of the whole history, in ms. */
export const RUNAWAY_MS = SECONDS * 1000;

function uses(second: number): Sample['services'] {
  const storm = Math.min(94, Math.max(0, ((second - 300) * 1.6) | 0));
  const wave = Math.sin(second / 9);
  return {
    ...(second >= 1 ? { db: use(1, 42 + wave, 1) } : {}),
    ...(second >= 2 && second !== 200 ? { api: use(2, 90 + 6 * wave, 4 + 3 * wave) } : {}),
    ...(second >= 4
      ? { web: use(3 + storm, 160 + storm * 66, 6 + 4 * wave + Math.min(190, storm * 4)) }
      : {}),
  };
}

function use(processes: number, megabytes: number, cpuPercent: number): ServiceUse {
  return { processes, memoryBytes: Math.round(megabytes * MB), cpuPercent };
}

function stopReport(beganMs: number): StopReport {
  const one = (pid: number, service: string, command: string, late: boolean): ReportedProcess => ({
    pid,
    command,
    service,
    evidence: [
      { kind: 'cgroup', detail: 'in the control group of run 1f2e3d' },
      { kind: 'descendant', detail: `child of ${pid - 1} (node)` },
    ],
    signals: late ? ['SIGTERM', 'SIGKILL'] : ['SIGTERM'],
    endedBy: late ? 'SIGKILL' : 'SIGTERM',
    endedAfterMs: late ? 3_120 + pid : 48,
    outside: false,
  });
  const processes = [
    one(4100, 'db', 'postgres -D data', false),
    one(4110, 'api', 'node server.js', false),
    ...Array.from({ length: 97 }, (_, index) =>
      one(
        4242 + index,
        'web',
        index === 0 ? HOSTILE : 'node vitest/dist/workers/forks.js',
        index > 80,
      ),
    ),
  ];
  const service = (name: string, tookMs: number) => ({
    name,
    outcome: 'stopped' as const,
    leaderPid: 4100,
    processes: processes.filter((process) => process.service === name).length,
    tookMs,
  });
  return {
    version: 1,
    kind: 'stop',
    project: '/work/shop',
    at: new Date(beganMs).toISOString(),
    tookMs: 3_420,
    forced: false,
    why: null,
    scope: null,
    services: [service('web', 3_300), service('api', 140), service('db', 95)],
    processes,
    survivors: [],
    spared: [
      {
        pid: 77,
        command: `bash -c ${HOSTILE}`,
        evidence: [],
        ours: true,
        veto: 'ancestor',
        why: 'your shell',
      },
    ],
    stale: [],
    ports: [{ port: 4101, protocol: 'tcp', service: 'api', free: true, holder: null }],
    problems: [],
    supervisor: { pid: 4000, ended: true },
    guards: [3999],
    capabilities: {
      subreaper: { held: true, why: null },
      pidfd: { held: true, why: null },
      cgroup: { held: false, why: 'no cgroup v2 is mounted' },
    },
    containers: null,
    proof: { strength: 'complete', why: null, scans: 17 },
  };
}

/** Puts a history where devctl looks for it. */
export function writeRunaway(root: string, { samples, events, lastStop }: Runaway): void {
  const folder = projectFolder(root);
  mkdirSync(folder.pidsDir, { recursive: true, mode: 0o700 });
  for (const sample of samples) appendHistory(folder, 'recent', formatSample(sample));
  for (const event of events) appendHistory(folder, 'events', JSON.stringify(event));
  writeFileSync(`${folder.pidsDir}/last-stop.json`, `${JSON.stringify(lastStop)}\n`);
}
