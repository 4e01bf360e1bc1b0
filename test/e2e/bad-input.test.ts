import { existsSync, symlinkSync } from 'node:fs';
import { expect } from 'vitest';
import { devctl } from '../support/devctl.ts';
import { eachMode, test } from '../support/sets.ts';
import { temporaryProject } from '../support/temporary-project.ts';

const web = (more: object) =>
  JSON.stringify({ services: { web: { command: 'sleep 9', ...more } } });

const cases: readonly (readonly [what: string, manifest: string, ...says: string[]])[] = [
  ['an empty file', '', 'empty'],
  ['only blanks', ' \n\n ', 'empty'],
  ['a list', '[]', 'got a list'],
  ['nothing to close it', '{', '.devctl.json:1:'],
  ['a service without command', '{"services": {"web": {}}}', 'services.web', 'command'],
  ['an empty command', web({ command: [] }), 'services.web.command'],
  [
    'a cycle',
    JSON.stringify({
      services: {
        a: { command: 'x', dependsOn: ['b'] },
        b: { command: 'x', dependsOn: ['c'] },
        c: { command: 'x', dependsOn: ['a'] },
      },
    }),
    'a → b → c → a',
  ],
  ['a service that needs itself', web({ dependsOn: ['web'] }), 'web'],
  ['an unknown key', web({ retsart: 'no' }), 'services.web.retsart', 'Did you mean "restart"?'],
  ['a negative grace', web({ stop: { grace: -1 } }), 'services.web.stop.grace'],
  ['a negative grace as text', web({ stop: { grace: '-3s' } }), 'services.web.stop.grace'],
  ['a bad duration', '{"stopGrace": "3 parsecs", "services": {}}', 'stopGrace', '3s'],
  ['a cwd that is a file', web({ cwd: 'file.txt' }), 'services.web.cwd', 'file.txt'],
  ['a cwd that is missing', web({ cwd: 'nowhere' }), 'services.web.cwd', 'nowhere'],
  ['a name with a slash', '{"services": {"a/b": {"command": "x"}}}', 'a/b'],
  ['a name that leaves the folder', '{"services": {"..": {"command": "x"}}}', '..'],
  [
    'a port twice',
    JSON.stringify({
      services: { a: { command: 'x', ports: [4000] }, b: { command: 'x', ports: [4000] } },
    }),
    '4000',
    'a',
    'b',
  ],
  ['a port out of range', web({ ports: [70000] }), 'services.web.ports'],
  ['an unknown dependency', web({ dependsOn: ['wbe'] }), 'services.web.dependsOn', 'wbe'],
  [
    'a limit that says nothing',
    web({ limits: { action: 'stop' } }),
    'services.web.limits.action',
    'processes, memory',
  ],
  [
    'containers without a compose file',
    JSON.stringify({ services: { web: { command: 'sleep 9' } }, containers: {} }),
    'there is no compose file',
  ],
];

eachMode(cases)('check and start refuse %s', async (_what, manifest, ...says) => {
  await using project = await temporaryProject(manifest, { 'file.txt': '' });
  for (const command of ['check', 'start']) {
    const { exitCode, stdout, stderr } = await devctl(project, command);
    expect(exitCode, stderr).toBe(2);
    expect(stdout).toBe('');
    for (const words of says) expect(stderr).toContain(words);
    expect(stderr).toContain('.devctl.json');
    expect(stderr).not.toMatch(/\n\s+at |mistake/);
  }
  expect(existsSync(project.file('.pids'))).toBe(false);
  expect(project.oracle.everything()).toEqual([]);
});

test('check shows every mistake at once, each with its place', async () => {
  await using project = await temporaryProject(`{
  "servces": {},
  "stopGrace": -5,
  "services": {
    "web": { "command": 7 },
  },
}`);
  const { exitCode, stderr } = await devctl(project, 'check');
  expect(exitCode).toBe(2);
  expect(stderr).toContain('.devctl.json:2:3');
  expect(stderr).toContain('.devctl.json:3:16');
  expect(stderr).toContain('.devctl.json:5:25');
});

