import { describe, expect, test } from 'vitest';
import type { OwnershipFacts } from '../../src/ownership/claim.ts';
import { claimProcesses } from '../../src/ownership/claims.ts';
import { guardCookie, serviceCookie, supervisorCookie } from '../../src/ownership/cookie.ts';
import { marksOf, projectOf } from '../support/marks.ts';
import { identity, type Row, snapshotOf } from '../support/process-table.ts';

const ROOT = '/home/me/app';
const RUN = { service: 'web', runId: 'aa11', intentTicks: 90, pidNamespace: 'pid:[1]' };
const run = { ...RUN, bootId: 'boot-1', leader: identity(100) };
const OURS = serviceCookie(marksOf('app'), 'web', 'aa11');
const THEIRS = serviceCookie(marksOf('other'), 'web', 'bb22');

function facts(over: Partial<OwnershipFacts> = {}): OwnershipFacts {
  return {
    project: projectOf('app', ROOT),
    root: ROOT,
    self: identity(21),
    supervisor: null,
    runs: [run],
    witnessed: [],
    legacyPids: [],
    ...over,
  };
}

const SHELL: Row = { pid: 20, name: 'bash', cwd: ROOT };
const SELF: Row = { pid: 21, ppid: 20, pgid: 21, sid: 20, ticks: 900_000, cwd: ROOT };
const LEADER: Row = { pid: 100, environ: OURS };

function claimed(rows: readonly Row[], over: Partial<OwnershipFacts> = {}): readonly number[] {
  return [...claimProcesses(facts(over), snapshotOf([SHELL, SELF, ...rows])).claims.keys()].sort(
    (a, b) => a - b,
  );
}

type Story = readonly [
  name: string,
  rows: readonly Row[],
  expected: readonly number[],
  over?: Partial<OwnershipFacts>,
];

function tell(stories: readonly Story[]): void {
  for (const [name, rows, expected, over] of stories) {
    test(name, () => expect(claimed(rows, over)).toEqual(expected));
  }
}

describe('leader', () => {
  tell([
    ['the recorded process', [{ pid: 100 }], [100]],
    ['another process with its number (E25)', [{ pid: 100, ticks: 500 }], []],
    [
      'a record of another boot',
      [{ pid: 100 }],
      [],
      { runs: [{ ...run, leader: identity(100, 100, 'b0') }] },
    ],
    [
      'of another PID namespace',
      [{ pid: 100 }],
      [],
      { runs: [{ ...run, leader: { ...identity(100), pidNamespace: 'pid:[9]' } }] },
    ],
    ['a record that names a process that leads no session', [{ pid: 100, pgid: 20, sid: 20 }], []],
    [
      'a record that names a process older than the run',
      [{ pid: 50 }],
      [],
      {
        runs: [{ ...run, leader: identity(50) }],
      },
    ],
    ['a zombie', [{ pid: 100, state: 'Z' }], []],
    ['a zombie with living threads (E22)', [{ pid: 100, state: 'Z', threads: 3 }], [100]],
    ['session unknown (macOS)', [{ pid: 100, sid: 0 }], [100]],
    ['a record with pid 1 (E27)', [], [], { runs: [{ ...run, leader: identity(1, 0) }] }],
    [
      'a record with pid 0 (E27)',
      [{ pid: 30, pgid: 0, sid: 0 }],
      [],
      {
        runs: [{ ...run, leader: identity(0, 0) }],
      },
    ],
    [
      'an intent without a spawn, found by its cookie (E34)',
      [{ ...LEADER, pid: 150 }],
      [150],
      {
        runs: [{ ...run, leader: null }],
      },
    ],
  ]);
});

