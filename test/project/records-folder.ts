import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { onTestFinished } from 'vitest';
import type { Identity } from '../../src/processes/identity.ts';
import { type ProjectFolder, projectFolder } from '../../src/project/folder.ts';
import { prepareFolder } from '../../src/project/records-folder.ts';
import type { ServiceRecord } from '../../src/project/service-record.ts';

/** An empty folder that is removed when the test ends. */
export function temporaryFolder(): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'devctl-project-')));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A project with its records folder, ready to be written. */
export function temporaryRecords(): ProjectFolder {
  const folder = projectFolder(temporaryFolder());
  prepareFolder(folder);
  return folder;
}

export function identity(pid: number, startTicks = 100): Identity {
  return { pid, startTicks, bootId: 'boot-1', pidNamespace: 'pid:[4026531836]' };
}

/** A record as the supervisor writes it. */
export function recordOf(
  folder: ProjectFolder,
  service: string,
  changes: Partial<ServiceRecord> = {},
): ServiceRecord {
  return {
    schema: 1,
    service,
    project: folder.root,
    runId: '0123456789abcdef0123456789abcdef',
    state: 'ready',
    reason: null,
    bootId: 'boot-1',
    pidNamespace: 'pid:[4026531836]',
    intentTicks: 90,
    leader: identity(4711),
    supervisor: identity(4700),
    guard: identity(4699),
    subreaper: true,
    cgroup: null,
    command: 'npm run dev',
    cwd: folder.root,
    ports: [3000],
    dependsOn: ['db'],
    stop: { signal: 'SIGTERM', graceMs: 3000, command: null },
    log: join(folder.pidsDir, 'logs', `${service}.log`),
    stdin: null,
    startedAt: '2026-01-02T03:04:05.678Z',
    readyAt: null,
    exitedAt: null,
    exit: null,
    restarts: 0,
    ...changes,
  };
}

const count = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const label = fc.string({ minLength: 1, maxLength: 40 });
const command = fc.oneof(fc.string(), fc.array(fc.string(), { maxLength: 4 }));
export const anyPid = fc.integer({ min: 2, max: 4_194_304 });
export const anyRunId = fc.stringMatching(/^[0-9a-f]{32}$/);
const anyServiceName = fc
  .stringMatching(/^[a-zA-Z0-9_@][\w.:@+ -]{0,30}$/)
  .filter((name) => name.trim() === name);

const anyIdentity: fc.Arbitrary<Identity> = fc.record({
  pid: anyPid,
  startTicks: count,
  bootId: label,
  pidNamespace: label,
});

/** Generates every record that may be written for this project. */
export function anyRecord(folder: ProjectFolder): fc.Arbitrary<ServiceRecord> {
  return fc.record({
    schema: fc.constant(1 as const),
    service: anyServiceName,
    project: fc.constant(folder.root),
    runId: anyRunId,
    state: fc.constantFrom('starting', 'running', 'ready', 'unhealthy', 'backoff', 'exited'),
    reason: fc.option(fc.string()),
    bootId: label,
    pidNamespace: label,
    intentTicks: count,
    leader: fc.option(anyIdentity),
    supervisor: anyIdentity,
    guard: fc.option(anyIdentity),
    subreaper: fc.boolean(),
    cgroup: fc.option(
      fc.record({ path: fc.string().map((name) => `/${name}`), held: fc.boolean() }),
    ),
    command,
    cwd: fc.string(),
    ports: fc.array(fc.integer({ min: 1, max: 65_535 })),
    dependsOn: fc.array(anyServiceName),
    stop: fc.record({
      signal: fc.constantFrom('SIGTERM', 'SIGINT', 'SIGQUIT'),
      graceMs: fc.nat(),
      command: fc.option(command),
    }),
    log: fc.string().map((name) => `/${name}`),
    stdin: fc.option(fc.string().map((name) => `/${name}`)),
    startedAt: fc.string(),
    readyAt: fc.option(fc.string()),
    exitedAt: fc.option(fc.string()),
    exit: fc.option(
      fc.record({ code: fc.option(fc.nat({ max: 255 })), signal: fc.option(fc.string()) }),
    ),
    restarts: fc.nat(),
  });
}

/** Anything that a crash, a full disk, an editor or an attacker can leave in a file. */
export const anyBytes: fc.Arbitrary<Buffer> = fc.oneof(
  fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)),
  fc.string({ unit: 'binary', maxLength: 200 }).map((text) => Buffer.from(text)),
  fc.json().map((text) => Buffer.from(text)),
);

/** Generates a good content with one part of it replaced or cut off. */
export function damaged(content: string): fc.Arbitrary<Buffer> {
  const bytes = Buffer.from(content);
  const place = fc.nat({ max: bytes.length });
  return fc
    .tuple(place, place, fc.oneof(anyBytes, fc.constantFrom('-1', '0', '1', '""', 'null', '1e9')))
    .map(([from, length, middle]) =>
      Buffer.concat([
        bytes.subarray(0, from),
        Buffer.from(middle),
        bytes.subarray(from + Math.min(length, 12)),
      ]),
    );
}
