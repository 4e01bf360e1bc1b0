import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, utimesSync } from 'node:fs';
import { setTimeout as pass } from 'node:timers/promises';
import { expect } from 'vitest';
import type { StopReport } from '../../src/stopping/report.ts';
import { devctl, devctlWith, startDevctl } from '../support/devctl.ts';
import { signalExactly } from '../support/end-processes.ts';
import { journal, noted, processOf } from '../support/journal.ts';
import { readProcesses } from '../support/read-processes.ts';
import { canRecycle, type Recycled, recycle } from '../support/recycled.ts';
import { parseReport } from '../support/reports.ts';
import { killAtOnce, service, signalSupervisor, supervisorsOf } from '../support/services.ts';
import { eachModeIf, fullTest } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

/** Longer than every grace period, lock wait and deadline of a stop, in milliseconds. */
const SUSPENDED_MS = 10_000;

const MODES: [string, string[], Record<string, string>][] = [
  ['stop', ['stop'], {}],
  ['stop --force on the portable table', ['stop', '--force'], { DEVCTL_PROCESS_TABLE: 'portable' }],
];

/** Ends the leader of a service, or another process of it, and waits until its pid is free. */
async function free(project: TemporaryProject, pid: number): Promise<number> {
  const target = project.oracle.everything().find((one) => one.pid === pid);
  await killAtOnce(target ?? expect.fail(`no process ${pid}`));
  await untilFree(pid);
  return pid;
}

/** Waits until a pid can be given out again. Until its parent has reaped it, a zombie has it, and so has a group. */
async function untilFree(pid: number): Promise<void> {
  const holds = (one: { pid: number; pgid: number; sid: number }) =>
    [one.pid, one.pgid, one.sid].includes(pid);
  await until(() => !readProcesses().some(holds));
}

function leaderOf(project: TemporaryProject, name: string): number {
  return JSON.parse(readFileSync(project.file(`.pids/services/${name}.json`), 'utf8')).leader.pid;
}

// Again with other pids, should another process of this machine have got one of them.
eachModeIf(canRecycle)(MODES)(
  'bystanders that have pids of our records survive: %s',
  { retry: 2 },
  async (_name, args, env) => {
    await using outside = await temporaryProject();
    await using project = await temporaryProject({
      services: {
        leader: service('sleeper'),
        session: service('sleeper'),
        orphans: service('sleeper'),
        family: service('fan', ['2']),
      },
    });
    const run = (...words: readonly string[]) => devctlWith(project, { env }, ...words);
    expect(await run('start')).toMatchObject({ exitCode: 0 });
    const family = leaderOf(project, 'family');
    const child = project.oracle.processes().find(({ ppid }) => ppid === family)?.pid ?? 0;
    const ledger = readdirSync(project.file('.pids/ledger'))
      .map((name) => readFileSync(project.file(`.pids/ledger/${name}`), 'utf8'))
      .join('');
    expect(ledger).toContain(`,${child},`);

    // The portable table has whole seconds. In them no pid comes round again, unless somebody sees to it.
    const otherSecond = Date.now() + 2_000;
    if ('DEVCTL_PROCESS_TABLE' in env) await until(() => Date.now() > otherSecond);

    const here = project.root;
    const words = ['node', 'server.js'];
    const strangers: Recycled[] = [
      { number: await free(project, leaderOf(project, 'leader')), role: 'alone', words },
      {
        number: await free(project, leaderOf(project, 'session')),
        role: 'leads',
        words,
      },
      { number: await free(project, leaderOf(project, 'orphans')), role: 'left', words },
      { number: await free(project, child), role: 'alone', words },
    ];
    // The founding files are as old as the latest of these processes; a clock that was set back since
    // then has them lie in the future, so that no process seems to be younger.
    const tomorrow = Date.now() / 1000 + 86_400;
    for (const name of ['services.pids', 'services.pids.groups', 'services.pids.services']) {
      utimesSync(project.file(`.pids/${name}`), tomorrow, tomorrow);
    }
    await using first = await recycle(strangers, here, outside.root);
    const supervisor = await signalSupervisor(project, 'SIGKILL');
    await untilFree(supervisor.pid);
    const twin = supervisor.argv;
    // The lock of a command that was killed.
    const dead = spawn('sleep', ['120'], { stdio: 'ignore' });
    const { started, pid = 0 } = readProcesses().find((one) => one.pid === dead.pid) ?? {};
    dead.kill('SIGKILL');
    await once(dead, 'exit');
    const { bootId, pidNamespace } = JSON.parse(
      readFileSync(project.file('.pids/supervisor.json'), 'utf8'),
    ).identity;
    const identity = { pid, startTicks: Number(started), bootId, pidNamespace };
    const lock = { schema: 1, identity, command: 'stop', at: '', token: 'a'.repeat(32) };
    project.write('.pids/lock', JSON.stringify(lock));
    await using place = await temporaryProject();
    await using second = await recycle(
      [
        { number: supervisor.pid, role: 'leads', words: twin },
        { number: pid, role: 'alone', words: ['node', '/x/bin/devctl.js', 'stop'] },
      ],
      here,
      place.root,
    );

    expect((await run('status')).stderr).not.toMatch(/\n\s+at /);
    const { exitCode, stdout, stderr } = await run(...args);
    expect([...first.missing(), ...second.missing()]).toEqual([]);
    expect(exitCode, stdout + stderr).toBe(0);
    expect(project.oracle.processes()).toEqual([]);
    expect(await devctl(project, 'start', 'leader')).toMatchObject({ exitCode: 0 });
    expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
    expect([...first.missing(), ...second.missing()]).toEqual([]);
  },
);

// Alone, because the next pids of the whole machine are chosen: those of other tests would be handed out again at
// once. And again with another pid, should another process of this machine have got the one that is wanted.
fullTest(
  'a stop that was suspended for ten seconds, with a service that it has asked to end, goes on',
  { retry: 2 },
  async () => {
    await using outside = await temporaryProject();
    await using project = await temporaryProject();
    const services = {
      db: journal(project, 'db', 100),
      // Frozen with devctl, as in a laptop that sleeps or a container that is paused: it has used none of
      // its grace, which is shorter than the suspension, and still takes most of it.
      web: journal(project, 'web', 1_500, { dependsOn: ['db'], stop: { grace: '8s' } }),
      brief: service('sleeper', [], { dependsOn: ['db'] }),
    };
    project.write('.devctl.json', JSON.stringify({ services }));
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    const brief = leaderOf(project, 'brief');
    const web = processOf(leaderOf(project, 'web'));

    const stop = startDevctl(project, {}, 'stop', '--json');
    await until(() => noted(project).includes('web asked'));
    const command = processOf(stop.pid);
    signalExactly(command, 'SIGSTOP');
    signalExactly(web, 'SIGSTOP');
    await until(() => !readProcesses().some(({ pid, sid }) => pid === brief || sid === brief));
    // A process that gets the pid of an ended service meanwhile is a bystander.
    await using strangers = canRecycle
      ? await recycle(
          [{ number: brief, role: 'leads', words: ['node', 'server.js'] }],
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
