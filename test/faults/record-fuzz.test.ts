import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { writeLeases } from '../../src/leases/file.ts';
import { leasesAt } from '../../src/leases/status.ts';
import { lookAtTicket, newTicket, placeTicket } from '../../src/lock/ticket.ts';
import { claimProcesses } from '../../src/ownership/claims.ts';
import { serviceCookie, supervisorCookie } from '../../src/ownership/cookie.ts';
import type { ProjectFolder } from '../../src/project/folder.ts';
import { readLastStop, writeLastStop } from '../../src/project/last-stop.ts';
import { appendLedger } from '../../src/project/ledger.ts';
import { writeLegacyFiles } from '../../src/project/legacy-files.ts';
import { projectHash } from '../../src/project/names.ts';
import { writeRecord } from '../../src/project/records.ts';
import { writeSupervisor } from '../../src/project/supervisor-record.ts';
import { factsOf } from '../../src/tracking/facts.ts';
import { readProjectState } from '../../src/tracking/project-state.ts';
import { recordOf, temporaryRecords } from '../project/records-folder.ts';
import { marksOf } from '../support/marks.ts';
import { BOOT, identity, NAMESPACE, type Row, snapshotOf } from '../support/process-table.ts';
import { anyMutation } from './mutations.ts';

const SUPERVISOR = 400;
const RUN = { web: '1'.repeat(32), db: '2'.repeat(32) };
/** The pids of our processes: two leaders, a child, a session of its own, and a daemon without any mark. */
const OURS = [500, 501, 502, 510, 520];
/**
 * An editor and a `tail -f` that work in the project, and servers elsewhere. A founding file may name
 * whoever works in the project, by its design: it has no start times.
 */
const NEIGHBOURS = [88_888, 99_999];
const STRANGERS = [70, 71, 610];
const TERMINAL = 300;
const SELF = 700;

const FILES = [
  'services/web.json',
  'services/db.json',
  'ledger/web',
  'supervisor.json',
  'lock',
  'last-stop.json',
  'lease.json',
  'founding.json',
];
const FOUNDING = ['services.pids', 'services.pids.groups', 'services.pids.services'];

/** Makes a project with two running services, as its supervisor has recorded it. */
function recorded(): ProjectFolder {
  const folder = temporaryRecords();
  const moment = { bootId: BOOT, pidNamespace: NAMESPACE };
  const common = { ...moment, supervisor: identity(SUPERVISOR), intentTicks: 450 };
  const records = [
    recordOf(folder, 'web', { ...common, runId: RUN.web, leader: identity(500) }),
    recordOf(folder, 'db', { ...common, runId: RUN.db, leader: identity(510) }),
  ];
  for (const record of records) writeRecord(folder, record);
  writeLegacyFiles(folder, records, () => true);
  const lines = [500, 501, 502, 520].map((pid) => ({
    runId: RUN.web,
    identity: identity(pid),
    ppid: SUPERVISOR,
    pgid: pid === 501 ? 500 : pid,
    sid: pid === 501 ? 500 : pid,
  }));
  appendLedger(folder, 'web', moment, lines);
  const held = { held: true, why: null };
  writeSupervisor(folder, {
    schema: 1,
    identity: identity(SUPERVISOR),
    socket: `/tmp/devctl-0/${projectHash(folder.root)}.sock`,
    capabilities: { subreaper: held, pidfd: held, cgroup: held },
    groups: null,
    version: '0.1.0',
    startedAt: '2026-01-02T03:04:05.678Z',
  });
  const holder = { identity: identity(690), command: 'stop', at: '2026-01-02T03:04:05.678Z' };
  placeTicket(join(folder.pidsDir, 'lock'), newTicket(holder));
  writeLastStop(folder, { version: 1 });
  const process = { identity: identity(610), command: 'agent' };
  const lease = { endsAtTicks: 2_000, ttlMs: 10_000, processes: [process] };
  const { root: project } = folder;
  writeLeases(folder, {
    schema: 1,
    project,
    bootId: BOOT,
    manifest: `${project}/m`,
    leases: [lease],
  });
  return folder;
}