describe('descendant', () => {
  tell([
    ['any generation', [LEADER, { pid: 101, ppid: 100 }, { pid: 102, ppid: 101 }], [100, 101, 102]],
    ["a child older than its parent is another process's", [LEADER, { pid: 99, ppid: 100 }], [100]],
    [
      'of a zombie leader with threads',
      [
        { pid: 100, state: 'Z', threads: 2 },
        { pid: 101, ppid: 100 },
      ],
      [100, 101],
    ],
    ['a zombie child is gone', [LEADER, { pid: 101, ppid: 100, state: 'Z' }], [100]],
    [
      'below the guard of a supervisor that has died',
      [
        { pid: 94, environ: guardCookie(marksOf('app')) },
        { pid: 140, ppid: 94, environ: '' },
        { pid: 141, ppid: 140, environ: '' },
      ],
      [140, 141],
    ],
    [
      'not the supervisor below a guard, nor the guard of another supervisor',
      [
        LEADER,
        { pid: 101, ppid: 100, environ: guardCookie(marksOf('app')) },
        { pid: 102, ppid: 101, environ: supervisorCookie(marksOf('app')) },
        { pid: 103, ppid: 101, environ: guardCookie(marksOf('app')) },
      ],
      [100],
    ],
    [
      "not below another project's guard",
      [
        { pid: 94, environ: guardCookie(marksOf('other')) },
        { pid: 140, ppid: 94, environ: '' },
      ],
      [],
    ],
    [
      'orphans that may be of a nested project without a guard are left alone',
      [
        { pid: 94, environ: guardCookie(marksOf('app')) },
        { pid: 140, ppid: 94, environ: '' },
        { pid: 141, ppid: 94, environ: serviceCookie(marksOf('other'), 'web', 'bb22') },
        { pid: 142, ppid: 94, environ: serviceCookie(marksOf('app'), 'web', 'aa11') },
      ],
      [142],
    ],
    [
      'with a nested project below its own guard: orphans that come to us are ours',
      [
        { pid: 94, environ: guardCookie(marksOf('app')) },
        { pid: 140, ppid: 94, environ: '' },
        { pid: 141, ppid: 94, name: 'sleep', environ: guardCookie(marksOf('other')) },
        { pid: 142, ppid: 141, environ: supervisorCookie(marksOf('other')) },
        { pid: 143, ppid: 142, environ: '' },
      ],
      [140],
    ],
    [
      'with a nested project without a guard, inside a third project with one: left alone',
      [
        { pid: 93, name: 'sleep', environ: guardCookie(marksOf('third')) },
        { pid: 94, ppid: 93, environ: guardCookie(marksOf('app')) },
        { pid: 140, ppid: 94, environ: '' },
        { pid: 141, ppid: 94, environ: serviceCookie(marksOf('other'), 'web', 'bb22') },
      ],
      [],
    ],
    [
      'with a nested project whose guard is just starting: left alone',
      [
        { pid: 94, environ: guardCookie(marksOf('app')) },
        { pid: 140, ppid: 94, environ: '' },
        { pid: 141, ppid: 94, name: 'node', environ: guardCookie(marksOf('other')) },
      ],
      [],
    ],
    ["of process 1: nobody's", [LEADER, { pid: 101, ppid: 1 }], [100]],
    [
      'an orphan below the supervisor that cleared its environment',
      [
        { pid: 95, environ: supervisorCookie(marksOf('app')) },
        { pid: 140, ppid: 95, environ: '' },
      ],
      [140],
      { supervisor: identity(95) },
    ],
    [
      'an orphan below a supervisor with another project below it',
      [
        { pid: 95, environ: supervisorCookie(marksOf('app')) },
        { pid: 120, ppid: 95, environ: serviceCookie(marksOf('theirs'), 'web', 'cc33') },
        { pid: 140, ppid: 95, environ: '' },
        { pid: 141, ppid: 140, environ: '' },
        { pid: 150, ppid: 95, environ: OURS },
        { pid: 160, ppid: 95, environ: '' },
      ],
      [150, 160],
      {
        supervisor: identity(95),
        witnessed: [{ service: 'web', runId: 'aa11', identity: identity(160) }],
      },
    ],
    [
      'a child of a supervisor that only its cookie shows',
      [
        { pid: 95, environ: supervisorCookie(marksOf('app')) },
        { pid: 140, ppid: 95 },
      ],
      [140],
      { runs: [] },
    ],
    [
      'a child of another process with the number of the supervisor',
      [
        { pid: 95, ticks: 500 },
        { pid: 540, ppid: 95 },
      ],
      [],
      {
        supervisor: identity(95),
      },
    ],
  ]);
});

