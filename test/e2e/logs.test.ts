import { appendFileSync, existsSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect } from 'vitest';
import { findCutWay } from '../../src/processes/native/cut-file.ts';
import { devctl, devctlWith, startDevctl } from '../support/devctl.ts';
import { repositoryRoot } from '../support/paths.ts';
import { hasSubreaper, signalSupervisor } from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

/** A service that prints each text that is written to `say-NAME`. */
function speaker(name: string, first: string): object {
  const command = `printf '${first}'; while :; do test -s say-${name} && cat say-${name} && : >say-${name}; sleep 0.05; done`;
  return { command };
}

test('logs merges the output of services by time, alive or dead, with and without a supervisor', async () => {
  await using project = await temporaryProject({
    services: {
      web: speaker('web', 'web begins\\n'),
      database: speaker('db', '\\033[32mdb\\033[39m begins\\n10%%\\r99%%\\n'),
    },
    groups: { all: ['web', 'database'] },
  });
  expect(await devctl(project, 'logs')).toMatchObject({
    exitCode: 0,
    stdout: '',
    stderr: '! no output of web, database yet; npx --no-install devctl start begins it',
  });
  await devctl(project, 'start');
  const lines = async (...args: readonly string[]) =>
    (await devctl(project, 'logs', ...args)).stdout.split('\n');
  await until(async () => (await lines()).includes('database | 99%'));
  const say = async (
    name: string,
    text: string,
    isNoted: (line: { withinMs: unknown }) => boolean,
  ) => {
    project.write(`say-${name}`, `${text}\n`);
    await until(async () => {
      const documents = (await lines('--json')).map((line) => JSON.parse(line));
      return documents.some((one) => one.line === text && isNoted(one));
    });
  };
  // Two lines between two looks of the supervisor have one time, and a busy machine makes its looks late.
  const isNoted = ({ withinMs }: { withinMs: unknown }) => typeof withinMs === 'number';
  await say('web', 'w one', isNoted);
  await say('db', 'd one', isNoted);
  await say('web', 'w two', isNoted);
  expect((await lines()).slice(-3)).toEqual([
    'web      | w one',
    'database | d one',
    'web      | w two',
  ]);
  expect(await lines('web', '-n', '1')).toEqual(['web | w two']);
  expect(await lines('all', '--grep', 'ONE$', '-i', '--no-prefix')).toEqual(['w one', 'd one']);
  const colored = await devctlWith(project, { env: { FORCE_COLOR: '1' } }, 'logs', 'database');
  expect(colored.stdout).toContain('\u001b[32mdb\u001b[39m begins\u001b[0m');
  expect(await devctl(project, 'logs', 'wep')).toMatchObject({ exitCode: 2 });

  const documents = (await lines('--json')).map((line) => JSON.parse(line));
  const one = documents.find(({ line }) => line === 'w one');
  expect(one).toMatchObject({ version: 1, service: 'web', continues: false, partial: false });
  expect(Math.abs(Date.parse(one.time) - Date.now())).toBeLessThan(60_000);
  // The supervisor was looking, so the time is more than an upper bound.
  expect(one.withinMs).toEqual(expect.any(Number));
  const since = documents.find(({ line }) => line === 'w two').time;
  expect(await lines('--since', since, '--no-prefix')).toEqual(['w two']);

  await signalSupervisor(project, 'SIGKILL');
  await say('web', 'nobody looks', () => true);
  await devctl(project, 'stop');
  expect((await lines('-n', '1')).at(-1)).toBe('web      | nobody looks');
});

test('logs names a log that cannot be read, and shows the others', async () => {
  await using project = await temporaryProject(
    { services: { web: { command: 'true' }, api: { command: 'true' } } },
    { '.pids/logs/web.log': 'of web\n', secret: 'text\n' },
  );
  symlinkSync(project.file('secret'), project.file('.pids/logs/api.log'));
  const { exitCode, stdout, stderr } = await devctl(project, 'logs');
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: 'web | of web' });
  expect(stderr).toMatch(/^✗ the log of api cannot be read: ELOOP.*$/);
});

test('logs -f follows until Ctrl-C, or until its reader has gone; new services appear', async () => {
  const web = speaker('web', 'web begins\\n');
  await using project = await temporaryProject({ services: { web } });
  await devctl(project, 'start');
  const following = startDevctl(project, {}, 'logs', '-f');
  let seen = '';
  following.stdout.on('data', (chunk: Buffer) => {
    seen += chunk.toString();
  });
  const expectSeen = (text: string) =>
    until(
      () => seen.includes(text),
      () => seen,
    );
  await expectSeen('web | web begins\n');
  project.write('say-web', 'while following\n');
  await expectSeen('web | while following\n');

  const longer = speaker('longer', 'Name: ');
  project.write('.devctl.json', JSON.stringify({ services: { web, longer } }));
  await devctl(project, 'start');
  await expectSeen('longer | Name: \n');
  // Another program may write to the log as well, because every write is appended.
  appendFileSync(project.file('.pids/logs/longer.log'), 'Anna\n');
  await expectSeen('longer | … Anna\n');
  following.kill('SIGINT');
  expect(await following).toMatchObject({ exitCode: 130, stderr: '' });

  // `grep -m1` ends with its first line, and nothing more is written that would tell us. Without native calls
  // nobody can: then it ends with the next line.
  if (!hasSubreaper) return;
  const script = `node "$1" logs -f web | grep -m1 begins; echo "\${PIPESTATUS[0]}"`;
  const launcher = join(repositoryRoot, 'bin', 'devctl.js');
  const piped = await execa('bash', ['-c', script, 'bash', launcher], { cwd: project.root });
  expect(piped.stdout).toBe('web | web begins\n0');
});

fullTest.skipIf((await findCutWay('.')).how === null)(
  'a log that is rotated while it is written has every line once for each reader',
  async () => {
    const last = 300_000;
    const command = `seq 1 ${last}; echo ready; exec sleep 1000`;
    await using project = await temporaryProject({
      services: { web: { command, ready: { log: '^ready$' } } },
      logs: { maxSize: '256KB', keep: 100 },
    });
    const following = startDevctl(project, {}, 'logs', '-f', 'web', '--no-prefix');
    // The line is far behind the part that the probe has seen, in a file that has become shorter meanwhile.
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    await until(() => existsSync(project.file('.pids/logs/web.log.3')));
    const all = `${Array.from({ length: last }, (_, i) => i + 1).join('\n')}\nready`;
    expect((await devctl(project, 'logs', '--no-prefix')).stdout === all).toBe(true);
    expect((await devctl(project, 'logs', '-n', '2', '--no-prefix')).stdout).toBe(`${last}\nready`);
    following.kill('SIGINT');
    expect((await following).stdout === all).toBe(true);

    // The next supervisor finds and rotates the logs of a killed one.
    await signalSupervisor(project, 'SIGKILL');
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    expect((await devctl(project, 'logs', '--no-prefix')).stdout === all).toBe(true);
    expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
  },
);
