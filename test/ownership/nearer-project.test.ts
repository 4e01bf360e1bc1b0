import { describe, expect, test } from 'vitest';
import type { OpenFileEvidence, OwnershipFacts } from '../../src/ownership/claim.ts';
import { claimProcesses } from '../../src/ownership/claims.ts';
import { serviceCookie, supervisorCookie } from '../../src/ownership/cookie.ts';
import { sweepClaims } from '../../src/ownership/sweep.ts';
import { marksOf, projectOf } from '../support/marks.ts';
import { identity, type Row, snapshotOf } from '../support/process-table.ts';

const ROOT = '/home/me/app';
const OURS = 'devctl-0123456789abcdef';
const THEIRS = 'devctl-fedcba9876543210';
/** The control group of the living run, and one of another project below it. */
const OWN_GROUP = `/${OURS}/aa11`;
const NESTED_GROUP = `${OWN_GROUP}/${THEIRS}/bb22`;

const run = {
  service: 'web',
  runId: 'aa11',
  intentTicks: 90,
  pidNamespace: 'pid:[1]',
  bootId: 'boot-1',
  leader: identity(100),
};
const SELF: Row = { pid: 21, ticks: 900_000, cwd: ROOT };
const SUPERVISOR: Row = {
  pid: 50,
  argv: `node /x/dist/supervisor/main.js ${ROOT}`,
  cwd: ROOT,
  environ: supervisorCookie(marksOf('app')),
};
const LEADER: Row = { pid: 100, ppid: 50, environ: serviceCookie(marksOf('app'), 'web', 'aa11') };
/** The process in question: it has no mark. */
const IT: Row = { pid: 200, cwd: ROOT };
const ORPHAN: Row = { ...IT, ppid: 50 };

const NO_FILES: OpenFileEvidence = {
  logs: new Map([[`${ROOT}/.pids/logs/web.log`, 'web']]),
  logsFolder: null,
  stdinFolder: null,
  listening: [],
  forced: false,
};
const listens = { openFiles: { ...NO_FILES, listening: [{ pid: 200, port: 80, service: 'web' }] } };
const appends = { fd: 1, readable: false, writable: true, appends: true };
const LOG = [{ ...appends, target: `${ROOT}/.pids/logs/web.log` }];

const recorded = (pid = 200) => [{ mark: 'other', projectId: null, identity: identity(pid) }];
const seen = recorded().map((one) => ({ ...one, onlySeen: true }));
const ledger = [{ service: 'web', runId: 'aa11', identity: identity(200) }];
const group = (pids: readonly number[]) => [
  {
    folder: `/sys${OWN_GROUP}`,
    path: OWN_GROUP,
    runId: 'aa11',
    service: 'web',
    pids: new Set(pids),
  },
];

function factsOf(over: Partial<OwnershipFacts>): OwnershipFacts {
  return {
    project: { ...projectOf('app', ROOT), groupNames: new Set([OURS]) },
    root: ROOT,
    self: identity(21, 900_000),
    supervisor: null,
    runs: [run],
    witnessed: [],
    legacyPids: [],
    ...over,
  };
}

/** Says whose the process 200 is: "ours", the kind of its veto, or null where nothing points to it. */
function verdict(rows: readonly Row[], over: Partial<OwnershipFacts>, pid = 200): string | null {
  const { claims, spared } = claimProcesses(factsOf(over), snapshotOf([SELF, ...rows]));
  if (claims.has(pid)) return 'ours';
  return spared.find(({ process }) => process.identity.pid === pid)?.veto.kind ?? null;
}

const living = [SUPERVISOR, LEADER];

