import { describe, expect, test } from 'vitest';
import type { OpenFileEvidence, OwnershipFacts } from '../../src/ownership/claim.ts';
import { claimProcesses } from '../../src/ownership/claims.ts';
import { serviceCookie, supervisorCookie } from '../../src/ownership/cookie.ts';
import type { OpenFile } from '../../src/processes/snapshot.ts';
import { marksOf, projectOf } from '../support/marks.ts';
import { identity, type Row, snapshotOf } from '../support/process-table.ts';

const ROOT = '/home/me/app';
const LOG = `${ROOT}/.pids/logs/web.log`;
const FIFO = `${ROOT}/.pids/stdin/web`;
const ELSEWHERE = '/var/log/app/api.log';

const TRACES: OpenFileEvidence = {
  logs: new Map([
    [LOG, 'web'],
    [ELSEWHERE, 'api'],
  ]),
  logsFolder: `${ROOT}/.pids/logs`,
  stdinFolder: `${ROOT}/.pids/stdin`,
  listening: [],
  forced: false,
};
const BLANK: OpenFileEvidence = { ...TRACES, logs: new Map() };
const RUN = {
  service: 'web',
  runId: 'aa11',
  bootId: 'boot-1',
  pidNamespace: 'pid:[1]',
  intentTicks: 90,
  leader: null,
};

/** A run whose terminal is held by process 95. */
const ON_TERMINAL = {
  ...RUN,
  terminal: { holder: identity(95, 95), session: identity(96, 95), path: '/dev/pts/3' },
};

const WRITES = { readable: false, writable: true };
/** Descriptors as the launcher opens them. */
const log = (target = LOG): OpenFile => ({ fd: 1, target, ...WRITES, appends: true });
const fifo = (target = FIFO): OpenFile => {
  return { fd: 0, target, readable: true, writable: true, appends: false };
};
/** The terminal of `ON_TERMINAL`. */
const onTerminal: OpenFile = {
  fd: 0,
  target: '/dev/pts/3',
  readable: true,
  writable: true,
  appends: false,
};
/** A descriptor that a service opened again with `>/dev/stdout`. */
const reopened: OpenFile = { fd: 5, target: LOG, ...WRITES, appends: false };

const SHELL: Row = { pid: 20, name: 'bash', argv: '-bash', cwd: ROOT };
const SELF: Row = { pid: 21, ppid: 20, pgid: 21, sid: 20, ticks: 900_000, cwd: ROOT };

function claims(rows: readonly Row[], over: Partial<OwnershipFacts> = {}) {
  const facts: OwnershipFacts = {
    project: projectOf('app'),
    root: ROOT,
    self: identity(21, 900_000),
    supervisor: null,
    runs: [],
    witnessed: [],
    legacyPids: [],
    openFiles: TRACES,
    ...over,
  };
  return claimProcesses(facts, snapshotOf([SHELL, SELF, ...rows]));
}

function claimed(rows: readonly Row[], over?: Partial<OwnershipFacts>): readonly number[] {
  return [...claims(rows, over).claims.keys()].sort((a, b) => a - b);
}

/** A daemon whose only tie to us is a descriptor. */
const daemon = (files: readonly OpenFile[], more: Partial<Row> = {}): Row => {
  return { pid: 100, cwd: '/', files, ...more };
};

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

