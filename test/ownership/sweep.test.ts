import { describe, expect, test } from 'vitest';
import type { OwnershipFacts } from '../../src/ownership/claim.ts';
import { serviceCookie, supervisorCookie } from '../../src/ownership/cookie.ts';
import { ownedLookAlikes, type SweepRules, sweepClaims } from '../../src/ownership/sweep.ts';
import { marksOf, projectOf } from '../support/marks.ts';
import { identity, type Row, snapshotOf } from '../support/process-table.ts';

const ROOT = '/home/me/app';
const BIN = `${ROOT}/node_modules/.bin`;
const RULES: SweepRules = { patterns: [], protect: [], scope: 'project' };
const FACTS: OwnershipFacts = {
  project: projectOf('app'),
  root: ROOT,
  self: identity(21),
  supervisor: null,
  runs: [],
  witnessed: [],
  legacyPids: [],
};
/** devctl, started in a person's terminal. */
const TERMINAL: readonly Row[] = [
  { pid: 20, name: 'bash', argv: '-bash', cwd: ROOT },
  { pid: 21, ppid: 20, sid: 20, name: 'node', argv: 'node devctl stop', cwd: ROOT },
];

function sweep(rows: readonly Row[], rules: Partial<SweepRules> = {}, self: Row | null = null) {
  const table = self ? rows : [...TERMINAL, ...rows];
  const facts = { ...FACTS, self: identity(self?.pid ?? 21) };
  return sweepClaims(facts, snapshotOf(table), { ...RULES, ...rules });
}

function swept(...args: Parameters<typeof sweep>): readonly number[] {
  return [...sweep(...args).claims.keys()].sort((a, b) => a - b);
}

describe('a program that looks like ours and works in the project is swept', () => {
  test.each([
    'npm run dev',
    'npm test',
    'npm start',
    'npm run test:unit',
    'npm run-script dev',
    'pnpm dev',
    'node /usr/lib/node_modules/npm/bin/npm run dev',
    `node ${BIN}/vite --port 5173`,
    `node ${BIN}/vitest --run`,
    `node ${BIN}/turbo run test`,
    `${ROOT}/node_modules/@esbuild/linux-x64/bin/esbuild --service=0.25 --ping`,
    `node --enable-source-maps ${BIN}/tsx watch src/server.ts`,
    'node (vitest 3)',
    'node --watch server.js',
    'next-server (v15)',
    `node --experimental-import-meta-resolve --require ${ROOT}/node_modules/vitest/suppress-warnings.cjs --conditions node ${ROOT}/node_modules/vitest/dist/workers/forks.js`,
    `node --conditions node ${ROOT}/node_modules/vitest/dist/workers/forks.js`,
    `node --require ${ROOT}/node_modules/tsx/dist/preflight.cjs --import file://${ROOT}/node_modules/tsx/dist/loader.mjs src/server.ts`,
    `node --import=file://${ROOT}/node_modules/tsx/dist/loader.mjs src/server.ts`,
    `node ${ROOT}/node_modules/jest-worker/build/workers/processChild.js`,
    `${ROOT}/node_modules/turbo-linux-64/bin/turbo run dev`,
  ])('%s', (argv) => {
    expect(swept([{ pid: 200, argv, cwd: ROOT }])).toEqual([200]);
    expect(swept([{ pid: 200, argv, cwd: `${ROOT}/packages/web` }])).toEqual([200]);
    expect(swept([{ pid: 200, argv, cwd: '/home/me/other' }])).toEqual([]);
    expect(swept([{ pid: 200, argv, cwd: '/home/me/app-2' }])).toEqual([]);
    expect(swept([{ pid: 200, argv, cwd: null }])).toEqual([]);
  });

  test('process titles with spaces in one argument', () => {
    expect(swept([{ pid: 200, argv: ['npm run dev'], cwd: ROOT }])).toEqual([200]);
  });
});