test('start refuses a folder for logs that cannot be made', async () => {
  await using project = await temporaryProject(undefined, { file: '' });
  symlinkSync(project.file('nowhere'), project.file('link'));
  // A recursive mkdir of Node never ends below /proc.
  const below = process.platform === 'linux' ? ['/proc/self/logs/here'] : [];
  for (const dir of ['file', 'link', ...below]) {
    project.write(
      '.devctl.json',
      JSON.stringify({ logs: { dir }, services: { web: { command: 'sleep 9' } } }),
    );
    const { exitCode, stderr } = await devctl(project, 'start');
    expect(exitCode, dir).toBe(1);
    expect(stderr).toMatch(new RegExp(`${dir} cannot be made: [^]*set logs.dir`));
  }
  expect(project.oracle.everything()).toEqual([]);
});

test('10,000 services are a mistake, which takes a few lines', async () => {
  const services = Object.fromEntries(
    Array.from({ length: 10_000 }, (_, index) => [`service-${index}`, { command: 'sleep 9' }]),
  );
  await using project = await temporaryProject({ services });
  const { exitCode, stderr } = await devctl(project, 'start');
  expect(exitCode, stderr.slice(0, 500)).toBe(2);
  expect(stderr).toMatch(/10,?000/);
  expect(stderr.split('\n').length).toBeLessThan(10);
  expect(stderr).not.toMatch(/\n\s+at /);
  expect(project.oracle.everything()).toEqual([]);
});

test('10,000 broken services do not print 10,000 lines', async () => {
  const services = Object.fromEntries(
    Array.from({ length: 10_000 }, (_, index) => [`service-${index}`, { comand: 'sleep 9' }]),
  );
  await using project = await temporaryProject({ services });
  const { exitCode, stderr } = await devctl(project, 'check');
  expect(exitCode).toBe(2);
  expect(stderr.split('\n').length).toBeLessThan(60);
});

eachMode([
  [['stop', '--grace', '-1s'], '--grace'],
  [['stop', '--grace', 'soon'], 'soon'],
  [['stop', '--grace', '60'], '60 what? 60s or 60ms'],
  [['stop', '--frce'], '--force'],
  [['strat'], 'start'],
  [['start', 'wbe'], 'web'],
  [['stop', 'wbe'], 'web'],
  [['status', 'wbe'], 'web'],
  [['start', '--config', 'none.json'], 'none.json'],
])('devctl %j is refused with a hint', async (args, says) => {
  await using project = await temporaryProject(web({}));
  const { exitCode, stderr } = await devctl(project, ...args);
  expect(exitCode, stderr).toBe(2);
  expect(stderr).toContain(says);
  expect(stderr).not.toMatch(/\n\s+at /);
});

eachMode(['start', 'check', 'status', 'stop'])(
  'without a manifest, devctl says so: %s',
  async (command) => {
    await using project = await temporaryProject();
    const { exitCode, stderr } = await devctl(project, command);
    expect(exitCode, stderr).toBe(2);
    expect(stderr).toMatch(/no (manifest|\.devctl\.json)/);
  },
);

test('words that are meant for other programs are answered with the command to type', async () => {
  const command = 'sleep 99';
  await using project = await temporaryProject({ services: { web: { command } } });
  const answer = async (...args: string[]) => (await devctl(project, ...args)).stderr;
  expect(await answer('start', 'env', 'web')).toContain('devctl start NAME -- env web');
  expect(await answer('run', 'web')).toContain('devctl start web, or npx --no-install devctl rest');
  for (const one of ['start', 'stop', 'restart'])
    expect(await answer(one, 'all')).toContain('→ without a name, it is all of them');
  expect(project.oracle.processes()).toEqual([]);
});