describe('no other project shows that it lives', () => {
  test.each<[string, readonly Row[], Partial<OwnershipFacts>, string]>([
    ['a port', [IT], listens, 'ours'],
    ['a port, recorded', [IT], { ...listens, elsewhere: recorded() }, 'other-project'],
    ['a port, seen', [IT], { ...listens, elsewhere: seen }, 'other-project'],
    [
      'a port, below a recorded process',
      [{ pid: 150 }, { ...IT, ppid: 150 }],
      { ...listens, elsewhere: recorded(150) },
      'other-project',
    ],
    ['a port, in a group', [{ ...IT, controlGroup: `/${THEIRS}/bb22` }], listens, 'other-project'],
    [
      'a port, in a nested group',
      [{ ...IT, controlGroup: NESTED_GROUP }],
      listens,
      'other-project',
    ],
    ['a port, in our group', [{ ...IT, controlGroup: OWN_GROUP }], listens, 'ours'],
    [
      'our leader, recorded',
      [IT],
      { runs: [{ ...run, leader: identity(200) }], elsewhere: recorded() },
      'ours',
    ],
    [
      'our log, in a group',
      [{ ...IT, files: LOG, controlGroup: `/${THEIRS}/bb22` }],
      { openFiles: NO_FILES },
      'in-doubt',
    ],
    ['an orphan of ours', [...living, ORPHAN], {}, 'ours'],
    ['an orphan, recorded', [...living, ORPHAN], { elsewhere: recorded() }, 'other-project'],
    ['an orphan, seen', [...living, ORPHAN], { elsewhere: seen }, 'other-project'],
    [
      'an orphan in a nested group',
      [...living, { ...ORPHAN, controlGroup: NESTED_GROUP }],
      {},
      'other-project',
    ],
    [
      'an orphan in a nested group that our ledger names',
      [...living, { ...ORPHAN, controlGroup: NESTED_GROUP }],
      { witnessed: ledger },
      'other-project',
    ],
    [
      'an orphan in a group, of us who make none',
      [...living, { ...ORPHAN, controlGroup: `/${THEIRS}/bb22` }],
      {},
      'in-doubt',
    ],
    [
      'an orphan in the group that all of us are in',
      [...living, ORPHAN].map((row) => ({ ...row, controlGroup: `/${THEIRS}/bb22` })),
      {},
      'ours',
    ],
    [
      'an orphan in a group with the name of our old path',
      [...living, { ...ORPHAN, controlGroup: `/${THEIRS}/aa11` }],
      {},
      'ours',
    ],
    [
      'our ledger, in the group that we were started in',
      [{ ...IT, controlGroup: `/${THEIRS}/bb22` }],
      { witnessed: ledger },
      'ours',
    ],
    ['our ledger, recorded', [IT], { witnessed: ledger, elsewhere: recorded() }, 'other-project'],
    ['our ledger, seen', [IT], { witnessed: ledger, elsewhere: seen }, 'in-doubt'],
    [
      'an orphan that our ledger names, seen',
      [...living, ORPHAN],
      { witnessed: ledger, elsewhere: seen },
      'in-doubt',
    ],
    [
      'in our group, recorded',
      [{ ...IT, controlGroup: OWN_GROUP }],
      { groups: group([200]), elsewhere: recorded() },
      'other-project',
    ],
  ])('%s', (_name, rows, over, expected) => {
    expect(verdict(rows, over)).toBe(expected);
  });
});

test('beside a recorded process of another project nobody can tell whose an orphan without a group is', () => {
  const rows = [...living, ORPHAN, { ...ORPHAN, pid: 201 }];
  expect(verdict(rows, { elsewhere: recorded() }, 201)).toBe('in-doubt');
  const inGroup = [...living, ORPHAN, { ...ORPHAN, pid: 201, controlGroup: OWN_GROUP }];
  expect(verdict(inGroup, { elsewhere: recorded(), groups: group([201]) }, 201)).toBe('ours');
});

describe('at the end of devctl run', () => {
  const oneOff = {
    ...run,
    service: 'run-sh',
    oneOff: { terminal: false },
    subreaper: true,
    supervisor: identity(60),
  };
  const parent: Row = { pid: 60, argv: 'node /x/bin/devctl.js run -- sh', cwd: ROOT };
  test.each<[string, Partial<Row>, Partial<OwnershipFacts>, string]>([
    ['an orphan', {}, {}, 'ours'],
    ['recorded', {}, { elsewhere: recorded() }, 'other-project'],
    ['in a nested group', { controlGroup: NESTED_GROUP }, {}, 'other-project'],
  ])('%s', (_name, row, over, expected) => {
    const rows = [parent, { ...IT, ppid: 60, ...row }];
    expect(verdict(rows, { runs: [oneOff], ...over })).toBe(expected);
  });
});

test.each<[string, Partial<OwnershipFacts>, string]>([
  ['of nobody', {}, 'swept'],
  ['recorded', { elsewhere: recorded() }, 'other-project'],
  ['seen', { elsewhere: seen }, 'other-project'],
])('the sweep of a dev tool: %s', (_name, over, expected) => {
  const rows = [SELF, { ...IT, argv: 'node /home/me/app/node_modules/vite/bin/vite.js' }];
  const rules = { patterns: [], protect: [], scope: 'project' } as const;
  const { claims, spared } = sweepClaims(factsOf(over), snapshotOf(rows), rules);
  const veto = spared.find(({ process }) => process.identity.pid === 200)?.veto.kind;
  expect(claims.has(200) ? 'swept' : veto).toBe(expected);
});