describe('session and group', () => {
  const member: Row = { pid: 140, pgid: 140, sid: 100, cwd: ROOT };
  const elsewhere: Row = { ...member, cwd: '/tmp' };
  const old = { ...run, bootId: 'b0', leader: identity(100, 100, 'b0') };
  const grouped: Row = { pid: 140, pgid: 100, sid: 100, cwd: ROOT };
  tell([
    ['in the session of a living leader', [LEADER, elsewhere], [100, 140]],
    ['in the group of a living leader', [LEADER, { ...grouped, cwd: '/tmp' }], [100, 140]],
    ['leaderless session, working in the project', [member], [140]],
    ['leaderless group, working in the project', [grouped], [140]],
    ['leaderless session, working elsewhere', [elsewhere], []],
    ['leaderless group of another session: recycled', [{ ...grouped, sid: 7 }], []],
    [
      'leaderless session, working in the project, with an environment that is not ours',
      [{ ...member, environ: { PATH: '/bin' } }],
      [],
    ],
    [
      'leaderless session, in a folder whose name begins like ours',
      [{ ...member, cwd: '/home/me/app-2' }],
      [],
    ],
    ['leaderless session, cwd unreadable', [{ ...member, cwd: null }], []],
    [
      'leaderless session with a member that carries our cookie',
      [elsewhere, { pid: 141, sid: 100, cwd: '/tmp', environ: OURS }],
      [140, 141],
    ],
    [
      'leaderless session whose leader was seen a moment ago',
      [elsewhere],
      [140],
      {
        witnessed: [{ service: 'web', runId: 'aa11', identity: identity(100), fresh: true }],
      },
    ],
    ['recycled: the new leader is another process', [{ pid: 100, ticks: 500 }, member], []],
    ['recycled: a member is older than our leader', [member, { pid: 80, sid: 100 }], []],
    ['an unreaped zombie leader', [{ pid: 100, state: 'Z' }, member], [140]],
    [
      'of another boot',
      [member],
      [],
      {
        runs: [{ ...run, bootId: 'b0', leader: identity(100, 100, 'b0') }],
      },
    ],
    [
      'of another boot and of this one, with the same numbers',
      [member],
      [140],
      { runs: [old, run] },
    ],
    [
      'of a witnessed process that led a session',
      [{ pid: 150, sid: 120, cwd: ROOT }],
      [150],
      {
        witnessed: [
          { service: 'web', runId: 'aa11', identity: identity(120), pgid: 120, sid: 120 },
        ],
      },
    ],
    [
      'of a witnessed process that led neither a session nor a group',
      [{ pid: 150, pgid: 120, cwd: ROOT }],
      [],
      {
        witnessed: [
          { service: 'web', runId: 'aa11', identity: identity(120), pgid: 100, sid: 100 },
        ],
      },
    ],
    [
      'groups and sessions 0 and 1 (E27)',
      [{ pid: 150, pgid: 1, sid: 1, cwd: ROOT }],
      [],
      {
        runs: [
          { ...run, leader: identity(1, 0) },
          { ...run, leader: identity(0, 0) },
        ],
      },
    ],
    [
      'the session of a witnessed process that another project started',
      [
        { pid: 101, environ: THEIRS },
        { ...member, sid: 101, environ: '' },
      ],
      [],
      { witnessed: [{ service: 'web', runId: 'aa11', identity: identity(101), fresh: true }] },
    ],
  ]);
});

