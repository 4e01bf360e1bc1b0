import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { expect } from 'vitest';
import { serviceCookie } from '../../src/ownership/cookie.ts';
import { projectFolder } from '../../src/project/folder.ts';
import { readRecords } from '../../src/project/records.ts';
import { controlGroupOf, hasControlGroups } from '../support/control-groups.ts';
import { devctl, devctlWith, startDevctl } from '../support/devctl.ts';
import { marksOf } from '../support/marks.ts';
import { fixture, repositoryRoot } from '../support/paths.ts';
import { statusReport, stopReport } from '../support/reports.ts';
import { removeAll, service, signalSupervisor } from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

const PROGRAM = join(repositoryRoot, 'bin', 'devctl.js');
const NO_NATIVE = { env: { DEVCTL_NATIVE: 'off' } };

function recordsOf(project: TemporaryProject) {
  return readRecords(projectFolder(project.root, project.file('.pids'))).records;
}

/** A daemon without environment, session and parent, and a child that ignores SIGTERM. */
const escaping = () => ({
  services: {
    bare: service('double-fork', ['--empty-env']),
    stubborn: service('stubborn', [], { stop: { grace: '200ms' } }),
  },
});

fullTest.runIf(hasControlGroups)(
  'nothing leaves its group without native calls, after the supervisor was killed',
  async () => {
    await using project = await temporaryProject(escaping());
    expect(await devctlWith(project, NO_NATIVE, 'start')).toMatchObject({ exitCode: 0 });
    const group = controlGroupOf(project.root) ?? '';
    expect(readdirSync(group).filter((name) => /^[0-9a-f]{32}$/.test(name)).length).toBe(2);
    await signalSupervisor(project, 'SIGKILL');
    // Only the group knows the daemon now, because the ledger is gone.
    rmSync(project.file('.pids/ledger'), { recursive: true });
    const { exitCode, report } = await stopReport(project);
    expect(exitCode).toBe(0);
    expect(project.oracle.everything()).toEqual([]);
    expect(report.proof).toMatchObject({ strength: 'complete', why: null });
    expect(report.capabilities.cgroup).toEqual({ held: true, why: null });
    const bare = report.processes.filter(({ service: of }) => of === 'bare');
    expect(bare.every(({ evidence }) => evidence.some(({ kind }) => kind === 'cgroup'))).toBe(true);
    expect(existsSync(group)).toBe(false);
  },
);

fullTest.runIf(hasControlGroups)(
  'a group that is missing here proves nothing about a group in another cgroup namespace',
  async () => {
    await using project = await temporaryProject(escaping());
    expect(await devctlWith(project, NO_NATIVE, 'start')).toMatchObject({ exitCode: 0 });
    await signalSupervisor(project, 'SIGKILL');
    for (const { service: name } of recordsOf(project)) {
      const path = project.file(`.pids/services/${name}.json`);
      const record = JSON.parse(readFileSync(path, 'utf8'));
      const view = record.cgroup.view.replace(/\d+/, '1');
      writeFileSync(path, JSON.stringify({ ...record, cgroup: { ...record.cgroup, view } }));
    }
    const { exitCode, report } = await stopReport(project);
    expect(exitCode).toBe(0);
    expect(report.proof.strength).toBe('best-effort');
  },
);

fullTest.runIf(hasControlGroups)(
  'a supervisor that was started inside of a service stops it without freezing itself',
  async () => {
    await using project = await temporaryProject(escaping());
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    const record = recordsOf(project).find(({ service: name }) => name === 'stubborn');
    const { identity } = JSON.parse(readFileSync(project.file('.pids/supervisor.json'), 'utf8'));
    writeFileSync(join(record?.cgroup?.path ?? '', 'cgroup.procs'), String(identity.pid));
    // From inside: the supervisor carries out the stop, and ends the command with the service.
    const { mark: projectId } = projectFolder(project.root);
    const env = serviceCookie(marksOf(projectId), 'stubborn', record?.runId ?? '');
    await devctlWith(project, { env }, 'stop');
    await until(() => project.oracle.everything().length === 0);
    expect(existsSync(project.file('.pids/last-stop.json'))).toBe(true);
  },
);

