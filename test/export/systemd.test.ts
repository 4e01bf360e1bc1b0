import { expect, test } from 'vitest';
import { noteInWords } from '../../src/export/source.ts';
import { toUnits } from '../../src/export/systemd.ts';
import { sourceOf } from './read.ts';

const web = { command: 'npm run dev' };

/** The unit of the service `web`, and all notes. */
function unitOf(service: object, more: object = {}, files: Readonly<Record<string, string>> = {}) {
  const source = sourceOf(
    {
      ...more,
      services: { db: web, task: { ...web, oneShot: true }, web: { ...web, ...service } },
    },
    files,
  );
  const exported = toUnits(source);
  const { text = '' } = exported.files.find(({ name }) => name === 'devctl-shop-web.service') ?? {};
  return {
    lines: text.replaceAll(source.root, 'ROOT').trimEnd().split('\n'),
    notes: exported.notes.map(noteInWords),
    files: exported.files,
  };
}

test('a plain service: all processes are asked at once, and killed after the grace period', () => {
  expect(unitOf({}).lines).toEqual([
    '# .devctl.json:1',
    '[Unit]',
    'Description=web of shop',
    'PartOf=devctl-shop.target',
    '',
    '[Service]',
    'Type=exec',
    'WorkingDirectory=ROOT',
    'Environment="PATH=/usr/bin"',
    'ExecStart=/bin/sh -c "npm run dev"',
    'KillMode=control-group',
    'KillSignal=SIGTERM',
    'TimeoutStopSec=3s',
  ]);
});

test('the target starts what start without names starts', () => {
  const { files } = unitOf({ autostart: false });
  expect(files[0]).toMatchObject({ name: 'devctl-shop.target' });
  expect(files[0]?.text.match(/^Wants=.*$/gm)).toEqual([
    'Wants=devctl-shop-db.service',
    'Wants=devctl-shop-task.service',
  ]);
});

test.each([
  [
    'a list with a path',
    { command: ['/bin/x', 'a b', '$A%', 'c"\\'] },
    ['ExecStart=/bin/x "a b" "$$A%%" "c\\"\\\\"'],
  ],
  ['a list without one', { command: ['node', 'x.js'] }, ['ExecStart=/usr/bin/env node x.js']],
  ['several lines', { command: 'a\nb' }, ['ExecStart=/bin/sh -c "a\\nb"']],
  ['a task', { oneShot: true }, ['Type=oneshot', 'RemainAfterExit=yes']],
  [
    'dependencies',
    { dependsOn: { db: 'started', task: 'completed' } },
    [
      'Requires=devctl-shop-db.service',
      'After=devctl-shop-db.service',
      'Requires=devctl-shop-task.service',
      'After=devctl-shop-task.service',
    ],
  ],
  [
    'stop',
    { stop: { signal: 'SIGINT', grace: '1500ms', command: 'x' } },
    ['ExecStop=/bin/sh -c x', 'KillSignal=SIGINT', 'TimeoutStopSec=1500ms'],
  ],
  [
    'no grace, because 0 means for ever',
    { stop: { grace: 0 } },
    ['KillSignal=SIGKILL', 'TimeoutStopSec=1ms'],
  ],
  [
    'restart',
    { restart: 'on-failure' },
    ['StartLimitIntervalSec=600s', 'StartLimitBurst=11', 'Restart=on-failure', 'RestartSec=500ms'],
  ],
  [
    'success',
    { restart: { policy: 'always', successExitCodes: [0, 3] } },
    ['SuccessExitStatus=3', 'Restart=always'],
  ],
  [
    'limits',
    {
      restart: 'always',
      limits: {
        processes: 4,
        memory: '1GB',
        cpu: 1.5,
        runtime: '2h',
        openFiles: 99,
        core: 0,
        action: 'restart',
      },
    },
    [
      'TasksMax=64',
      'MemoryMax=1073741824',
      'CPUQuota=150%',
      'RuntimeMaxSec=7200s',
      'LimitNOFILE=99',
      'LimitCORE=0',
    ],
  ],
  [
    'the time of a task',
    { oneShot: true, limits: { runtime: '90s', action: 'stop' } },
    ['TimeoutStartSec=90s'],
  ],
  [
    'a probe that a shell makes',
    { ready: { exec: ['x', 'a b'], timeout: '5s' } },
    ['ExecStartPost=/bin/sh -c "until { x \'a b\'\\n}; do sleep 0.25; done"', 'TimeoutStartSec=5s'],
  ],
  ['a delay', { ready: { delay: '2s' } }, ['ExecStartPost=/bin/sh -c "sleep 2"']],
])('%s', (_name, service, expected) => {
  expect(unitOf(service).lines).toEqual(expect.arrayContaining(expected));
});

test.each([
  [
    'probes',
    { ready: { tcp: 3000 } },
    'web: ready.tcp: systemd does not wait for it: After= counts from the start of the process',
  ],
  ['live', { live: { tcp: 3000 } }, 'web: live: systemd does not ask whether it is still well'],
  ['warnings', { limits: { memory: '1GB' } }, 'web: limits.memory: no unit only warns'],
  [
    'idle',
    { limits: { idle: '9m', action: 'stop' } },
    'web: limits.idle: systemd has no such limit',
  ],
  [
    'an end that is no task',
    { dependsOn: { db: 'exited' } },
    'web: dependsOn.db: systemd waits for its start, not for its end, because it is no task',
  ],
  [
    'a name of a variable',
    { env: { 'A.B': 'c' } },
    'web: env.A.B: systemd takes no such name or value',
  ],
])('%s have no counterpart: a note, which is a comment of the unit too', (_name, service, note) => {
  const { notes, lines } = unitOf(service);
  expect(notes).toContain(note);
  expect(lines).toContain(`# ${note}`);
});

test('a value that an env file would win against stands on the command line', () => {
  const { lines } = unitOf(
    { env: { A: 'env' } },
    { envFile: '.env' },
    { '.env': 'A=file\nB=file\n' },
  );
  expect(lines).toContain('EnvironmentFile=ROOT/.env');
  expect(lines).toContain('ExecStart=/usr/bin/env A=env /bin/sh -c "npm run dev"');
});

test('each variable that EnvironmentFile= reads otherwise is named', () => {
  const text =
    'PLAIN=a\nQUOTED="b c"\nESCAPED="a\\nb"\nEXPANDED=$PLAIN\nBEHIND=a # b\nexport X=1\nLONG="a\nb"\n';
  const { notes } = unitOf({ envFile: '.env' }, {}, { '.env': text });
  const named = notes.flatMap((note) => /^web: (\w+): EnvironmentFile=/.exec(note)?.[1] ?? []);
  expect(named).toEqual(['ESCAPED', 'EXPANDED', 'BEHIND', 'X']);
});

test.each([
  ['its name', { API_TOKEN: 'hunter2' }, {}],
  ['a password in a URL', { DB: 'postgres://shop:hunter2@localhost/shop' }, {}],
  [
    '.devctl.local.json',
    {},
    { '.devctl.local.json': '{"services":{"web":{"env":{"MINE":"hunter2"}}}}' },
  ],
  ['an env file', {}, { '.env': 'MINE=hunter2\n' }],
])('a secret is referenced, never written: by %s', (_name, env, files) => {
  const { files: units, notes } = unitOf({ env, envFile: '.env' }, {}, { '.env': '', ...files });
  expect(JSON.stringify([units, notes])).not.toContain('hunter2');
  expect(units.map(({ text }) => text).join('')).toMatch(
    /^(PassEnvironment=\w+|EnvironmentFile=.*)$/m,
  );
});