describe('ledger', () => {
  const seen = { service: 'web', runId: 'aa11', identity: identity(130) };
  tell([
    ['witnessed', [{ pid: 130 }], [130], { witnessed: [seen] }],
    ['another process with its number', [{ pid: 130, ticks: 500 }], [], { witnessed: [seen] }],
    [
      'on another boot',
      [{ pid: 130 }],
      [],
      {
        witnessed: [{ ...seen, identity: identity(130, 130, 'b0') }],
      },
    ],
    [
      'its children too',
      [{ pid: 130 }, { pid: 131, ppid: 130 }],
      [130, 131],
      { witnessed: [seen] },
    ],
  ]);
});

describe('cookie', () => {
  const carried = Object.fromEntries(
    Object.entries(OURS).filter(([name]) => name.startsWith('TURBO_')),
  );
  tell([
    ['a cookie without any record', [{ pid: 150, environ: OURS }], [150], { runs: [] }],
    [
      'only the variables that turbo lets through',
      [{ pid: 150, environ: carried }],
      [150],
      { runs: [] },
    ],
    [
      "our project as the beginning of another's",
      [{ pid: 150, environ: { DEVCTL_PROJECT: 'app-2' } }],
      [],
    ],
    ["another's as the beginning of ours", [{ pid: 150, environ: { DEVCTL_PROJECT: 'ap' } }], []],
    ['as the end of another name (E26)', [{ pid: 150, environ: { MY_DEVCTL_PROJECT: 'app' } }], []],
    ['inside another value', [{ pid: 150, environ: { ARGS: 'x DEVCTL_PROJECT=app' } }], []],
    ['cut short, without its NUL', [{ pid: 150, environ: 'A=1\0DEVCTL_PROJECT=app' }], []],
    [
      'two names that disagree',
      [{ pid: 150, environ: { ...OURS, TURBO_DEVCTL_PROJECT: 'other' } }],
      [],
    ],
    ['older than the run that it names', [{ pid: 80, environ: OURS }], []],
    [
      'older than a run of another boot with that name',
      [{ pid: 80, environ: OURS }],
      [80],
      {
        runs: [{ ...run, bootId: 'b0', intentTicks: 50_000, leader: null }],
      },
    ],
    [
      'a value set to nothing names no project',
      [LEADER, { pid: 150, ppid: 100, environ: { DEVCTL_PROJECT: '' } }],
      [100, 150],
    ],
  ]);
});