describe('a program that only resembles one is not swept', () => {
  test.each([
    ['an editor on a config', 'vim vite.config.ts'],
    ['a pager on a log', 'tail -f vite.log'],
    ['a path that holds a name', 'node /home/me/vite-app/x.js'],
    ['a shell that mentions it', 'bash -c vite'],
    ['an interactive shell', 'zsh'],
    ['an argument', 'node server.js --with vite'],
    ['a similar name', 'node vitepress-clone.js'],
    ['npm doing something else', 'npm install vite'],
    ['git', 'git commit -m vitest'],
    ['a copy of a tool', `rsync -a ${ROOT}/node_modules/vite/ /backup`],
    ['a tool being removed', `rm -rf ${ROOT}/node_modules/next/`],
    ['a tool being installed', `node ${ROOT}/node_modules/esbuild/install.js`],
    ['a tool as an argument', `node build.js ${ROOT}/node_modules/vite/dist/index.js`],
    ['a tool as an argument of code', `node -e 1 ${ROOT}/node_modules/vite/dist/index.js`],
    ['a debugger', 'gdb --args node vite'],
    ['a language server', 'node /x/typescript/lib/tsserver.js --watch'],
    ['an agent under node', 'node /usr/local/bin/codex --watch'],
    ['an editor with a capital letter', '/Applications/Cursor.app/Contents/MacOS/Cursor vite'],
    ['a VS Code extension', 'node /home/me/.vscode/extensions/vitest.explorer/worker.js vitest'],
  ])('%s: %s', (_name, argv) => {
    expect(swept([{ pid: 200, argv, cwd: ROOT }])).toEqual([]);
  });

  test('custom patterns match the whole command line, and protection wins', () => {
    const rows = [{ pid: 200, argv: 'python3 worker.py', cwd: ROOT }];
    expect(swept(rows)).toEqual([]);
    expect(swept(rows, { patterns: [/worker\.py/] })).toEqual([200]);
    const both = { patterns: [/worker\.py/], protect: [/python3/] };
    expect(sweep(rows, both).spared[0]?.veto.kind).toBe('protected');
    const editor = [{ pid: 200, argv: 'vim worker.py', cwd: ROOT }];
    expect(swept(editor, { patterns: [/worker\.py/] })).toEqual([]);
  });
});

describe('what builds or runs once', () => {
  const esbuild = `${ROOT}/node_modules/@esbuild/linux-x64/bin/esbuild --service=0.25`;
  const build: Row = { pid: 200, argv: `node ${BIN}/vite build`, cwd: ROOT };
  const worker: Row = { pid: 210, ppid: 200, sid: 20, argv: esbuild, cwd: ROOT };
  const own: Row = { pid: 200, argv: 'node build.mjs', cwd: ROOT, sid: 20 };
  const npmTest: Row = { pid: 190, argv: 'npm test', cwd: ROOT };
  test.each<[name: string, rows: readonly Row[], expected: readonly number[]]>([
    ['a build, and its worker', [build, worker], []],
    ['not a worker whose build was killed', [{ ...worker, ppid: 1 }], [210]],
    [
      'not a worker that the service manager of the user has adopted',
      [
        { pid: 5, name: 'systemd', argv: '/lib/systemd/systemd --user' },
        { ...worker, ppid: 5 },
      ],
      [210],
    ],
    ['the worker of a script of which nothing is known', [own, worker], []],
    ['a worker in a session of its own, whose program lives', [own, { ...worker, sid: 210 }], []],
    [
      'a server below a build',
      [build, { pid: 211, ppid: 200, argv: `node ${BIN}/vite preview`, cwd: ROOT }],
      [],
    ],
    [
      'the tasks of a monorepo build',
      [
        { pid: 180, argv: `node ${BIN}/turbo run build`, cwd: ROOT },
        { pid: 185, ppid: 180, argv: ['sh', '-c', 'vite build'], cwd: ROOT },
        { ...build, ppid: 185 },
        worker,
        { pid: 220, ppid: 185, argv: `node ${BIN}/vitest`, cwd: ROOT },
      ],
      [],
    ],
    [
      'not a build that a test run has started',
      [npmTest, { ...build, ppid: 190 }, worker],
      [190, 200, 210],
    ],
    [
      'not a test run below a build below a test run',
      [npmTest, { ...build, ppid: 190 }, { ...worker, argv: `node ${BIN}/vitest` }],
      [190, 200, 210],
    ],
    [
      'a build below a test run in the shell of a person',
      [npmTest, { pid: 195, ppid: 190, argv: 'bash', cwd: ROOT }, { ...build, ppid: 195 }, worker],
      [190],
    ],
    [
      'not a server in the shell of a person below a build',
      [
        { ...build, pid: 180 },
        { pid: 195, ppid: 180, argv: 'bash', cwd: ROOT },
        { pid: 211, ppid: 195, argv: 'npm run dev', cwd: ROOT },
      ],
      [211],
    ],
  ])('%s', (_name, rows, expected) => {
    expect(swept(rows)).toEqual(expected);
  });

  test('it is named with the reason, and a pattern of the user is above the rule', () => {
    const { spared } = sweep([build, worker]);
    expect(spared.map(({ veto }) => veto)).toEqual([
      { kind: 'runs-once', detail: 'it builds or runs once' },
      { kind: 'runs-once', detail: 'works for pid 200 (vite build), which builds or runs once' },
    ]);
    expect(sweep([own, worker]).spared[0]?.veto.detail).toBe('works for pid 200 (build.mjs)');
    expect(swept([build, worker], { patterns: [/vite build/] })).toEqual([200, 210]);
  });
});

