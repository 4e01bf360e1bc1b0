import { existsSync, readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { hasControlGroups } from '../support/control-groups.ts';
import { devctl, devctlWith } from '../support/devctl.ts';
import { fixture } from '../support/paths.ts';
import {
  guardsOf,
  killAtOnce,
  service,
  signalSupervisor,
  supervisorsOf,
} from '../support/services.ts';
import { eachMode, fullTest, test } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';

/** Starts a project, and another one whose service reads the environment of the first from a file. */
async function startBoth(first: TemporaryProject, env: Readonly<Record<string, string>> = {}) {
  expect(await devctl(first, 'start')).toMatchObject({ exitCode: 0 });
  const lines = readFileSync(first.file('env.txt'), 'utf8').split('\n');
  const marks = lines.filter((line) => /^(TURBO_)?DEVCTL_(PROJECT|SERVICE|RUN)/.test(line));
  expect(marks.join(' ')).toContain('DEVCTL_PROJECT=');
  const second = await temporaryProject({
    services: {
      web: {
        command: [
          '/bin/sh',
          '-c',
          '. ./env.sh; setsid sleep 600 & exec "$0" "$@"',
          ...fixture('fan', '2'),
        ],
        ready: { log: '^ready$' },
      },
    },
  });
  second.write('env.sh', marks.map((line) => `export '${line}'\n`).join(''));
  expect(await devctlWith(second, { env }, 'start')).toMatchObject({ exitCode: 0 });
  return second;
}

const printing = {
  services: {
    api: {
      ...service('fan', ['1']),
      command: ['/bin/sh', '-c', 'env >env.txt; exec "$0" "$@"', ...fixture('fan', '1')],
    },
  },
};

eachMode<[string, readonly string[]]>([
  ['stop', ['stop']],
  ['stop --force', ['stop', '--force']],
])(
  'a service that has read the environment of another project belongs to its own: %s',
  async (_name, args) => {
    await using first = await temporaryProject(printing);
    await using second = await startBoth(first);
    const before = first.oracle.everything().map(({ pid }) => pid);
    const mine = second.oracle.processes().map(({ pid }) => pid);
    expect(mine.length).toBeGreaterThan(3);
    if (hasControlGroups) {
      const stop = await devctl(second, ...args);
      expect(stop.exitCode, stop.stdout + stop.stderr).toBe(0);
      expect(second.oracle.everything()).toEqual([]);
    }
    expect(first.oracle.everything().map(({ pid }) => pid)).toEqual(before);
    expect(await devctl(first, ...args)).toMatchObject({ exitCode: 0 });
    expect(first.oracle.everything()).toEqual([]);
  },
);

fullTest(
  'a stop of the project whose environment was read does not touch the service that has read it',
  async () => {
    await using first = await temporaryProject(printing);
    await using second = await startBoth(first);
    const before = second.oracle.everything().map(({ pid }) => pid);
    const stop = await devctl(first, 'stop', '--force');
    expect(stop.exitCode, stop.stdout + stop.stderr).toBe(0);
    expect(first.oracle.everything()).toEqual([]);
    expect(second.oracle.everything().map(({ pid }) => pid)).toEqual(before);
  },
);

fullTest.each<[string, Readonly<Record<string, string>>]>([
  ['without control groups', { DEVCTL_CGROUP: 'off' }],
  ['with control groups', {}],
])('nor when its supervisor was killed: the records there name it, %s', async (_name, env) => {
  await using first = await temporaryProject(printing);
  await using second = await startBoth(first, env);
  const residents = [...supervisorsOf(second), ...guardsOf(second)];
  for (const one of residents) await killAtOnce(one);
  const leader = JSON.parse(readFileSync(second.file('.pids/services/web.json'), 'utf8')).leader;
  const isLeader = ({ pid }: { readonly pid: number }) => pid === leader.pid;
  expect(second.oracle.processes().some(isLeader)).toBe(true);
  const stop = await devctl(first, 'stop', '--force');
  expect([0, 4], stop.stdout + stop.stderr).toContain(stop.exitCode);
  expect(second.oracle.processes().some(isLeader)).toBe(true);
});

fullTest(
  'without control groups the processes that nobody can tell apart are named, and the exit code is 4',
  async () => {
    await using first = await temporaryProject(printing);
    const env = { DEVCTL_CGROUP: 'off' };
    await using second = await startBoth(first, env);
    const before = first.oracle.everything().map(({ pid }) => pid);
    const stop = await devctlWith(second, { env }, 'stop');
    expect(stop.exitCode, stop.stdout).toBe(4);
    const left = second.oracle.processes();
    expect(left.length).toBeGreaterThan(0);
    for (const { pid } of left) expect(stop.stdout).toContain(`pid ${pid}: `);
    expect(first.oracle.everything().map(({ pid }) => pid)).toEqual(before);
  },
);

fullTest(
  'a process in doubt stays in doubt when the supervisor and the guard were killed, although its log names it too',
  async () => {
    await using first = await temporaryProject(printing);
    const env = { DEVCTL_CGROUP: 'off' };
    await using second = await startBoth(first, env);
    // It would take the orphans of the second for its own, because they carry its mark.
    await signalSupervisor(first, 'SIGSTOP');
    await signalSupervisor(second, 'SIGKILL');
    for (const guard of guardsOf(second)) await killAtOnce(guard);
    const before = first.oracle.everything().map(({ pid }) => pid);
    const stop = await devctlWith(second, { env }, 'stop');
    expect(stop.exitCode, stop.stdout).toBe(4);
    const left = second.oracle.processes();
    expect(left.length).toBeGreaterThan(0);
    for (const { pid } of left) expect(stop.stdout).toContain(`pid ${pid}: `);
    expect(existsSync(second.file('.pids/services/web.json'))).toBe(true);
    expect(first.oracle.everything().map(({ pid }) => pid)).toEqual(before);
  },
);

test('a start and a restart begin nothing beside a process in doubt whose leader has died, and name it', async () => {
  await using first = await temporaryProject(printing);
  const env = { DEVCTL_CGROUP: 'off' };
  await using second = await startBoth(first, env);
  const record = JSON.parse(readFileSync(second.file('.pids/services/web.json'), 'utf8'));
  const leader = second.oracle.processes().find(({ pid }) => pid === record.leader.pid);
  if (!leader) throw new Error('There is no leader');
  await killAtOnce(leader);
  const left = second.oracle.processes().map(({ pid }) => pid);
  expect(left.length).toBeGreaterThan(1);
  for (const words of [['start'], ['restart'], ['restart', 'web'], ['stop', 'web']]) {
    const { exitCode, stdout, stderr } = await devctlWith(second, { env }, ...words);
    expect(exitCode, stdout + stderr).toBe(4);
    const named = left.filter((pid) => new RegExp(`pid ${pid}\\b`).test(stdout + stderr));
    // The names of a command do not reach a process of which no evidence names a service.
    if (words[0] === 'start') expect(named).toEqual(left);
    else expect(named.length).toBeGreaterThan(0);
    expect(second.oracle.processes().map(({ pid }) => pid)).toEqual(left);
  }
});