describe('vetoes', () => {
  const below = (row: Row): Row => ({ ppid: 100, pgid: 100, sid: 100, ...row });
  tell([
    [
      "another project's cookie, below our service",
      [LEADER, below({ pid: 101, environ: THEIRS })],
      [100],
    ],
    [
      "another project's supervisor below our service, and its children without a cookie (E35)",
      [
        LEADER,
        below({ pid: 101, pgid: 101, sid: 101, environ: supervisorCookie(marksOf('other')) }),
        { pid: 102, ppid: 101, environ: '' },
        { pid: 103, ppid: 102, pgid: 102, sid: 102 },
      ],
      [100],
    ],
    [
      'devctl itself and its ancestors, inside our own service (E33)',
      [
        LEADER,
        below({ pid: 110 }),
        { pid: 120, ppid: 110, pgid: 100, sid: 100, environ: OURS },
        below({ pid: 130 }),
      ],
      [130],
      { self: identity(120) },
    ],
    [
      'a process that devctl has started',
      [
        LEADER,
        { pid: 120, ppid: 1, sid: 100, environ: OURS },
        { pid: 121, ppid: 120, sid: 100, environ: OURS },
      ],
      [100],
      { self: identity(120) },
    ],
    [
      'not the supervisor that devctl has started, nor its descendants',
      [
        { pid: 120, ppid: 20 },
        { pid: 121, ppid: 120, environ: supervisorCookie(marksOf('app')) },
        { pid: 122, ppid: 121 },
      ],
      [122],
      { self: identity(120), runs: [] },
    ],
    [
      'a supervisor that stops its own services',
      [
        { pid: 95, environ: supervisorCookie(marksOf('app')) },
        { pid: 100, ppid: 95 },
      ],
      [100],
      { self: identity(95), supervisor: identity(95) },
    ],
    [
      'kernel threads and process 1',
      [
        { pid: 1, ppid: 0, ticks: 200, environ: OURS },
        { pid: 2, ppid: 0, pgid: 0, sid: 0, ticks: 200, kernelThread: true, environ: OURS },
      ],
      [],
    ],
    [
      'a process older than the run, in its session',
      [
        { pid: 100, environ: OURS },
        { pid: 80, ticks: 80, sid: 100 },
      ],
      [100],
    ],
  ]);

  test('a process witnessed first without a service and then with one belongs to the service', () => {
    const seen = { identity: identity(140) };
    for (const reversed of [false, true]) {
      const witnessed = [
        { ...seen, service: null, runId: null },
        { ...seen, service: 'web', runId: 'aa11' },
      ];
      const over = { witnessed: reversed ? witnessed.reverse() : witnessed };
      const { claims } = claimProcesses(facts(over), snapshotOf([SHELL, SELF, { pid: 140 }]));
      expect(claims.get(140)).toMatchObject({ service: 'web', runId: 'aa11' });
    }
  });

  test('a supervisor below its guard is not reported as spared, even beside a nested project', () => {
    const rows: Row[] = [
      { pid: 94, environ: guardCookie(marksOf('app')) },
      { pid: 95, ppid: 94, environ: supervisorCookie(marksOf('app')) },
      { pid: 141, ppid: 95, environ: serviceCookie(marksOf('other'), 'web', 'bb22') },
      { pid: 142, ppid: 95, environ: '' },
    ];
    const { spared, supervisors } = claimProcesses(facts(), snapshotOf([SHELL, SELF, ...rows]));
    expect(supervisors.map(({ identity: { pid } }) => pid)).toEqual([95]);
    expect(spared.map(({ process }) => process.identity.pid)).toEqual([141, 142]);
  });

  test('a supervisor in the control group of a run that it begins is not reported as spared', () => {
    const path = '/devctl-1/aa11';
    const group = { folder: `/cgroup${path}`, path, runId: 'aa11', service: 'web' };
    const rows: Row[] = [
      { pid: 85, environ: supervisorCookie(marksOf('app')), controlGroup: path },
      { pid: 100, ppid: 85, environ: OURS, controlGroup: path },
    ];
    const groups = [{ ...group, pids: new Set([85, 100]) }];
    const table = snapshotOf([SHELL, SELF, ...rows]);
    const { claims, spared, supervisors } = claimProcesses(facts({ groups }), table);
    expect(supervisors.map(({ identity: { pid } }) => pid)).toEqual([85]);
    expect([...claims.keys()]).toEqual([100]);
    expect(spared).toEqual([]);
  });

  test('devctl run in the control group of its own run is not reported as spared', () => {
    const path = '/devctl-1/aa11';
    const group = { folder: `/cgroup${path}`, path, runId: 'aa11', service: 'web' };
    const oneOff = { name: 'web', terminal: false };
    const held = { ...run, oneOff: true, supervisor: identity(85), subreaper: true };
    const argv = 'node /x/bin/devctl.js run -- true';
    const rows: Row[] = [
      { pid: 85, argv, controlGroup: path },
      { pid: 100, ppid: 85, environ: OURS, controlGroup: path },
    ];
    const groups = [{ ...group, pids: new Set([85, 100]) }];
    const over = { groups, runs: [{ ...held, oneOff }] };
    const { claims, spared } = claimProcesses(
      facts(over as Partial<OwnershipFacts>),
      snapshotOf([SHELL, SELF, ...rows]),
    );
    expect([...claims.keys()]).toEqual([100]);
    expect(spared).toEqual([]);
  });

  test('a supervisor that was started from inside a service may end the processes that started it', () => {
    const rows: Row[] = [
      LEADER,
      { pid: 110, ppid: 100, sid: 100, environ: OURS, name: 'devctl' },
      { pid: 120, ppid: 110, environ: guardCookie(marksOf('app')) },
      { pid: 130, ppid: 120, environ: supervisorCookie(marksOf('app')) },
    ];
    const asker = { self: identity(130) };
    const { claims, spared } = claimProcesses(facts(asker), snapshotOf([SHELL, ...rows]));
    expect([...claims.keys()].sort()).toEqual([100, 110]);
    expect(spared).toEqual([]);
  });

  test('a veto is reported with its reason, and no process is both claimed and spared', () => {
    const { claims, spared } = claimProcesses(
      facts(),
      snapshotOf([SHELL, SELF, LEADER, below({ pid: 101, environ: THEIRS })]),
    );
    expect(spared.map(({ process, veto }) => [process.identity.pid, veto.kind])).toEqual([
      [101, 'in-doubt'],
    ]);
    expect([...claims.keys()]).toEqual([100]);
  });
});

