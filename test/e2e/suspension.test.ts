import { existsSync } from 'node:fs';
import { expect } from 'vitest';
import type { StopReport } from '../../src/stopping/report.ts';
import { devctl, startDevctl } from '../support/devctl.ts';
import { signalExactly } from '../support/end-processes.ts';
import { journal, noted, processOf } from '../support/journal.ts';
import { startOf } from '../support/read-processes.ts';
import { parseReport, statusReport, stopReport } from '../support/reports.ts';
import { service, signalSupervisor, supervisorsOf } from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

fullTest('a start that was suspended goes on, or gives way to a stop', async () => {
  await using project = await temporaryProject();
  const services = {
    web: service('journal', [project.file('journal'), 'web', '700']),
    db: service('sleeper', [], { dependsOn: ['web'] }),
  };
  project.write('.devctl.json', JSON.stringify({ services }));
  const start = startDevctl(project, {}, 'start');
  await until(() => noted(project).includes('web born'));
  const command = processOf(start.pid);
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
  const held = processOf(again.pid);
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
  const command = processOf(first.pid);
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