describe('output', () => {
  tell([
    ['the log, opened for appending', [daemon([log()])], [100]],
    ['the FIFO, opened for reading and writing', [daemon([fifo()])], [100]],
    ['the log of a service in another folder', [daemon([log(ELSEWHERE)])], [100]],
    ['a log that was removed', [daemon([log(`${LOG} (deleted)`)])], [100]],
    ['a FIFO that was removed', [daemon([fifo(`${FIFO} (deleted)`)])], [100]],
    ['without records: a log in the logs folder', [daemon([log()])], [100], { openFiles: BLANK }],
    [
      'without records: a FIFO in the stdin folder',
      [daemon([fifo()])],
      [100],
      { openFiles: BLANK },
    ],
    [
      'without records: a log that was removed',
      [daemon([log(`${LOG} (deleted)`)])],
      [100],
      { openFiles: BLANK },
    ],
    [
      'without records: a log in another folder',
      [daemon([log(ELSEWHERE)])],
      [],
      { openFiles: BLANK },
    ],
    ['a log that was rotated by renaming', [daemon([log(`${LOG}.1`)])], [100]],
    ['a folder below the logs', [daemon([log(`${ROOT}/.pids/logs/x/web.log`)])], []],
    ["the supervisor's own log", [daemon([log(`${ROOT}/.pids/supervisor.log`)])], []],
    ['another file of the project', [daemon([log(`${ROOT}/web.log`)])], []],
    ['a log of the same name elsewhere', [daemon([log('/home/me/b/.pids/logs/web.log')])], []],
    [
      'a socket, a pipe and a device',
      [daemon([log('socket:[77]'), log('pipe:[78]'), log('/dev/null')])],
      [],
    ],
    ['a kernel thread', [daemon([log()], { kernelThread: true })], []],
    ['a zombie', [daemon([log()], { state: 'Z' })], []],
    ['process 1', [{ pid: 1, ppid: 0, ticks: 0, files: [log()] }], []],
    [
      'its children and its group are claimed too',
      [
        daemon([log()]),
        { pid: 101, ppid: 100, pgid: 100, sid: 100 },
        { pid: 102, ppid: 1, pgid: 100, sid: 100 },
      ],
      [100, 101, 102],
    ],
  ]);

  test('the evidence names the file and the service', () => {
    const two = daemon([log(), { ...log(), fd: 2 }, fifo()]);
    expect(claims([two], { runs: [RUN] }).claims.get(100)).toMatchObject({
      service: 'web',
      runId: 'aa11',
      evidence: [
        { kind: 'output', detail: 'writes to .pids/logs/web.log' },
        { kind: 'output', detail: 'holds .pids/stdin/web open' },
      ],
    });
    const names = (target: string) =>
      claims([daemon([log(target)])], { openFiles: BLANK }).claims.get(100)?.service;
    expect(names(`${ROOT}/.pids/logs/a.b-c.log (deleted)`)).toBe('a.b-c');
    expect(names(`${LOG}.1`)).toBe('web');
    expect(names(`${ROOT}/.pids/logs/.nfs0001`)).toBe(null);
    expect(names(`${ROOT}/.pids/logs/bad name.log`)).toBe(null);
  });
});

describe('a program that reads, types into or rewrites the output is not ours', () => {
  const reading: OpenFile = { ...log(), readable: true, writable: false, appends: false };
  const readsAndWrites: OpenFile = { ...reopened, readable: true };
  tell([
    ['tail -f', [daemon([reading], { argv: `tail -f ${LOG}`, cwd: ROOT })], []],
    ['any program that reads the log', [daemon([reading], { cwd: ROOT })], []],
    ['any program that reads the FIFO', [daemon([{ ...reading, target: FIFO }])], []],
    [
      'a program that types into the FIFO',
      [daemon([{ ...reopened, target: FIFO }], { cwd: ROOT })],
      [],
    ],
    ['logrotate, which opens it for reading and writing', [daemon([readsAndWrites])], []],
    [
      'a viewer that opens it for reading and writing',
      [daemon([readsAndWrites], { cwd: ROOT })],
      [],
    ],
    ['a service that opened /dev/stdout again', [daemon([reopened], { cwd: ROOT })], [100]],
    ['a service that opened /dev/stdout again and works elsewhere', [daemon([reopened])], []],
    ['flags unknown, working elsewhere', [daemon([{ ...log(), appends: null }])], []],
    [
      'flags unknown, working in the project',
      [daemon([{ ...log(), appends: null }], { cwd: `${ROOT}/web` })],
      [100],
    ],
    [
      'opened for reading, writing and appending: a descriptor of ours',
      [daemon([{ ...log(), readable: true }])],
      [100],
    ],
  ]);
});