describe('the program that started a look-alike', () => {
  const code: Row = {
    pid: 150,
    name: 'code',
    argv: '/usr/share/code/code --type=utility',
    cwd: ROOT,
  };
  const vitest = { argv: `node ${BIN}/vitest`, cwd: ROOT };
  test.each([
    ["an editor's helper", [code, { pid: 200, ppid: 150, ...vitest }], []],
    [
      "an editor's helper's helper",
      [
        code,
        { pid: 160, ppid: 150, argv: 'node server.js', cwd: ROOT },
        { pid: 200, ppid: 160, ...vitest },
      ],
      [],
    ],
    [
      "a person's terminal inside the editor",
      [code, { pid: 160, ppid: 150, argv: 'bash', cwd: ROOT }, { pid: 200, ppid: 160, ...vitest }],
      [200],
    ],
    [
      'an agent under node',
      [
        { pid: 150, argv: 'node /usr/local/bin/gemini', cwd: ROOT },
        { pid: 200, ppid: 150, ...vitest },
      ],
      [],
    ],
  ] as [string, Row[], number[]][])('%s', (_name, rows, expected) => {
    expect(swept(rows)).toEqual(expected);
  });
});

describe('descendants of a swept process', () => {
  const npm: Row = { pid: 200, argv: 'npm run dev', cwd: ROOT };
  test('wrapper shells and their children are swept with it', () => {
    expect(
      swept([
        npm,
        { pid: 201, ppid: 200, argv: ['sh', '-c', 'node server.js'], cwd: ROOT },
        { pid: 202, ppid: 201, argv: 'node server.js', cwd: ROOT },
      ]),
    ).toEqual([200, 201, 202]);
  });

  test("a person's shell, an editor, and a process that works elsewhere are not", () => {
    const { claims, spared } = sweep([
      npm,
      { pid: 201, ppid: 200, argv: 'bash', cwd: ROOT },
      { pid: 202, ppid: 200, argv: 'vim x.ts', cwd: ROOT },
      { pid: 203, ppid: 200, argv: 'node x.js', cwd: '/tmp' },
    ]);
    expect([...claims.keys()]).toEqual([200]);
    expect(spared.map(({ process, veto }) => [process.identity.pid, veto.kind])).toEqual([
      [201, 'protected'],
      [202, 'protected'],
      [203, 'outside-project'],
    ]);
  });

  test('a child older than its parent is not its child', () => {
    expect(swept([npm, { pid: 190, ppid: 200, argv: 'node x.js', cwd: ROOT }])).toEqual([200]);
  });

  test('a process that an earlier scan swept stays swept when its parent has died', () => {
    const child: Row = { pid: 201, ppid: 200, argv: 'node server.js', cwd: ROOT };
    const first = sweep([npm, child]).claims;
    const remembered = new Map(
      [...first.values()].map((claim) => [
        `${claim.process.identity.pid}:${claim.process.identity.startTicks}`,
        claim,
      ]),
    );
    const orphaned = snapshotOf([...TERMINAL, { ...child, ppid: 1 }]);
    expect([...sweepClaims(FACTS, orphaned, RULES, remembered).claims.keys()]).toEqual([201]);
    const reused = snapshotOf([...TERMINAL, { ...child, ppid: 1, ticks: 999 }]);
    expect([...sweepClaims(FACTS, reused, RULES, remembered).claims.keys()]).toEqual([]);
  });

  test('no process is both swept and spared', () => {
    const shell: Row = { pid: 201, ppid: 200, argv: ['sh', '-c', 'tool x'], cwd: ROOT };
    const { claims, spared } = sweep([npm, shell], { patterns: [/tool/] });
    expect([...claims.keys()]).toEqual([200, 201]);
    expect(spared).toEqual([]);
  });
});

