import { existsSync, readFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import type { ServiceRecord } from '../../src/project/service-record.ts';
import { devctl, devctlWith } from '../support/devctl.ts';
import { signalExactly } from '../support/end-processes.ts';
import { fixture } from '../support/paths.ts';
import type { SeenProcess } from '../support/seen-process.ts';
import { hasSubreaper, service, signalSupervisor, supervisorsOf } from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

/** A service on a terminal of its own. */
const onTerminal = (mode: 'lines' | 'raw', more: object = {}) =>
  service('keys', [mode], { tty: true, ...more });
const shell = (command: string, more: object = {}) => ({ command, tty: true, ...more });

const recordOf = (project: TemporaryProject, name = 'web') =>
  JSON.parse(readFileSync(project.file(`.pids/services/${name}.json`), 'utf8')) as ServiceRecord;
const logOf = (project: TemporaryProject, name = 'web') =>
  readFileSync(project.file(`.pids/logs/${name}.log`), 'utf8').replaceAll('\r', '');
const logs = (project: TemporaryProject, text: string | RegExp, name = 'web') =>
  until(
    () =>
      typeof text === 'string'
        ? logOf(project, name).includes(text)
        : text.test(logOf(project, name)),
    () => `${name} has written:\n${logOf(project, name)}`,
  );
function seen(project: TemporaryProject, pid: number | undefined): SeenProcess {
  const found = project.oracle.everything().find((one) => one.pid === pid);
  if (!found) throw new Error(`There is no process ${pid}`);
  return found;
}
const stateOf = async (project: TemporaryProject) => {
  const { stdout } = await devctl(project, 'status', '--json');
  return (JSON.parse(stdout) as { services: { state: string; reason: string }[] }).services[0];
};
const left = (project: TemporaryProject) =>
  project.oracle.processes().map(({ argv }) => argv.join(' '));

describe.runIf(hasSubreaper)('a service with "tty": true', () => {
  test('has a terminal, gets lines and keys without echo, and its grace period', async () => {
    await using project = await temporaryProject({
      services: {
        // The shell ends at once on SIGTERM. The program below it must not get a hang-up for that.
        web: onTerminal('lines', { command: fixture('keys', 'lines').map(quoted).join(' ') }),
        keys: onTerminal('raw', { env: { TERM: 'screen' } }),
      },
    });
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    expect(logOf(project)).toContain('tty true 80x24 xterm-256color\n');
    expect(logOf(project, 'keys')).toContain('tty true 80x24 screen\n');
    expect(await devctl(project, 'send', 'web', 'hello')).toMatchObject({
      exitCode: 0,
      stderr: '',
    });
    await devctl(project, 'send', '--no-newline', 'keys', 'h');
    await logs(project, 'read "hello\\n"\n');
    await logs(project, 'read "h"\n', 'keys');
    // Ctrl-C, as the line discipline of the terminal understands it.
    await devctl(project, 'send', '--no-newline', 'web', '\u0003');
    await logs(project, 'interrupted\n');
    expect(logOf(project)).not.toMatch(/^hello$/m);

    const stopped = await devctl(project, 'stop');
    expect(stopped).toMatchObject({ exitCode: 0 });
    expect(stopped.stdout + stopped.stderr).not.toMatch(/outside|SIGKILL/);
    expect(logOf(project)).toMatch(/bye\n$/);
    expect(logOf(project, 'keys')).toMatch(/bye\n$/);
    expect(left(project)).toEqual([]);
  });

  test('has the exit of its command, by code and by signal, and its last words', async () => {
    await using project = await temporaryProject({
      services: {
        code: shell('echo last words; exit 143', { settle: '1s' }),
        signal: shell('echo last words; kill -TERM $$', { settle: '1s' }),
        missing: { command: ['no-such-command'], tty: true },
      },
    });
    const { stdout, stderr, exitCode } = await devctl(project, 'start');
    expect(exitCode).toBe(1);
    const said = stdout + stderr;
    expect(said).toMatch(/code failed[^\n]*exited with code 143/);
    expect(said).toMatch(/signal failed[^\n]*ended by SIGTERM/);
    expect(said).toMatch(/missing failed[^\n]*"no-such-command" was not found/);
    expect(said.match(/\| last words/g)).toHaveLength(2);
    expect(left(project)).toEqual([]);
    expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
  });

  fullTest(
    'goes on when its supervisor is killed; the next one adopts it, and sees its end',
    async () => {
      await using project = await temporaryProject({ services: { web: onTerminal('lines') } });
      await devctl(project, 'start');
      const { leader } = recordOf(project);
      await signalSupervisor(project, 'SIGKILL');
      expect(await devctl(project, 'send', 'web', 'alone')).toMatchObject({ exitCode: 0 });
      await logs(project, 'read "alone\\n"');
      expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
      expect(recordOf(project).leader).toEqual(leader);
      signalExactly(seen(project, leader?.pid), 'SIGKILL');
      await until(async () => (await stateOf(project))?.state === 'failed');
      // On a busy machine the zombie may be gone before the new supervisor has read it.
      expect((await stateOf(project))?.reason).toMatch(/^ended(, exit code unknown| by SIGKILL$)/);
      await until(() => left(project).length === 0);
      expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
    },
  );

  fullTest.each<['holder' | 'session', adopted: boolean, reason: RegExp]>([
    ['holder', false, /^its terminal's holder \(pid \d+\) was ended by SIGKILL$/],
    ['session', false, /^the leader of its terminal's session \(pid \d+\) was ended by SIGKILL$/],
    ['holder', true, /^the process that kept its terminal \(pid \d+\) has ended$/],
  ])(
    'fails with that reason when its %s is killed (adopted: %s)',
    async (part, adopted, reason) => {
      await using project = await temporaryProject({
        services: {
          web: shell('trap "" HUP; echo ready; while :; do sleep 1; done', {
            ready: { log: 'ready' },
          }),
        },
      });
      await devctl(project, 'start');
      if (adopted) {
        await signalSupervisor(project, 'SIGKILL');
        await devctl(project, 'adopt');
      }
      signalExactly(seen(project, recordOf(project).terminal?.[part].pid), 'SIGKILL');
      await until(async () => (await stateOf(project))?.state === 'failed');
      expect((await stateOf(project))?.reason).toMatch(reason);
      await until(() => left(project).length === 0);
      expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
    },
  );

  fullTest('is ended by stop when supervisor and holder are both killed', async () => {
    await using project = await temporaryProject({
      services: {
        web: shell('trap "" HUP; echo ready; while :; do sleep 1; done', {
          ready: { log: 'ready' },
        }),
      },
    });
    await devctl(project, 'start');
    const holder = seen(project, recordOf(project).terminal?.holder.pid);
    await signalSupervisor(project, 'SIGKILL');
    signalExactly(holder, 'SIGKILL');
    expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
    expect(left(project)).toEqual([]);
  });

  test('is ended with a daemon that has nothing but its terminal', async () => {
    const off = { env: { DEVCTL_CGROUP: 'off' } };
    const bare = '(setsid env -i /bin/sleep 1000 &) <&1';
    const command = `until [ -e go ]; do sleep 0.05; done; ${bare}; touch made; exec sleep 500`;
    await using project = await temporaryProject({ services: { web: shell(command) } });
    await devctlWith(project, off, 'start');
    // Nobody sees the daemon in time: it is of no living subreaper, and in no ledger.
    const { guard } = recordOf(project);
    await signalSupervisor(project, 'SIGKILL');
    signalExactly(seen(project, guard?.pid), 'SIGKILL');
    project.write('go', '');
    await until(() => existsSync(project.file('made')));
    expect(await devctlWith(project, off, 'stop')).toMatchObject({ exitCode: 0 });
    expect(left(project)).toEqual([]);
  });

  fullTest('is ended by stop --force without records and supervisor', async () => {
    await using project = await temporaryProject({ services: { web: onTerminal('raw') } });
    await devctl(project, 'start');
    await signalSupervisor(project, 'SIGKILL');
    const { removeRecords } = await import('../support/services.ts');
    await removeRecords(project);
    expect(await devctl(project, 'stop', '--force')).toMatchObject({ exitCode: 0 });
    expect(left(project)).toEqual([]);
  });

  fullTest('is restarted by its policy and by restart, on a new terminal', async () => {
    await using project = await temporaryProject({
      services: { web: onTerminal('lines', { restart: { policy: 'always', backoff: '10ms' } }) },
    });
    await devctl(project, 'start');
    const first = recordOf(project);
    signalExactly(seen(project, first.leader?.pid), 'SIGKILL');
    await until(() => recordOf(project).restarts === 1 && recordOf(project).state === 'ready');
    expect(await devctl(project, 'restart', 'web')).toMatchObject({ exitCode: 0 });
    const { terminal, runId } = recordOf(project);
    expect(runId).not.toBe(first.runId);
    expect(terminal?.holder.pid).not.toBe(first.terminal?.holder.pid);
    await devctl(project, 'send', 'web', 'again');
    await logs(project, 'read "again\\n"');
    expect(await devctl(project, 'stop', 'web')).toMatchObject({ exitCode: 0 });
    expect(left(project)).toEqual([]);
  });

  fullTest('is typed into also after what copies its input was killed', async () => {
    await using project = await temporaryProject({ services: { web: onTerminal('lines') } });
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    const { terminal, stdin } = recordOf(project);
    const copying = () =>
      project.oracle
        .everything()
        .find(
          ({ argv, sid, files }) =>
            argv.join(' ') === 'cat' && sid === terminal?.holder.pid && files.includes(`${stdin}`),
        );
    const before = copying() ?? expect.fail('nothing copies its input');
    signalExactly(before, 'SIGKILL');
    await until(() => (copying()?.pid ?? before.pid) !== before.pid);
    await devctl(project, 'send', 'web', 'again');
    await logs(project, 'read "again\\n"\n');
    expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
    expect(left(project)).toEqual([]);
  });

  fullTest('keeps its terminal while none of its processes has it open', async () => {
    await using project = await temporaryProject({
      services: {
        web: shell(
          'exec </dev/null >apart 2>&1; while [ ! -e go ]; do sleep 0.1; done; echo back >/dev/tty; exec sleep 100',
          { settle: 0 },
        ),
      },
    });
    await devctl(project, 'start');
    await until(() => existsSync(project.file('apart')));
    // Long enough for the holder to have met the end of the file.
    const { terminal } = recordOf(project);
    await until(() =>
      project.oracle
        .everything()
        .some(({ ppid, argv }) => ppid === terminal?.holder.pid && argv[0] === 'sleep'),
    );
    project.write('go', '');
    await logs(project, 'back\n');
    expect(await stateOf(project)).toMatchObject({ state: 'running' });
    expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
    expect(left(project)).toEqual([]);
  });
});

fullTest('without native calls, check and start refuse it and say why', async () => {
  await using project = await temporaryProject({
    services: { web: shell('sleep 100'), plain: { command: 'sleep 100' } },
  });
  const off = { env: { DEVCTL_NATIVE: 'off' } };
  const why = /"tty": true needs a pseudo-terminal.*turned off by DEVCTL_NATIVE=off/;
  for (const args of [['check'], ['start']]) {
    const refused = await devctlWith(project, off, ...args);
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toMatch(why);
    expect(refused.stderr).toContain('npm install koffi');
  }
  const checked = JSON.parse((await devctlWith(project, off, 'check', '--json')).stdout);
  expect(checked).toMatchObject({
    ok: false,
    problems: [{ path: 'services.web.tty', line: expect.any(Number) }],
  });
  expect(supervisorsOf(project)).toEqual([]);
  expect(await devctlWith(project, off, 'start', 'plain')).toMatchObject({ exitCode: 0 });
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
});

fullTest.runIf(hasSubreaper)(
  'attach and send say what a service without a terminal lacks',
  async () => {
    await using project = await temporaryProject({
      services: { web: { command: 'exec sleep 100' }, tty: shell('exec sleep 100') },
    });
    await devctl(project, 'start');
    const none = await devctl(project, 'attach', 'web');
    expect(none).toMatchObject({ exitCode: 2 });
    expect(none.stderr).toMatch(
      /"tty": true.*npx --no-install devctl restart web.*npx --no-install devctl logs -f web/,
    );
    const pipe = await devctl(project, 'attach', 'tty');
    expect(pipe).toMatchObject({ exitCode: 2 });
    expect(pipe.stderr).toMatch(/needs a terminal/);
    const sent = await devctl(project, 'send', 'web', 'r');
    expect(sent).toMatchObject({ exitCode: 0 });
    expect(sent.stderr).toMatch(/web has read nothing of its stdin within 1 s.*"tty": true/);
    expect(await devctl(project, 'send', 'tty', 'r')).toMatchObject({ exitCode: 0, stderr: '' });
    expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
  },
);

function quoted(word: string): string {
  return `'${word}'`;
}