describe('programs that a person works in are not ours', () => {
  const job = { ppid: 120, pgid: 100, sid: 120 };
  const bash: Row = { pid: 60, argv: 'bash', cwd: ROOT };
  tell([
    ['a shell that holds the log (exec 3>>log)', [daemon([log()], { argv: 'bash' })], []],
    ['a shell that holds the FIFO', [daemon([fifo()], { argv: '-zsh', cwd: ROOT })], []],
    ['an editor', [daemon([log()], { argv: `vim ${LOG}`, cwd: ROOT })], []],
    [
      "an agent's program under node",
      [daemon([log()], { argv: 'node /usr/bin/codex', cwd: ROOT })],
      [],
    ],
    [
      'a wrapper shell is ours',
      [daemon([log()], { argv: ['sh', '-c', 'while :; do x; done'] })],
      [100],
    ],
    ['a shell that runs a script is ours', [daemon([log()], { argv: 'bash run.sh' })], [100]],
    ["an editor's terminal", [daemon([log()], { argv: 'bash --init-file /x/vscode.sh' })], []],
    [
      'an interactive shell with options',
      [daemon([log()], { argv: 'bash -O extglob --rcfile /x/rc -i' })],
      [],
    ],
    [
      'an interactive shell with a command is ours',
      [daemon([log()], { argv: ['zsh', '-ic', 'x'] })],
      [100],
    ],
    [
      "a job of a person's shell (tool >>log)",
      [{ pid: 120, argv: 'bash', ticks: 60 }, daemon([log()], job)],
      [],
    ],
    [
      'a job of a script',
      [{ pid: 120, argv: 'bash run.sh', ticks: 60 }, daemon([log()], job)],
      [100],
    ],
    ...['/dev/pts/3', '/dev/tty', '/dev/tty1', '/dev/ttys004', '/dev/console'].map(
      (target): Story => {
        const terminal = { fd: 2, target, readable: true, writable: true, appends: false };
        const first = { argv: ['sh', '-c', 'bash -i'], sid: 100, cwd: ROOT };
        return [
          `the first command of a terminal that is ${target}, and what it runs`,
          [
            daemon([log(), terminal], first),
            { pid: 101, ppid: 100, pgid: 101, sid: 100, files: [terminal], cwd: ROOT },
          ],
          [],
        ];
      },
    ),
    [
      'a daemon that has nothing but the terminal of its service',
      [{ pid: 95, ticks: 95 }, daemon([onTerminal])],
      [95, 100],
      { runs: [ON_TERMINAL] },
    ],
    [
      'a program that writes to the terminal of a service, and is not on it',
      [{ pid: 95, ticks: 95 }, daemon([{ ...onTerminal, readable: false }])],
      [95],
      { runs: [ON_TERMINAL] },
    ],
    [
      'a program on the terminal of a person that has that number now',
      [daemon([onTerminal])],
      [],
      { runs: [ON_TERMINAL] },
    ],
    [
      'devctl attach, which has the terminal of a service and that of a person open',
      [{ pid: 95, ticks: 95 }, daemon([onTerminal, { ...onTerminal, target: '/dev/pts/4' }])],
      [95],
      { runs: [ON_TERMINAL] },
    ],
    [
      'a daemon on the terminal that devctl made for its service',
      [
        { pid: 95, ticks: 95 },
        daemon([log(), { ...log('/dev/pts/3'), fd: 2 }], { argv: 'sh -c bash', cwd: ROOT }),
      ],
      [95, 100],
      { runs: [ON_TERMINAL] },
    ],
    [
      'a daemon on the terminal of a person that has that number now',
      [daemon([log(), { ...log('/dev/pts/3'), fd: 2 }], { argv: 'sh -c bash', cwd: ROOT })],
      [],
      { runs: [ON_TERMINAL] },
    ],
    ['a daemon whose session has lost its leader', [daemon([log()], { ...job, ppid: 1 })], [100]],
    [
      'the helper of an editor',
      [{ pid: 70, argv: 'code --type=utility', cwd: ROOT }, daemon([log()], { ppid: 70 })],
      [],
    ],
    [
      'the child of a spared shell is not claimed for that',
      [
        { ...bash, files: [log()] },
        { pid: 101, ppid: 60, cwd: ROOT },
      ],
      [],
    ],
    [
      'a shell that is known to be ours',
      [daemon([log()], { argv: 'bash' })],
      [100],
      { witnessed: [{ service: 'web', runId: null, identity: identity(100) }] },
    ],
  ]);

  test('the other jobs of the shell that runs devctl are left alone, though the shell has the log open', () => {
    const shell: Row = { ...SHELL, files: [log()] };
    const other: Row = { pid: 130, ppid: 20, pgid: 130, sid: 20, cwd: ROOT };
    const runner: Row = { pid: 15, argv: 'node runner.js', cwd: ROOT, files: [log()] };
    expect(claimed([shell, other])).toEqual([]);
    // The same for an ancestor that is no shell.
    const below = { ...shell, ppid: 15 };
    expect(claimed([runner, below, other, { pid: 131, ppid: 15, cwd: ROOT }])).toEqual([]);
  });

  test('devctl and its tools are not claimed for a descriptor that they inherited from that shell', () => {
    const self = { ...SELF, files: [log()] };
    expect(claimed([self, { pid: 140, ppid: 21, files: [log()] }])).toEqual([]);
  });

  test('each spared process is reported with its reason', () => {
    const [spared] = claims([daemon([log()], { argv: 'vim x.log' })]).spared;
    expect(spared).toMatchObject({
      evidence: [{ kind: 'output' }],
      veto: { kind: 'protected', detail: 'vim is on the protected list' },
    });
  });
});

