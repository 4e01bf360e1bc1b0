import { chmodSync, readFileSync, statSync } from 'node:fs';
import { expect } from 'vitest';
import { devctl } from '../support/devctl.ts';
import { RUNAWAY_MS, runaway, writeRunaway } from '../support/runaway.ts';
import { service, signalSupervisor } from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

test('report: shows what a real project did, while it runs and after it was stopped', async () => {
  await using project = await temporaryProject({
    name: 'shop',
    services: {
      db: service('fan', ['2'], { ready: { delay: 50 } }),
      web: service('sleeper', [], {
        dependsOn: ['db'],
        restart: { policy: 'on-failure', backoff: '50ms' },
      }),
    },
  });
  const told = async (...args: readonly string[]) =>
    JSON.parse((await devctl(project, 'report', '--json', ...args)).stdout);
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  const status = JSON.parse((await devctl(project, 'status', '--json')).stdout);
  const { pid } = status.services.find(({ name }: { name: string }) => name === 'web');
  process.kill(pid, 'SIGKILL');
  const restarted = async () => {
    const { services } = await told();
    const web = services.find(({ name }: { name: string }) => name === 'web');
    return web?.restarts[0]?.againMs != null && web.state === 'ready';
  };
  await until(restarted);
  // The peak of db must have been sampled as well.
  await until(async () => (await told()).services[0].peak?.processes.value === 3);

  const running = await devctl(project, 'report');
  expect(running).toMatchObject({ exitCode: 0, stderr: '' });
  expect(running.stdout).toMatch(/^web was restarted 1 time\n/);
  expect(running.stdout).toMatch(/left now 2 services run \(4 processes/);
  expect(running.stdout).toMatch(/web {2}ready, up .*, 1 restart\n/);
  expect(running.stdout).toMatch(/\d\d:\d\d:\d\d web: ended by SIGKILL; restart 1 after a pause/);

  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
  const after = await told();
  expect(after).toMatchObject({
    version: 1,
    name: 'shop',
    project: project.root,
    verdict: { grew: null, left: { services: [], orphans: [], unattributed: 0, proved: true } },
    breaches: [],
    lastStart: {
      rows: [
        { name: 'db', outcome: 'ready' },
        { name: 'web', dependsOn: ['db'], outcome: 'ready' },
      ],
    },
    lastStop: { kind: 'stop', survivors: [] },
    problems: [],
  });
  expect(after.services.map(({ state }: { state: string }) => state)).toEqual(['idle', 'idle']);
  expect(after.period.untilMs).toBeLessThan(after.atMs + 1);
  const stored = JSON.parse(readFileSync(project.file('.pids/last-stop.json'), 'utf8'));
  expect(after.lastStop.processes).toEqual(stored.processes);
  // Where looking takes long (the portable table on a busy machine), samples are few.
});

const BEGAN = 'the supervisor began';

fullTest(
  'report: a full stop ends the session, also the session of a killed supervisor',
  async () => {
    await using project = await temporaryProject({ services: { web: service('sleeper') } });
    await devctl(project, 'start');
    await signalSupervisor(project, 'SIGKILL');
    expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
    const before = JSON.parse((await devctl(project, 'report', '--json')).stdout);
    expect(before).toMatchObject({
      moments: [{ what: BEGAN }, { what: 'the supervisor ended' }],
      earlier: null,
    });
    await devctl(project, 'start');
    const { earlier, moments } = JSON.parse((await devctl(project, 'report', '--json')).stdout);
    expect(moments).toMatchObject([{ what: BEGAN }]);
    expect(earlier).not.toBeNull();
  },
);

fullTest(
  'report: works after a runaway, with a broken manifest, with damaged files and without files',
  async () => {
    await using project = await temporaryProject('{ "services": { "web": ');
    writeRunaway(project.root, runaway(Date.now() - RUNAWAY_MS));
    const { stdout } = await devctl(project, 'report');
    expect(stdout).toMatch(/^web grew from 160\.0 MB to 6\.2 GB, beyond the limit of 6\.0 GB\n/);
    expect(stdout).toMatch(/because {2}node <\/script>.*pid 4242 and below: 96 processes, 6\.1 GB/);
    expect(stdout).toMatch(/left now Nothing \(proof complete, 17 scans/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: no control character of theirs gets through
    expect(stdout).not.toMatch(/[\u001B\u202E]/);

    // Only the owner may read the page, because it shows command lines, which may hold secrets.
    expect(await devctl(project, 'report', '--html', 'r.html')).toMatchObject({ exitCode: 0 });
    expect(statSync(project.file('r.html')).mode & 0o777).toBe(0o600);
    project.write('open.html', '');
    chmodSync(project.file('open.html'), 0o666);
    expect(await devctl(project, 'report', '--html', 'open.html')).toMatchObject({ exitCode: 0 });
    expect(statSync(project.file('open.html')).mode & 0o777).toBe(0o600);
    const page = await devctl(project, 'report', '--html', '-');
    expect(page.stdout).toMatch(/^<!doctype html>\n[\s\S]*<\/html>$/);
    const nowhere = await devctl(project, 'report', '--html', 'none/r.html');
    expect(nowhere).toMatchObject({ exitCode: 1, stdout: '' });
    expect(nowhere.stderr).toMatch(/cannot write none\/r\.html: ENOENT.*\n.*name another file/);
    expect(await devctl(project, 'report', '--html', '-', '--json')).toMatchObject({ exitCode: 2 });
    expect(await devctl(project, 'report', '--since', 'soon')).toMatchObject({ exitCode: 2 });
    const late = await devctl(project, 'report', '--since', '1s');
    expect(late.stdout).toMatch(/^Of this time only the last stop is known\n/);
    expect(late.stderr).toMatch(
      /history before that, with 2 limit breaches: npx --no-install devctl report --since/,
    );

    project.write(
      '.pids/history/events.ndjson',
      '{"kind":"change"\n\u0000\n{"atMs":9e15,"kind":"supervisor","what":"began"}\n',
    );
    project.write('.pids/last-stop.json', '[]');
    const damaged = await devctl(project, 'report');
    expect(damaged.exitCode).toBe(0);
    expect(damaged.stdout).toMatch(/^web grew from 3 to 97 processes\n/);
    expect(damaged.stderr).toMatch(/2 lines of the history could not be read/);
    expect(damaged.stderr).toMatch(/1 line of the history lies in the future/);
    expect(damaged.stderr).toMatch(/last-stop\.json: no report of a stop can be read/);

    await using empty = await temporaryProject();
    expect(await devctl(empty, 'report')).toMatchObject({ exitCode: 2 });
    await using fresh = await temporaryProject({ services: { web: service('sleeper') } });
    const nothing = await devctl(fresh, 'report');
    expect(nothing).toMatchObject({ exitCode: 0 });
    expect(nothing.stdout).toMatch(/^Nothing is known of what happened here\n/);
  },
);