test.runIf(hasControlGroups)('stop finds the groups without records', async () => {
  await using project = await temporaryProject(escaping());
  expect(await devctlWith(project, NO_NATIVE, 'start')).toMatchObject({ exitCode: 0 });
  await signalSupervisor(project, 'SIGKILL');
  await removeAll(project.file('.pids'));
  expect(await devctl(project, 'stop', '--force')).toMatchObject({ exitCode: 0 });
  expect(project.oracle.everything()).toEqual([]);
  expect(existsSync(controlGroupOf(project.root) ?? '')).toBe(false);
});

fullTest.runIf(hasControlGroups)(
  'processes that a killed devctl has left frozen get their grace period',
  async () => {
    const file = 'cleaned';
    await using project = await temporaryProject({
      services: { web: service('needs-grace', [file, '10']) },
    });
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    const [record] = recordsOf(project);
    const freeze = join(record?.cgroup?.path ?? '', 'cgroup.freeze');
    writeFileSync(freeze, '1');
    expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
    expect(readFileSync(freeze, 'utf8')).toBe('0\n');
    writeFileSync(freeze, '1');
    const { exitCode, report } = await stopReport(project);
    expect(exitCode).toBe(0);
    expect(readFileSync(project.file(file), 'utf8')).toBe('cleaned');
    expect(report.processes.every(({ endedBy }) => endedBy !== 'SIGKILL')).toBe(true);
  },
);

fullTest.runIf(hasControlGroups)('a service that ended by itself leaves no group', async () => {
  await using project = await temporaryProject({
    services: { web: service('sleeper'), task: { command: ['true'] } },
  });
  await devctl(project, 'start');
  await until(() =>
    recordsOf(project).some(({ state }) => state === 'exited' || state === 'failed'),
  );
  const group = controlGroupOf(project.root) ?? '';
  const runs = () => readdirSync(group).filter((name) => /^[0-9a-f]{32}$/.test(name));
  await until(() => runs().length === 1);
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
});

fullTest.runIf(hasControlGroups)(
  'many one-offs at once each get a group of their own',
  async () => {
    await using project = await temporaryProject({ services: { web: service('sleeper') } });
    const names = Array.from({ length: 12 }, (_, index) => `one-${index}`);
    const runs = names.map((name) =>
      startDevctl(project, {}, 'run', '--name', name, '--', 'sleep', '120'),
    );
    await until(() => recordsOf(project).filter(({ leader }) => leader).length === names.length);
    expect(recordsOf(project).map(({ cgroup }) => cgroup?.held)).toEqual(names.map(() => true));
    for (const run of runs) run.kill('SIGKILL');
    const { exitCode, report } = await stopReport(project);
    await Promise.all(runs);
    expect(exitCode).toBe(0);
    expect(report.proof).toMatchObject({ strength: 'complete', why: null });
    expect(project.oracle.everything()).toEqual([]);
  },
);

test.runIf(hasControlGroups)(
  'a process that has moved itself out of its group makes the proof best effort',
  async () => {
    const group = 'echo $$ > "$OUT/cgroup.procs"; echo ready; exec sleep 100';
    await using project = await temporaryProject({
      services: { web: { command: group, ready: { log: '^ready$' } } },
    });
    const own = controlGroupOf(project.root) ?? '';
    const elsewhere = join(dirname(own), `elsewhere-${basename(own)}`);
    mkdirSync(elsewhere);
    try {
      const env = { ...NO_NATIVE.env, OUT: elsewhere };
      expect(await devctlWith(project, { env }, 'start')).toMatchObject({ exitCode: 0 });
      // The record remembers it, because the process may be gone at the time of the stop.
      await until(() => recordsOf(project)[0]?.cgroup?.held === false);
      const { exitCode, report } = await stopReport(project);
      expect(exitCode).toBe(0);
      expect(report.proof.strength).toBe('best-effort');
      expect(project.oracle.everything()).toEqual([]);
    } finally {
      await removeGroupWhenEmpty(elsewhere);
    }
  },
);