describe('vetoes', () => {
  const other = serviceCookie(marksOf('other'), 'web', 'bb22');
  const before = { pid: 80, cwd: ROOT, files: [log()] };
  tell([
    ["another project's cookie", [daemon([log()], { environ: other })], []],
    ['our own supervisor', [daemon([log()], { environ: supervisorCookie(marksOf('app')) })], []],
    [
      "below another project's service",
      [{ pid: 70, environ: other }, daemon([log()], { ppid: 70, cwd: ROOT })],
      [],
    ],
    ['older than the run: of an earlier run with that log', [before], [80], { runs: [RUN] }],
    [
      'older than the run, and reads the log',
      [{ ...before, files: [{ ...log(), readable: true, writable: false, appends: false }] }],
      [],
      { runs: [RUN] },
    ],
    ['older than a run that is not recorded', [before], [80]],
    [
      'the ticks of another boot cannot be compared',
      [before],
      [80],
      { runs: [{ ...RUN, bootId: 'b0' }] },
    ],
    [
      'older than the run, but with an earlier log open that was removed with its record',
      [{ ...before, files: [log(`${LOG} (deleted)`)] }],
      [80],
      { runs: [RUN] },
    ],
  ]);
});

describe('a log or a FIFO that another project uses as well', () => {
  const environ = serviceCookie(marksOf('other'), 'a', 'b');
  const holder: Row = { pid: 70, environ, files: [log()] };
  const ours: Row = { pid: 100, files: [log()] };
  const recorded = { ...RUN, leader: identity(60, 60) };
  test.each<[string, readonly Row[], Partial<OwnershipFacts>, string | null]>([
    ['a process with its mark writes to it', [holder, ours], {}, 'in-doubt'],
    [
      'to the part that was rotated away',
      [{ ...holder, files: [log(`${LOG}.1`)] }, ours],
      {},
      'in-doubt',
    ],
    [
      'holds the FIFO',
      [
        { ...holder, files: [fifo()] },
        { pid: 100, files: [fifo()] },
      ],
      {},
      'in-doubt',
    ],
    [
      'only reads it',
      [{ ...holder, files: [{ ...log(), writable: false, readable: true }] }, ours],
      {},
      null,
    ],
    ['writes to another log', [{ ...holder, files: [log(ELSEWHERE)] }, ours], {}, null],
    [
      'a service of ours that has read the mark from a file',
      [{ ...holder, pid: 60 }, ours],
      { runs: [{ ...recorded, intentTicks: 50 }] },
      null,
    ],
    [
      'its record names the log',
      [ours],
      { openFiles: { ...TRACES, logsElsewhere: new Set([LOG]) } },
      'in-doubt',
    ],
    [
      'its record names the process',
      [ours],
      { openFiles: { ...TRACES, namedElsewhere: new Set(['100:100']) } },
      'other-project',
    ],
    [
      'its records folder',
      [ours],
      { openFiles: { ...BLANK, logsFolder: null, stdinFolder: null } },
      'nothing',
    ],
  ])('%s', (_what, rows, over, veto) => {
    const found = claims(rows, { openFiles: TRACES, ...over });
    expect(found.claims.has(100)).toBe(veto === null);
    const spared = found.spared.find(({ process }) => process.identity.pid === 100);
    expect(spared?.veto.kind ?? 'nothing').toBe(veto ?? 'nothing');
  });
});