describe('the tree that runs devctl', () => {
  const vitest: Row = { pid: 100, argv: `node ${BIN}/vitest --run`, cwd: ROOT };
  test('a teardown that calls devctl stop spares its own test runner, workers too', () => {
    const self: Row = { pid: 110, ppid: 101, argv: 'node devctl stop', cwd: ROOT };
    const rows = [
      { pid: 50, argv: 'npm test', cwd: ROOT },
      { ...vitest, ppid: 50 },
      { pid: 101, ppid: 100, argv: 'node (vitest 1)', cwd: ROOT },
      { pid: 102, ppid: 100, argv: 'node (vitest 2)', cwd: ROOT },
      self,
      { pid: 300, argv: `node ${BIN}/vite`, cwd: ROOT },
    ];
    expect(swept(rows, {}, self)).toEqual([300]);
  });

  test('a script spares the processes of its own process group', () => {
    const self: Row = { pid: 110, ppid: 90, pgid: 90, argv: 'node devctl stop', cwd: ROOT };
    const rows = [
      { pid: 90, argv: 'bash ci.sh', cwd: ROOT },
      { ...vitest, ppid: 90, pgid: 90 },
      self,
    ];
    expect(swept(rows, {}, self)).toEqual([]);
  });
});

describe('vetoes', () => {
  const vite: Row = { pid: 200, argv: `node ${BIN}/vite`, cwd: ROOT };
  test.each([
    ["another project's cookie", { ...vite, environ: serviceCookie(marksOf('other'), 'web', 'r') }],
    ['our own supervisor', { ...vite, environ: supervisorCookie(marksOf('app')) }],
    ['a zombie', { ...vite, state: 'Z' }],
    ['a process that devctl itself has started', { ...vite, ppid: 21 }],
  ] as [string, Row][])('%s', (_name, row) => {
    expect(swept([row])).toEqual([]);
  });

  test.each<[name: string, rows: readonly Row[], expected: readonly number[]]>([
    ["a nested project's service, which cleared its cookie", [{ ...vite, ppid: 151 }], []],
    ['and its descendants', [{ ...vite, ppid: 152 }], []],
    ['but not a process beside it', [vite], [200]],
  ])('%s', (_name, rows, expected) => {
    const environ = serviceCookie(marksOf('other'), 'web', 'r');
    const nested: readonly Row[] = [
      { pid: 151, argv: 'node server.js', cwd: `${ROOT}/nested`, environ },
      { pid: 152, ppid: 151, argv: 'sh run.sh', cwd: `${ROOT}/nested` },
    ];
    const { claims, spared } = sweep([...nested, ...rows]);
    expect([...claims.keys()]).toEqual(expected);
    if (expected.length === 0) expect(spared[0]?.veto.kind).toBe('other-project');
  });

  test('a process that other evidence claims is left out', () => {
    const child: Row = { pid: 201, ppid: 200, argv: `node ${BIN}/vitest`, cwd: ROOT };
    const snapshot = snapshotOf([...TERMINAL, vite, child]);
    const remembered = sweepClaims(FACTS, snapshot, RULES).claims.get(200);
    expect(remembered).toBeDefined();
    const known = new Map(remembered ? [['200:200', remembered]] : []);
    for (const earlier of [new Map(), known]) {
      const { claims } = sweepClaims(FACTS, snapshot, RULES, earlier, new Set([200]));
      expect([...claims.keys()]).toEqual([201]);
    }
  });

  test('scope "user" sweeps everywhere, but only processes of this user', () => {
    const scope = 'user' as const;
    expect(swept([{ ...vite, cwd: '/srv' }], { scope })).toEqual([200]);
    const { claims, spared } = sweep([{ ...vite, cwd: '/srv', uid: 7 }], { scope });
    expect(claims.size).toBe(0);
    expect(spared[0]?.veto.kind).toBe('other-user');
  });

  test('scope "project" sweeps processes of this user and of the project owner', () => {
    const theirs = { ...vite, uid: 7 };
    const { claims, spared } = sweep([theirs]);
    expect([claims.size, spared[0]?.veto.kind]).toEqual([0, 'other-user']);
    const owned = sweepClaims({ ...FACTS, ownerUid: 7 }, snapshotOf([...TERMINAL, theirs]), RULES);
    expect([...owned.claims.keys()]).toEqual([200]);
  });
});

