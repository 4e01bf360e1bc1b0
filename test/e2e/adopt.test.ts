import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { projectFolder } from '../../src/project/folder.ts';
import { readRecord } from '../../src/project/records.ts';
import { devctl } from '../support/devctl.ts';
import { killAtOnce, service, signalSupervisor, supervisorsOf } from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

async function adopt(project: TemporaryProject) {
  const { exitCode, stdout, stderr } = await devctl(project, 'adopt', '--json');
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return JSON.parse(stdout);
}

/** Reads the state of a service from its record, because `status` takes long where each look runs `ps`. */
function stateOf(project: TemporaryProject, name: string) {
  const read = readRecord(projectFolder(project.root, project.file('.pids')), name);
  if (read.kind !== 'record') return null;
  const { state, reason, exit, restarts, leader } = read.record;
  return { state, reason, exit, restarts, pid: leader?.pid ?? null };
}

test('adopt after the supervisor was killed: the same processes run on, with exits, probes and policies as before', async () => {
  const sick = 'test ! -e sick';
  await using project = await temporaryProject({
    services: {
      plain: service('sleeper'),
      healing: service('sleeper', [], { restart: { policy: 'on-failure', backoff: 0 } }),
      probed: service('sleeper', [], {
        live: { exec: sick, interval: '100ms', failures: 1 },
        restart: { policy: 'on-failure', backoff: 0 },
      }),
      gone: service('sleeper'),
    },
  });
  expect(await adopt(project)).toMatchObject({ supervisor: null, services: [] });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  // A liveness probe may run at any moment.
  const processes = () =>
    project.oracle
      .processes()
      .filter(({ argv }) => argv.join(' ').includes('sleeper.mjs'))
      .map(({ pid }) => pid)
      .sort();
  const before = processes();
  const leaders = new Map<string, unknown>();
  for (const name of ['plain', 'healing', 'probed']) leaders.set(name, stateOf(project, name)?.pid);
  const old = await signalSupervisor(project, 'SIGKILL');
  const manifest = JSON.parse(readFileSync(project.file('.devctl.json'), 'utf8'));
  delete manifest.services.gone;
  project.write('.devctl.json', JSON.stringify(manifest));

  const taken = await adopt(project);
  const [supervisor] = supervisorsOf(project);
  expect(supervisor?.pid).not.toBe(old.pid);
  expect(taken).toMatchObject({
    version: 1,
    supervisor: { pid: supervisor?.pid, isNew: true },
    services: [
      { name: 'gone', state: 'ready', restart: null, live: false },
      { name: 'healing', pid: leaders.get('healing'), restart: 'on-failure', live: false },
      { name: 'plain', pid: leaders.get('plain'), restart: 'no' },
      { name: 'probed', pid: leaders.get('probed'), restart: 'on-failure', live: true },
    ],
    leases: [],
  });
  expect(processes()).toEqual(before);
  const { stdout } = await devctl(project, 'adopt');
  expect(stdout).toContain('gone: ready');
  expect(stdout).toContain('not in the manifest: watched, but never started again');
  expect(stdout).toContain(`its supervisor (pid ${supervisor?.pid}) cares for 4 services`);

  for (const name of ['plain', 'healing']) {
    const one = project.oracle.processes().find(({ pid }) => pid === leaders.get(name));
    if (!one) throw new Error(`${name} does not run`);
    await killAtOnce(one);
  }
  project.write('sick', '');
  await until(() => stateOf(project, 'plain')?.state === 'failed');
  expect(stateOf(project, 'plain')).toMatchObject({
    reason: 'ended, exit code unknown (it was taken over)',
    exit: { code: null, signal: null },
  });
  for (const name of ['healing', 'probed']) {
    await until(
      () => {
        const now = stateOf(project, name);
        return now?.pid && now.pid !== leaders.get(name) && now.restarts > 0;
      },
      () => name,
    );
  }
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
  expect(project.oracle.everything()).toEqual([]);
});

fullTest.each(['adopt', 'start other'])('an interrupted restart goes on with: %s', async (by) => {
  await using project = await temporaryProject({
    services: {
      task: {
        command: 'if [ -e well ]; then exec sleep 120; else exit 3; fi',
        restart: { policy: 'on-failure', backoff: '1h' },
      },
      other: service('sleeper'),
    },
  });
  await devctl(project, 'start', 'task');
  await until(() => stateOf(project, 'task')?.state === 'backoff');
  await devctl(project, 'start', 'other');
  await signalSupervisor(project, 'SIGKILL');
  expect((await devctl(project, 'status')).stdout).toContain(
    'go on with it: npx --no-install devctl adopt',
  );
  const manifest = JSON.parse(readFileSync(project.file('.devctl.json'), 'utf8'));
  manifest.services.task.restart.backoff = '100ms';
  project.write('.devctl.json', JSON.stringify(manifest));
  project.write('well', '');
  expect(await devctl(project, ...by.split(' '))).toMatchObject({ exitCode: 0 });
  await until(() => stateOf(project, 'task')?.state === 'running');
  expect(stateOf(project, 'task')).toMatchObject({ restarts: 1 });
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
  expect(project.oracle.everything()).toEqual([]);
});