describe('port', () => {
  const listening = { ...TRACES, listening: [{ pid: 100, port: 4101, service: 'web' }] };
  const server: Row = { pid: 100, cwd: `${ROOT}/api` };
  const over = { openFiles: listening };
  tell([
    ['in the project', [server], [100], over],
    ['elsewhere', [{ ...server, cwd: '/srv' }], [], over],
    ['in a folder with a longer name', [{ ...server, cwd: `${ROOT}-2` }], [], over],
    ['its folder cannot be read', [{ ...server, cwd: null }], [], over],
    ['older than the run', [{ ...server, ticks: 50 }], [], { ...over, runs: [RUN] }],
    ['an editor', [{ ...server, argv: 'code --serve' }], [], over],
    ["a person's shell", [{ ...server, argv: 'bash' }], [], over],
    ['of another user', [{ ...server, uid: 65_534 }], [], over],
    ["of the folder's owner", [{ ...server, uid: 1001 }], [100], { ...over, ownerUid: 1001 }],
    [
      'a debugger of an editor',
      [
        { pid: 70, argv: 'code' },
        { ...server, ppid: 70 },
      ],
      [],
      over,
    ],
    [
      "another project's cookie",
      [{ ...server, environ: serviceCookie(marksOf('other'), 'a', 'b') }],
      [],
      over,
    ],
    [
      'below another project',
      [
        { pid: 70, environ: serviceCookie(marksOf('other'), 'a', 'b') },
        { ...server, ppid: 70 },
      ],
      [],
      over,
    ],
  ]);

  test('names the port and the service', () => {
    expect(claims([server], { ...over, runs: [RUN] }).claims.get(100)).toMatchObject({
      service: 'web',
      evidence: [{ kind: 'port', detail: 'listens on 4101' }],
    });
  });
});

describe('a log, a FIFO or a port that another project has recorded and we have not', () => {
  const ofOthers = (state: 'lives' | 'dead') => ({
    ...TRACES,
    ofOthers: new Map([LOG, FIFO].map((path) => [path, state] as const)),
    listening: [{ pid: 101, port: 3000, service: 'web', isOfOthers: true }],
  });
  const rows = [
    daemon([log(`${LOG}.1`)]),
    daemon([fifo()], { pid: 102 }),
    { pid: 101, cwd: ROOT },
    daemon([log(ELSEWHERE)], { pid: 103 }),
    daemon([log()], { pid: 104, environ: serviceCookie(marksOf('app'), 'web', 'aa11') }),
  ];
  test.each<['lives' | 'dead', readonly number[]]>([
    ['lives', [101]],
    ['dead', [100, 101, 102]],
  ])('its run %s', (state, inDoubt) => {
    const found = claims(rows, { openFiles: ofOthers(state) });
    expect([...found.claims.keys()].sort()).toEqual([103, 104]);
    const doubts = found.spared.filter(({ veto }) => veto.kind === 'in-doubt');
    expect(doubts.map(({ process }) => process.identity.pid).sort()).toEqual(inDoubt);
  });
});