function machineWith({ root, mark: projectId }: ProjectFolder) {
  const marked = (service: 'web' | 'db') =>
    serviceCookie(marksOf(projectId), service, RUN[service]);
  const rows: Row[] = [
    { pid: 88_888, argv: 'vim src/app.ts', cwd: root, ticks: 61 },
    { pid: 70, argv: 'node server.js', cwd: '/elsewhere', ticks: 71 },
    { pid: 71, ppid: 70, pgid: 70, sid: 70, argv: 'node worker.js', cwd: '/elsewhere', ticks: 72 },
    { pid: TERMINAL, argv: 'bash', cwd: root, ticks: 301 },
    // They are younger than the runs.
    { pid: 610, argv: 'node server.js', cwd: '/elsewhere', ticks: 615 },
    {
      pid: 99_999,
      ppid: 300,
      pgid: 99_999,
      sid: 300,
      argv: 'tail -f web.log',
      cwd: root,
      ticks: 616,
    },
    {
      pid: SUPERVISOR,
      argv: 'node main.js',
      cwd: root,
      environ: supervisorCookie(marksOf(projectId)),
    },
    { pid: 500, ppid: SUPERVISOR, argv: 'npm run dev', cwd: root, environ: marked('web') },
    { pid: 501, ppid: 500, pgid: 500, sid: 500, cwd: root, environ: marked('web') },
    { pid: 502, ppid: 501, cwd: root, environ: marked('web') },
    { pid: 510, ppid: SUPERVISOR, argv: 'postgres', cwd: root, environ: marked('db') },
    { pid: 520, ppid: SUPERVISOR, argv: 'daemon', cwd: '/', environ: '' },
    { pid: SELF, ppid: 300, pgid: SELF, sid: 300, argv: 'node devctl stop', cwd: root },
  ];
  return snapshotOf(rows, 1_000);
}

test('with damaged records, our processes are found and no other process is', () => {
  const folder = recorded();
  const snapshot = machineWith(folder);
  const originals = new Map(
    [...FILES, ...FOUNDING].map(
      (name) => [name, readFileSync(join(folder.pidsDir, name))] as const,
    ),
  );
  const everywhere = [...STRANGERS, TERMINAL, SELF, 1];
  const damage = fc
    .tuple(
      fc.dictionary(fc.constantFrom(...FOUNDING), anyMutation(everywhere), { maxKeys: 2 }),
      fc.dictionary(fc.constantFrom(...FILES), anyMutation([...everywhere, ...NEIGHBOURS]), {
        maxKeys: 4,
      }),
    )
    .map(([founding, files]) => ({ ...founding, ...files }));
  fc.assert(
    fc.property(damage, (mutations) => {
      const shown: string[] = [];
      for (const [name, bytes] of originals) {
        const changed = mutations[name]?.(bytes) ?? bytes;
        writeFileSync(join(folder.pidsDir, name), changed);
        if (changed !== bytes) shown.push(`${name}: ${changed.toString('latin1').slice(0, 2_000)}`);
      }
      const state = readProjectState(folder);
      lookAtTicket(join(folder.pidsDir, 'lock'));
      readLastStop(folder);
      leasesAt(state.lease, snapshot);
      const facts = factsOf(state, identity(SELF), snapshot, Date.now());
      const { claims, supervisors } = claimProcesses(facts, snapshot);
      expect([...claims.keys()].sort(), shown.join('\n')).toEqual(OURS);
      const found = supervisors.map(({ identity: { pid } }) => pid);
      expect(found, shown.join('\n')).toEqual([SUPERVISOR]);
      for (const { path, reason } of state.problems) {
        expect(existsSync(path)).toBe(true);
        expect(reason).not.toBe('');
      }
    }),
    { numRuns: 500 },
  );
});