test('doubt outweighs a veto that weak evidence met before', () => {
  const target = `${ROOT}/.pids/logs/web.log`;
  const files = [{ fd: 1, target, readable: false, writable: true, appends: true }];
  const openFiles = {
    logs: new Map([[target, 'web']]),
    logsFolder: `${ROOT}/.pids/logs`,
    stdinFolder: '/none',
    listening: [],
    forced: false,
  };
  const { spared } = claimProcesses(
    facts({ openFiles }),
    snapshotOf([SHELL, SELF, LEADER, { pid: 101, ppid: 100, environ: THEIRS, files }]),
  );
  expect(spared.map(({ evidence, veto }) => [evidence.map(({ kind }) => kind), veto.kind])).toEqual(
    [[expect.arrayContaining(['output', 'descendant']), 'in-doubt']],
  );
});

describe('the recorded supervisor (a file that anyone may edit)', () => {
  const argv = `node /x/dist/supervisor/main.js ${ROOT} ${ROOT}/.pids`;
  test.each<[name: string, row: Row, expected: readonly number[]]>([
    ['with our cookie', { pid: 95, environ: supervisorCookie(marksOf('app')) }, [95]],
    ['a stranger', { pid: 95, environ: { HOME: '/' } }, []],
    ['a stranger in the project', { pid: 95, environ: {}, argv: 'node server.js', cwd: ROOT }, []],
    ['a service of ours', { pid: 95, environ: OURS }, []],
    ["another project's supervisor", { pid: 95, environ: supervisorCookie(marksOf('other')) }, []],
    ['its command line, but an environment that says nothing', { pid: 95, argv }, []],
    ['environment unreadable, our command line', { pid: 95, environ: null, argv }, [95]],
    ['environment unreadable, another command line', { pid: 95, environ: null }, []],
    [
      'environment unreadable, the command line of another project',
      { pid: 95, environ: null, argv: `node /x/dist/supervisor/main.js ${ROOT}-2 /p` },
      [],
    ],
    ["a person's shell above devctl", { pid: 20, name: 'bash', environ: null, argv }, []],
    ['devctl itself, which is the supervisor', { pid: 21, ppid: 20, environ: null }, [21]],
  ])('%s', (_name, row, expected) => {
    const rows = [SHELL, SELF].filter(({ pid }) => pid !== row.pid);
    const supervisor = identity(row.pid, row.ticks);
    const child: Row = { pid: 950_000, ppid: row.pid, environ: null };
    const { claims, supervisors } = claimProcesses(
      facts({ supervisor, runs: [] }),
      snapshotOf([...rows, row, ...(row.pid === 95 ? [child] : [])]),
    );
    expect(supervisors.map(({ identity: { pid } }) => pid)).toEqual(expected);
    if (row.pid === 95) expect([...claims.keys()].includes(95)).toBe(row.environ === OURS);
    if (row.pid === 95)
      expect(claims.has(950_000)).toBe(expected.length > 0 || row.environ === OURS);
  });
});

