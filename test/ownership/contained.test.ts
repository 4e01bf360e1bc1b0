import { describe, expect, test } from 'vitest';
import type { OwnershipFacts } from '../../src/ownership/claim.ts';
import { claimProcesses } from '../../src/ownership/claims.ts';
import { serviceCookie, supervisorCookie } from '../../src/ownership/cookie.ts';
import { sweepClaims } from '../../src/ownership/sweep.ts';
import { marksOf, projectOf } from '../support/marks.ts';
import { identity, type Row, snapshotOf } from '../support/process-table.ts';

const ROOT = '/home/me/app';
const CONTAINER = 'c'.repeat(64);
const RUN = {
  service: 'web',
  runId: 'aa11',
  intentTicks: 90,
  pidNamespace: 'pid:[1]',
  bootId: 'boot-1',
  leader: identity(100),
};
const FACTS: OwnershipFacts = {
  project: projectOf('app', ROOT),
  root: ROOT,
  self: identity(21),
  supervisor: null,
  runs: [RUN],
  witnessed: [],
  legacyPids: [],
};
const OURS = serviceCookie(marksOf('app'), 'web', 'aa11');
const BASE: readonly Row[] = [
  { pid: 20, name: 'bash', cwd: ROOT },
  { pid: 21, ppid: 20, pgid: 21, sid: 20, ticks: 900_000, cwd: ROOT },
  { pid: 100, environ: OURS },
];
const OPEN_FILES = {
  logs: new Map([[`${ROOT}/.pids/logs/web.log`, 'web']]),
  logsFolder: null,
  stdinFolder: null,
  listening: [{ pid: 300, port: 3000, service: 'web', isOfOthers: false }],
  forced: true,
  notBeforeTicks: null,
};
const LOG = {
  fd: 1,
  target: `${ROOT}/.pids/logs/web.log`,
  readable: false,
  writable: true,
  appends: true,
};

describe('a process in a container is left alone, whatever points to it', () => {
  test.each<[evidence: string, row: Partial<Row>]>([
    ['our mark', { environ: OURS }],
    ['its parent', { ppid: 100 }],
    ['its session', { sid: 100 }],
    ['our log', { files: [LOG] }],
    ['a port', { cwd: ROOT }],
  ])('%s', (evidence, more) => {
    const facts = { ...FACTS, openFiles: OPEN_FILES } as OwnershipFacts;
    const claimed = (container: string | undefined) => {
      const row: Row = { pid: 300, ...more, ...(container ? { container } : {}) };
      return claimProcesses(facts, snapshotOf([...BASE, row]));
    };
    expect([...claimed(undefined).claims.keys()]).toContain(300);
    const { claims, spared } = claimed(CONTAINER);
    expect([...claims.keys()]).toEqual([100]);
    // A mark alone is no evidence there, so there is nothing to tell of.
    if (evidence === 'our mark') expect(spared).toEqual([]);
    else expect(spared).toMatchObject([{ veto: { kind: 'container' } }]);
    for (const { veto } of spared) expect(veto.detail).toContain('docker stop cccccccccccc');
  });

  test('the supervisor of a devctl that runs there is not ours to end', () => {
    const there: Row = { pid: 300, environ: supervisorCookie(marksOf('app')) };
    const seen = (row: Row) => claimProcesses(FACTS, snapshotOf([...BASE, row])).supervisors;
    expect(seen(there)).toHaveLength(1);
    expect(seen({ ...there, container: CONTAINER })).toEqual([]);
  });

  test.each<[what: string, sweepPatterns: RegExp[], argv: string]>([
    ['a dev tool', [], `node ${ROOT}/node_modules/.bin/vite`],
    ['a pattern of the manifest', [/worker/], 'python3 worker.py'],
  ])('the sweep spares %s', (_what, patterns, argv) => {
    const row: Row = { pid: 300, argv, cwd: ROOT };
    const rules = { patterns, protect: [], scope: 'project' as const };
    const sweep = (one: Row) => sweepClaims(FACTS, snapshotOf([...BASE, one]), rules);
    expect([...sweep(row).claims.keys()]).toContain(300);
    const { claims, spared } = sweep({ ...row, container: CONTAINER });
    expect([...claims.keys()]).not.toContain(300);
    expect(spared).toMatchObject([{ veto: { kind: 'container' } }]);
  });
});
