import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as pass } from 'node:timers/promises';
import { expect } from 'vitest';
import type { StopReport } from '../../src/stopping/report.ts';
import { devctl, startDevctl } from '../support/devctl.ts';
import { signalExactly } from '../support/end-processes.ts';
import { readProcesses, startOf } from '../support/read-processes.ts';
import { canRecycle, recycle } from '../support/recycled.ts';
import { parseReport, statusReport, stopReport } from '../support/reports.ts';
import type { SeenProcess } from '../support/seen-process.ts';
import { service, signalSupervisor, supervisorsOf } from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

/** Longer than every grace period, lock wait and deadline of a stop. */
const SUSPENDED_MS = 10_000;
/** Shorter than the suspension, and long enough for a service that gets little CPU time. */
const GRACE = '8s';

/** A service that writes a journal, and takes this long to end. */
function journal(project: TemporaryProject, name: string, downMs: number, more: object = {}) {
  return service('journal', [project.file('journal'), name, '0', String(downMs)], more);
}

function noted(project: TemporaryProject): string[] {
  const path = project.file('journal');
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
}

/** The process of a devctl command that was started here. */
function commandOf({ pid }: { readonly pid?: number | undefined }): SeenProcess {
  return readProcesses().find((one) => one.pid === pid) ?? expect.fail('the command has ended');
}

function leaderOf(project: TemporaryProject, name: string): SeenProcess {
  const { leader } = JSON.parse(readFileSync(project.file(`.pids/services/${name}.json`), 'utf8'));
  return readProcesses().find(({ pid }) => pid === leader.pid) ?? expect.fail(`no ${name}`);
}

// Again with another pid, should another process of this machine have got the one that is wanted.
fullTest(
  'a stop that was suspended for ten seconds, with a service that it has asked to end, goes on',
  {
    retry: 2,
  },
  async () => {
    await using outside = await temporaryProject();
    await using project = await temporaryProject();
    const services = {
      db: journal(project, 'db', 100),
      // Frozen with devctl, as in a laptop that sleeps or a container that is paused: it has used none of
      // its grace, and still takes most of it.
      web: journal(project, 'web', 1_500, { dependsOn: ['db'], stop: { grace: GRACE } }),
      brief: service('sleeper', [], { dependsOn: ['db'] }),
    };
    project.write('.devctl.json', JSON.stringify({ services }));
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    const [web, brief] = [leaderOf(project, 'web'), leaderOf(project, 'brief')];

    const stop = startDevctl(project, {}, 'stop', '--json');
    await until(() => noted(project).includes('web asked'));
    const command = commandOf(stop);
    signalExactly(command, 'SIGSTOP');
    signalExactly(web, 'SIGSTOP');
    await until(
      () => !readProcesses().some(({ pid, sid }) => pid === brief.pid || sid === brief.pid),
    );
    // A process that gets the pid of an ended service meanwhile is a bystander.
    await using strangers = canRecycle
      ? await recycle(
          [{ number: brief.pid, role: 'leads', words: ['node', 'server.js'] }],
          project.root,
          outside.root,
        )
      : null;
    await pass(SUSPENDED_MS);
    expect(noted(project)).not.toContain('db asked');
    signalExactly(web, 'SIGCONT');
    signalExactly(command, 'SIGCONT');

    const { exitCode, stdout, stderr } = await stop;
    expect(exitCode, stderr).toBe(0);
    const { report } = parseReport<StopReport>({ exitCode: exitCode ?? -1, stdout, stderr });
    expect(report.survivors).toEqual([]);
    expect(noted(project).slice(-4)).toEqual(['web asked', 'web down', 'db asked', 'db down']);
    expect(project.oracle.processes()).toEqual([]);
    expect(supervisorsOf(project)).toEqual([]);
    expect(strangers?.missing() ?? []).toEqual([]);
  },
);