test('where devctl is process 1, the orphans of its dead supervisor are not its tools', () => {
  const rows: Row[] = [
    { pid: 1, ppid: 0 },
    { pid: 100, ppid: 1 },
    { pid: 101, ppid: 100 },
    { pid: 102, ppid: 1, environ: OURS },
  ];
  const { claims, spared } = claimProcesses(facts({ self: identity(1) }), snapshotOf(rows));
  expect([...claims.keys()]).toEqual([100, 101]);
  const own = { process: { identity: { pid: 102 } }, veto: { kind: 'own-child' } };
  expect(spared).toMatchObject([own]);
});

describe('files of the old start-dev.sh', () => {
  const listed = { pid: 70, service: 'web', writtenTicks: 75 };
  const of = (kind: 'pid' | 'group') => ({ legacyPids: [{ ...listed, kind }] });
  const inGroup: Row = { pid: 72, pgid: 70, sid: 7, cwd: ROOT };
  tell([
    [
      'a listed pid, working in the project',
      [{ pid: 70, cwd: ROOT }],
      [70],
      {
        legacyPids: [listed],
      },
    ],
    ['working elsewhere', [{ pid: 70, cwd: '/home/me' }], [], { legacyPids: [listed] }],
    [
      'started after the file was written',
      [{ pid: 70, ticks: 80, cwd: ROOT }],
      [],
      {
        legacyPids: [listed],
      },
    ],
    ['the shell that runs devctl', [], [], { legacyPids: [{ ...listed, pid: 20 }] }],
    [
      'other processes of the shell that runs devctl',
      [
        { pid: 30, ppid: 20, sid: 20, cwd: ROOT },
        { pid: 31, ppid: 20, cwd: ROOT },
        { pid: 32, ppid: 1, pgid: 20, cwd: ROOT },
      ],
      [],
      { legacyPids: [{ ...listed, pid: 20, writtenTicks: 950 }] },
    ],
    ['the script of a service', [{ pid: 70, argv: 'sh run.sh', cwd: ROOT }], [70], of('pid')],
    [
      'a number that the records know as another process',
      [{ pid: 100, ticks: 120, cwd: ROOT }],
      [],
      { legacyPids: [{ ...listed, pid: 100, writtenTicks: 900 }] },
    ],
    ["a person's shell", [{ pid: 70, argv: '-bash', cwd: ROOT }], [], of('pid')],
    ['an editor', [{ pid: 70, argv: 'vim x.ts', cwd: ROOT }], [], of('pid')],
    [
      'an editor that was witnessed as ours',
      [{ pid: 70, argv: 'vim x.ts', cwd: ROOT }],
      [70],
      { ...of('pid'), witnessed: [{ service: 'web', runId: null, identity: identity(70) }] },
    ],
    ['a group whose leader has died', [inGroup], [72], of('group')],
    ['with its leader not yet reaped', [{ pid: 70, state: 'Z' }, inGroup], [72], of('group')],
    ['its leader and its members', [{ pid: 70, cwd: ROOT }, inGroup], [70, 72], of('group')],
    ['a group working elsewhere', [{ ...inGroup, cwd: '/home/me' }], [], of('group')],
    ['a group that began later', [{ ...inGroup, ticks: 80 }], [], of('group')],
    ['an editor in a group', [{ ...inGroup, argv: 'vim x.ts' }], [], of('group')],
    [
      'a group with a new leader',
      [
        { pid: 70, ticks: 80, cwd: ROOT },
        { ...inGroup, ticks: 81 },
      ],
      [],
      of('group'),
    ],
    ['a number that names no group', [inGroup], [], of('pid')],
  ]);
});