describe('beside running services', () => {
  const vite: Row = { pid: 200, argv: `node ${BIN}/vite`, cwd: `${ROOT}/demo/src` };

  test('a process that works in a project below this one is not swept', () => {
    const projectBelow = (cwd: string) => (cwd.startsWith(`${ROOT}/demo`) ? `${ROOT}/demo` : null);
    const beside: Row = { ...vite, pid: 201, cwd: ROOT };
    const { claims, spared } = sweep([vite, beside], { projectBelow });
    expect([...claims.keys()]).toEqual([201]);
    expect(spared.map(({ veto }) => veto.kind)).toEqual(['other-project']);
  });

  const NESTED = `${ROOT}/demo`;
  const supervisor: Row = {
    pid: 150,
    argv: `node /lib/dist/supervisor/main.js ${NESTED}`,
    cwd: NESTED,
    environ: supervisorCookie(marksOf('other')),
  };
  const group = `/devctl-${'0'.repeat(16)}/run`;
  test.each<[what: string, beside: readonly Row[], one: Row, expected: readonly number[]]>([
    ['in a folder that its supervisor works in', [supervisor], vite, []],
    ['beside that folder', [supervisor], { ...vite, cwd: ROOT }, [200]],
    ['adopted by its supervisor', [supervisor], { ...vite, cwd: ROOT, ppid: 150 }, []],
    ['in its control group', [], { ...vite, cwd: ROOT, controlGroup: group }, []],
  ])('an unmarked process of a project without manifest: %s', (_what, beside, one, expected) => {
    const { claims, spared } = sweep([...beside, one]);
    expect([...claims.keys()]).toEqual(expected);
    if (expected.length === 0) expect(spared[0]?.veto.kind).toBe('other-project');
  });

  test('look-alikes among the services are reported, and no other processes of services', () => {
    const server: Row = { pid: 202, argv: 'node server.js', cwd: ROOT };
    const snapshot = snapshotOf([vite, server]);
    const claim = (pid: number, service: string | null) =>
      [...snapshot.byPid.values()]
        .filter(({ identity }) => identity.pid === pid)
        .map((process) => ({ process, service, runId: null, evidence: [] }));
    const all = [...claim(200, 'web'), ...claim(202, 'web')];
    const [only, ...more] = ownedLookAlikes(all, snapshot, RULES);
    expect(only?.process.identity.pid).toBe(200);
    expect(only?.veto.detail).toContain('service web');
    expect(more).toEqual([]);
    const nobodys = ownedLookAlikes(claim(200, null), snapshot, RULES);
    expect(nobodys[0]?.veto.detail).toContain('devctl stop ends it');
  });
});

test('what the records of another project name is left alone, with its descendants', () => {
  const tool = { argv: `node ${BIN}/vite`, cwd: ROOT };
  const rows: readonly Row[] = [
    ...TERMINAL,
    { pid: 200, ...tool },
    { pid: 201, ppid: 200, ...tool },
    { pid: 202, ...tool },
  ];
  const elsewhere = [{ mark: 'app', projectId: 'b', identity: identity(200) }];
  const { claims, spared } = sweepClaims({ ...FACTS, elsewhere }, snapshotOf(rows), RULES);
  expect([...claims.keys()]).toEqual([202]);
  expect(spared.map(({ veto }) => veto.kind)).toEqual(['other-project', 'other-project']);
});
