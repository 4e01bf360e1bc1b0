import { readFileSync, rmSync } from 'node:fs';
import { expect } from 'vitest';
import { hasControlGroups } from '../support/control-groups.ts';
import { devctl } from '../support/devctl.ts';
import { freePort, freePorts } from '../support/free-ports.ts';
import { fixture } from '../support/paths.ts';
import { startReport, statusReport } from '../support/reports.ts';
import {
  hasSubreaper,
  killAtOnce,
  removeRecords,
  service,
  signalSupervisor,
  supervisorsOf,
} from '../support/services.ts';
import { eachMode, fullTest, test } from '../support/sets.ts';
import { temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

test('status shows which services should run, which run, and what they use', async () => {
  const port = await freePort();
  const web = { command: fixture('tcp-server', String(port)), ports: [port], ready: { tcp: port } };
  await using project = await temporaryProject({
    services: {
      web,
      fan: service('fan', ['3']),
      seed: service('sleeper', [], { autostart: false }),
    },
  });
  const before = await devctl(project, 'status');
  expect(before.exitCode).toBe(3);
  expect(before.stdout).toMatch(/^web +stopped +-/m);

  const { report: started } = await startReport(project);
  const { exitCode, stdout, stderr } = await devctl(project, 'status');
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  const [title = '', ...rows] = stdout.trimEnd().split('\n');
  const columns = 'SERVICE STATE PID UPTIME PROCS MEMORY CPU PORTS RESTARTS';
  expect(title.trim().split(/ +/)).toEqual(columns.split(' '));
  expect(rows.length).toBe(3);
  const pid = started.services.find(({ name }) => name === 'web')?.pid;
  const row = new RegExp(`^web +ready +${pid} +\\d.*s +1 +\\d.*MB +\\d.*% +${port} +0`);
  expect(rows[0]).toMatch(row);
  expect(rows[1]).toMatch(/^fan +ready +\d+ +\d.*s +4 /);
  expect(rows[2]).toMatch(/^seed +stopped /);
  for (const line of [title, ...rows]) expect(line).not.toContain('\x1b');
  expect((await devctl(project, 'status', 'web')).stdout).not.toContain('fan');
});

test('status --json has the same for programs', async () => {
  await using project = await temporaryProject({ services: { web: service('fan', ['2']) } });
  const { report: started } = await startReport(project);
  const { exitCode, report } = await statusReport(project);
  expect(exitCode).toBe(0);
  expect(report).toEqual({
    version: 1,
    project: project.root,
    healthy: true,
    services: [
      {
        name: 'web',
        state: 'ready',
        reason: null,
        pid: started.services[0]?.pid,
        uptimeMs: expect.any(Number),
        processes: 3,
        orphans: 0,
        rssBytes: expect.any(Number),
        cpuPercent: expect.any(Number),
        ports: [],
        udpPorts: [],
        listening: [],
        urls: null,
        blockedBy: [],
        daemon: false,
        restarts: 0,
        done: false,
        exit: null,
        wanted: true,
        oneOff: false,
        changed: [],
        adHoc: false,
        undeclared: false,
      },
    ],
    orphans: [],
    supervisor: { pid: supervisorsOf(project)[0]?.pid },
    capabilities: {
      subreaper: { held: hasSubreaper, why: hasSubreaper ? null : expect.any(String) },
      pidfd: { held: expect.any(Boolean), why: hasSubreaper ? null : expect.any(String) },
      cgroup: { held: hasControlGroups, why: hasControlGroups ? null : expect.any(String) },
    },
    unattributed: [],
    leases: [],
    breaches: [],
    containers: null,
    stale: [],
    problems: [],
  });
});

test('start and status --urls name where services can be opened, and ask nobody', async () => {
  const [http, own, undeclared] = await freePorts(3);
  const listen = (port: number | undefined, first = '', then = ''): string[] => [
    process.execPath,
    '-e',
    `const server = require('http').createServer((request, answer) => {
       require('fs').appendFileSync('requests', request.url + '\\n'); answer.end();
     });
     console.log(${first});
     server.listen(${port}, '127.0.0.1', () => console.log(${then}));`,
  ];
  const named = `'\\x1b[36mhttp://0.0.0.0:\\x1b[1m${own}\\x1b[22m/app/\\x1b[39m, beside http://localhost:1/'`;
  await using project = await temporaryProject({
    services: {
      api: { command: listen(http), ready: { http: `http://127.0.0.1:${http}/health` } },
      web: { command: listen(own, named), ports: [own] },
      site: {
        command: listen(undeclared, '', `'on http://localhost:${undeclared}.'`),
        ready: { log: 'on' },
      },
      quiet: service('sleeper'),
    },
  });
  const start = await devctl(project, 'start');
  expect(start).toMatchObject({ exitCode: 0 });
  const lines = [
    `api   http://127.0.0.1:${http}`,
    `web   http://localhost:${own}/app/`,
    `site  http://localhost:${undeclared}`,
  ];
  expect(start.stdout).toContain(`${lines.map((line) => `  ${line}`).join('\n')}\n`);
  const status = await devctl(project, 'status', '--urls');
  expect(status).toMatchObject({ exitCode: 0, stdout: lines.join('\n') });
  const { stdout } = await devctl(project, 'status', '--urls', '--json', 'web');
  expect(JSON.parse(stdout)).toMatchObject({
    services: [{ urls: [`http://localhost:${own}/app/`] }],
  });
  const requests = new Set(readFileSync(project.file('requests'), 'utf8').trim().split('\n'));
  expect([...requests]).toEqual(['/health']);
});

test('status shows how a service ended, and what it left behind', async () => {
  await using project = await temporaryProject({
    services: { web: service('own-session'), db: service('sleeper') },
  });
  const { report: started } = await startReport(project);
  const pid = started.services.find(({ name }) => name === 'web')?.pid;
  const leader = project.oracle.processes().find((one) => one.pid === pid);
  if (!leader) throw new Error('no leader');
  await killAtOnce(leader);
  const ended = await until(async () => {
    const { exitCode, report } = await statusReport(project);
    const web = report.services.find(({ name }) => name === 'web');
    // Its end is visible at once; the supervisor says a moment later how it ended.
    const isTold = web?.reason?.includes('SIGKILL') ?? false;
    return exitCode === 3 && isTold ? { report, web } : null;
  });
  expect(ended.web).toMatchObject({ pid: null, orphans: 1, processes: 1 });
  const [orphan] = ended.report.orphans;
  expect(orphan).toMatchObject({ service: 'web' });
  expect(orphan?.evidence).not.toEqual([]);
  const { stdout, stderr } = await devctl(project, 'status');
  expect(stdout).toContain('1 orphan of runs that have ended, or whose records are gone');
  expect(stdout).toContain(String(orphan?.pid));
  expect(stdout).toContain('\n  → npx --no-install devctl logs web\n');
  expect(stderr).toContain('→ npx --no-install devctl stop ends them');
});

test('status works without a supervisor', async () => {
  await using project = await temporaryProject({ services: { web: service('fan', ['2']) } });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  await signalSupervisor(project, 'SIGKILL');
  const { exitCode, stdout, stderr } = await devctl(project, 'status');
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(/^web +ready +\d+ .* 3 /m);
  expect(stderr).toContain('no supervisor is running');
  expect(supervisorsOf(project)).toEqual([]);
});

eachMode([
  ['broken', '{', '.devctl.json'],
  ['of a wrong shape', '{"services": 7}', 'services'],
])('status works with a manifest that is %s', async (_how, text, named) => {
  await using project = await temporaryProject({ services: { web: service('fan', ['2']) } });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  project.write('.devctl.json', text);
  const { stdout, stderr } = await devctl(project, 'status');
  expect(stdout).toMatch(/^web +ready +\d+ .* 3 /m);
  expect(stderr).toContain(named);
  expect(stderr).not.toMatch(/\n\s+at /);
});

fullTest('status still sees the processes after the records were deleted', async () => {
  await using project = await temporaryProject({ services: { web: service('fan', ['2']) } });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  await removeRecords(project);
  const { exitCode, report } = await statusReport(project);
  expect(exitCode).toBe(3);
  expect(report.orphans.length).toBe(3);
  const pids = project.oracle.processes().map(({ pid }) => pid);
  expect(report.orphans.map(({ pid }) => pid).sort()).toEqual(pids.sort());
});

test('status changes nothing: no folder, no file, no process', async () => {
  await using project = await temporaryProject({ services: { web: service('sleeper') } });
  expect(await devctl(project, 'status')).toMatchObject({ exitCode: 3 });
  expect(() => rmSync(project.file('.pids'), { recursive: true })).toThrow('ENOENT');
  expect(project.oracle.everything()).toEqual([]);
});