describe('stale records', () => {
  test.each([
    ["the number is a stranger's", [{ pid: 100, ticks: 500 }], run, 'pid-reused'],
    ['another boot', [], { ...run, bootId: 'b0' }, 'before-boot'],
    ['another namespace', [], { ...run, pidNamespace: 'pid:[9]' }, 'other-namespace'],
    ['a leader that has ended is no stale record', [], run, undefined],
  ])('%s', (_name, rows, record, kind) => {
    const { stale } = claimProcesses(facts({ runs: [record] }), snapshotOf([...rows]));
    expect(stale[0]?.kind).toBe(kind);
  });
});

describe('a number in a record that cannot be compared', () => {
  const portable = { ...identity(100), pidNamespace: 'portable' };
  const unreadable = { ...run, pidNamespace: 'portable', leader: portable };
  const entry = { service: 'web', runId: 'aa11', identity: portable };
  test.each<[string, Row[], Partial<OwnershipFacts>, string | undefined]>([
    ['of a leader', [{ pid: 100 }], { runs: [unreadable] }, 'in-doubt'],
    ['of the ledger', [{ pid: 100 }], { runs: [], witnessed: [entry] }, 'in-doubt'],
    ['that nobody has', [], { runs: [unreadable] }, undefined],
    ['of a zombie', [{ pid: 100, state: 'Z' }], { runs: [unreadable] }, undefined],
    [
      'of another boot',
      [{ pid: 100 }],
      { runs: [{ ...unreadable, bootId: 'b0', leader: { ...portable, bootId: 'b0' } }] },
      undefined,
    ],
  ])('%s', (_name, rows, over, veto) => {
    const { spared, claims } = claimProcesses(facts(over), snapshotOf([SHELL, SELF, ...rows]));
    expect(spared.map((one) => one.veto.kind)).toEqual(veto ? [veto] : []);
    expect(spared.map(({ service }) => service)).toEqual(veto ? ['web'] : []);
    expect(claims.size).toBe(0);
  });

  test('that our mark shows to be ours', () => {
    const rows = [SHELL, SELF, { pid: 100, environ: OURS }];
    const found = claimProcesses(facts({ runs: [unreadable] }), snapshotOf(rows));
    expect([[...found.claims.keys()], found.spared]).toEqual([[100], []]);
  });
});

test('each claim names its service and all its evidence, strongest first', () => {
  const { claims } = claimProcesses(
    facts({ witnessed: [{ service: 'web', runId: 'aa11', identity: identity(101) }] }),
    snapshotOf([SHELL, SELF, LEADER, { pid: 101, ppid: 100, pgid: 100, sid: 100, environ: OURS }]),
  );
  const claim = claims.get(101);
  expect(claim?.service).toBe('web');
  expect(claim?.evidence.map(({ kind }) => kind)).toEqual([
    'ledger',
    'cookie',
    'session',
    'group',
    'descendant',
  ]);
});

describe('an unmarked process in a control group that only its name ties to us', () => {
  const path = '/devctl-0123456789abcdef/bb22';
  const group = { folder: path, path, runId: 'bb22', service: null, pids: new Set([300]) };
  const over = {
    project: { ...projectOf('app', ROOT), id: 'a'.repeat(16) },
    groups: [group],
  };
  const supervisor: Row = {
    pid: 299,
    environ: supervisorCookie({ mark: 'app', id: `${'b'.repeat(16)}-12345678` }),
    argv: `node /devctl/dist/supervisor/main.js ${ROOT}`,
  };
  const child: Row = { pid: 300, ppid: 299, controlGroup: path };
  tell([
    ['a child of the supervisor of another manifest', [supervisor, child], [], over],
    ['a child of nobody', [{ ...child, ppid: 1 }], [300], over],
  ]);
});