fullTest('a start that was suspended goes on, or gives way to a stop', async () => {
  await using project = await temporaryProject();
  const services = {
    web: service('journal', [project.file('journal'), 'web', '700']),
    db: service('sleeper', [], { dependsOn: ['web'] }),
  };
  project.write('.devctl.json', JSON.stringify({ services }));
  const start = startDevctl(project, {}, 'start');
  await until(() => noted(project).includes('web born'));
  const command = commandOf(start);
  signalExactly(command, 'SIGSTOP');
  await until(() => existsSync(project.file('.pids/services/db.json')));
  expect(await devctl(project, 'start')).toMatchObject({
    exitCode: 6,
    stderr: expect.stringContaining(`devctl start (pid ${command.pid})`),
  });
  signalExactly(command, 'SIGCONT');
  expect(await start).toMatchObject({ exitCode: 0 });
  expect(project.oracle.processes().length).toBe(2);
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });

  const again = startDevctl(project, {}, 'start');
  await until(() => noted(project).filter((line) => line === 'web born').length === 2);
  const held = commandOf(again);
  signalExactly(held, 'SIGSTOP');
  const stopped = await devctl(project, 'stop');
  expect(stopped.exitCode, stopped.stderr).toBe(0);
  // The stop has replaced it. Or everything had come up while it slept, and it read that answer first.
  expect([6, 0]).toContain((await again).exitCode);
  expect(startOf(held.pid)).not.toBe(held.started);
  expect(project.oracle.processes()).toEqual([]);
});

fullTest('another stop reports a stop that is suspended', async () => {
  await using project = await temporaryProject();
  project.write(
    '.devctl.json',
    JSON.stringify({ services: { web: journal(project, 'web', 1_000) } }),
  );
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const first = startDevctl(project, {}, 'stop');
  await until(() => noted(project).includes('web asked'));
  const command = commandOf(first);
  signalExactly(command, 'SIGSTOP');
  const second = await devctl(project, 'stop');
  expect(second.exitCode).toBe(6);
  expect(second.stderr).toContain(`devctl stop (pid ${command.pid}) was suspended`);
  expect(second.stderr).toContain(`kill -CONT ${command.pid}`);
  expect(await devctl(project, 'stop', '--force')).toMatchObject({ exitCode: 0 });
  await first;
  expect([...project.oracle.processes(), ...supervisorsOf(project)]).toEqual([]);
});

fullTest(
  'a supervisor that was suspended during a start is shown by status and ended by stop',
  async () => {
    await using project = await temporaryProject();
    const services = { web: service('journal', [project.file('journal'), 'web', '60000']) };
    project.write('.devctl.json', JSON.stringify({ services }));
    const start = startDevctl(project, {}, 'start');
    await until(() => noted(project).includes('web born'));
    await signalSupervisor(project, 'SIGSTOP');
    expect((await statusReport(project)).report.services).toMatchObject([{ name: 'web' }]);
    const { exitCode, stderr, report } = await stopReport(project);
    expect(exitCode, stderr).toBe(0);
    expect(report.supervisor).toMatchObject({ ended: true });
    expect((await start).exitCode).not.toBe(0);
    expect(project.oracle.everything()).toEqual([]);
  },
);

test('a supervisor that was suspended during a stop is ended by that stop', async () => {
  await using project = await temporaryProject();
  project.write(
    '.devctl.json',
    JSON.stringify({ services: { web: journal(project, 'web', 700) } }),
  );
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const stop = startDevctl(project, {}, 'stop', '--json');
  await until(() => noted(project).includes('web asked'));
  await signalSupervisor(project, 'SIGSTOP');
  const { exitCode, stdout, stderr } = await stop;
  expect(exitCode, stderr).toBe(0);
  const { report } = parseReport<StopReport>({ exitCode: exitCode ?? -1, stdout, stderr });
  expect(report.supervisor).toMatchObject({ ended: true });
  expect(noted(project)).toContain('web down');
  expect(project.oracle.everything()).toEqual([]);
});