fullTest.runIf(hasControlGroups)(
  'a process that moves itself out of its group while the manifest is away is noted once the manifest is back',
  async () => {
    const group = 'until [ -e go ]; do sleep 0.1; done; echo $$ > "$OUT/cgroup.procs"; touch out';
    await using project = await temporaryProject({
      services: { web: { command: `${group}; exec sleep 100` } },
    });
    const own = controlGroupOf(project.root) ?? '';
    const elsewhere = join(dirname(own), `elsewhere-${basename(own)}`);
    mkdirSync(elsewhere);
    try {
      const env = { OUT: elsewhere };
      expect(await devctlWith(project, { env }, 'start')).toMatchObject({ exitCode: 0 });
      renameSync(project.file('.devctl.json'), project.file('away'));
      project.write('go', '');
      const log = () => readFileSync(project.file('.pids/supervisor.log'), 'utf8');
      await until(() => existsSync(project.file('out')) && log().includes('is missing'), log);
      expect(recordsOf(project)[0]?.cgroup?.held).toBe(true);
      renameSync(project.file('away'), project.file('.devctl.json'));
      await until(() => recordsOf(project)[0]?.cgroup?.held === false, log);
      expect((await stopReport(project)).exitCode).toBe(0);
      expect(project.oracle.everything()).toEqual([]);
    } finally {
      await removeGroupWhenEmpty(elsewhere);
    }
  },
);

fullTest.runIf(hasControlGroups)(
  'the group of a run that only a nested project has kept goes with that project',
  async () => {
    await using inner = await temporaryProject({ services: { web: service('sleeper') } });
    const start = `'${process.execPath}' '${PROGRAM}' start --config '${inner.file('.devctl.json')}'`;
    const shell = {
      command: `${start} && echo started; sleep 120; true`,
      env: { ...inner.env },
      ready: { log: '^started$' },
    };
    await using outer = await temporaryProject({ services: { shell } });
    expect(await devctl(outer, 'start')).toMatchObject({ exitCode: 0 });
    const [run] = recordsOf(outer);
    const [nested] = recordsOf(inner);
    expect(nested?.cgroup?.path).toMatch(new RegExp(`^${run?.cgroup?.path}/devctl-`));
    expect(await devctl(outer, 'stop')).toMatchObject({ exitCode: 0 });
    // The nested supervisor is in this group.
    expect(existsSync(run?.cgroup?.path ?? '')).toBe(true);
    expect(await devctl(inner, 'stop')).toMatchObject({ exitCode: 0 });
    expect(inner.oracle.everything()).toEqual([]);
    expect(existsSync(controlGroupOf(outer.root) ?? '')).toBe(false);
  },
);

fullTest.runIf(hasControlGroups)('"containment": "none" makes no groups', async () => {
  await using project = await temporaryProject({
    containment: 'none',
    services: { web: service('sleeper') },
  });
  expect(await devctl(project, 'start')).toMatchObject({ exitCode: 0 });
  expect(recordsOf(project)[0]?.cgroup).toBeNull();
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
});

test('"containment": "cgroup" starts nothing where there are none, and says why', async () => {
  await using project = await temporaryProject({
    containment: 'cgroup',
    services: { web: { command: fixture('sleeper') } },
  });
  const { exitCode, stderr } = await devctlWith(
    project,
    { env: { DEVCTL_CGROUP: 'off' } },
    'start',
  );
  expect(exitCode).toBe(1);
  expect(stderr).toContain('"containment" is "cgroup"');
  expect(stderr).toContain('DEVCTL_CGROUP=off');
  const { report } = await statusReport(project);
  expect(report.capabilities.cgroup).toMatchObject({ held: false });
  expect(project.oracle.processes()).toEqual([]);
  expect(await devctl(project, 'stop')).toMatchObject({ exitCode: 0 });
});

/** Removes a control group as soon as its last process has ended. */
async function removeGroupWhenEmpty(folder: string): Promise<void> {
  await until(() => {
    try {
      rmdirSync(folder);
      return true;
    } catch {
      return false;
    }
  });
}
