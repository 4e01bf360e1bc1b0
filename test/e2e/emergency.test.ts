import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { execa } from 'execa';
import { afterAll, beforeAll, expect } from 'vitest';
import type { StopReport } from '../../src/stopping/report.ts';
import { busyMachine } from '../support/busy.ts';
import { bystander } from '../support/bystander.ts';
import { cleanEnvironment } from '../support/clean-environment.ts';
import { type DevctlResult, devctlWith } from '../support/devctl.ts';
import { type PackedDevctl, packDevctl } from '../support/packed.ts';
import { parseReport } from '../support/reports.ts';
import { service, signalSupervisor } from '../support/services.ts';
import { fullTest, test } from '../support/sets.ts';
import { canMount, type SmallDisk, smallDisk } from '../support/small-disk.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';

/** One service for each way to escape that leaves a trace. */
const escapes = {
  chain: service('chain', ['3']),
  session: service('own-session'),
  group: service('own-group'),
  daemon: service('double-fork'),
  stubborn: service('stubborn', ['1']),
};
const ESCAPED = 11;

let packed: PackedDevctl;
beforeAll(async () => {
  packed = await packDevctl();
});
afterAll(() => rmSync(packed.folder, { recursive: true, force: true }));

async function escaped(more: Readonly<Record<string, object>> = {}): Promise<TemporaryProject> {
  const project = await temporaryProject({ services: { ...escapes, ...more } });
  packed.installIn(project.root);
  return project;
}

async function start(project: TemporaryProject, env: Record<string, string> = {}): Promise<void> {
  const { exitCode, stderr } = await devctlWith(project, { env }, 'start');
  expect(exitCode, stderr).toBe(0);
}

/** Runs stop as a person types it, in a folder where the tarball is installed. */
async function npxStop(
  project: TemporaryProject,
  env: Record<string, string> = {},
  ...args: readonly string[]
): Promise<DevctlResult> {
  const { exitCode, stdout, stderr } = await execa(
    'npx',
    ['--no', '--', 'devctl', 'stop', '--force', ...args],
    {
      cwd: project.root,
      env: { ...cleanEnvironment(), ...project.env, ...env },
      extendEnv: false,
      reject: false,
      stdin: 'ignore',
    },
  );
  return { exitCode: exitCode ?? -1, stdout, stderr };
}

/** Expects that nothing is left, and that the report says of each process why it was ours and that it has ended. */
function expectAllEnded(
  project: TemporaryProject,
  result: DevctlResult,
  count: number,
): StopReport {
  expect(project.oracle.processes().map(({ argv }) => argv.join(' '))).toEqual([]);
  expect(result.exitCode, result.stderr).toBe(0);
  const { report } = parseReport<StopReport>(result);
  expect(report).toMatchObject({ forced: true, survivors: [] });
  expect(report.processes.length).toBeGreaterThanOrEqual(count);
  for (const { evidence, endedAfterMs, service: name } of report.processes) {
    expect({ named: name !== null, why: evidence.length > 0, gone: endedAfterMs !== null }).toEqual(
      { named: true, why: true, gone: true },
    );
  }
  return report;
}

fullTest(
  'npx devctl stop --force ends all when the manifest is a folder and the supervisor is frozen',
  async () => {
    await using project = await escaped();
    await start(project);
    await signalSupervisor(project, 'SIGSTOP');
    rmSync(project.file('.devctl.json'));
    mkdirSync(project.file('.devctl.json'));
    const report = expectAllEnded(project, await npxStop(project, {}, '--json'), ESCAPED);
    expect(report.supervisor).toMatchObject({ ended: true });
    expect(project.oracle.everything()).toEqual([]);
  },
);

fullTest.runIf(canMount)(
  'npx devctl stop --force ends all when records, sockets and temporary files are on a full disk',
  async () => {
    await using project = await escaped();
    using records = smallDisk(project.file('.pids'));
    using runtime = smallDisk(project.file('runtime'));
    const env = { TMPDIR: project.file('runtime'), XDG_RUNTIME_DIR: project.file('runtime') };
    await start(project, env);
    for (const disk of [records, runtime]) disk.fill();
    const result = await npxStop(project, env, '--json');
    const { problems, supervisor } = expectAllEnded(project, result, ESCAPED);
    expect(problems.join('\n')).toContain('ENOSPC');
    expect(supervisor).toMatchObject({ ended: true });
    expect(readdirSync(project.file('.pids/services'))).toEqual([]);
  },
);

test('npx devctl stop --force ends 300 processes at load 50 without records, supervisor, manifest and disk', async () => {
  await using project = await escaped({
    a: service('fan', ['96']),
    b: service('fan', ['96']),
    c: service('fan', ['96']),
  });
  const disks: SmallDisk[] = [];
  using _ = { [Symbol.dispose]: () => disks.forEach((disk) => void disk[Symbol.dispose]()) };
  if (canMount) disks.push(smallDisk(project.file('.pids')));
  await start(project);
  expect(project.oracle.processes().length).toBeGreaterThanOrEqual(300);
  await using editor = await bystander('vim vite.config.ts', project.root);
  await using tail = await bystander('tail -f .pids/logs/a.log', project.root);

  await signalSupervisor(project, 'SIGKILL');
  for (const name of readdirSync(project.file('.pids'))) {
    rmSync(project.file(`.pids/${name}`), { recursive: true });
  }
  for (const disk of disks) disk.fill();
  project.write('.devctl.json', '{ "services": ');
  await using busy = busyMachine(50);

  const { exitCode, stdout, stderr } = await npxStop(project);
  expect(project.oracle.processes().map(({ argv }) => argv.join(' '))).toEqual([]);
  expect(exitCode, stderr).toBe(0);
  expect([editor.alive(), tail.alive(), busy.alive()]).toEqual([true, true, 50]);

  expect(stdout).toMatch(/a: ended 97 processes, without a record/);
  const [, found] = /found by .*cookie \((\d+)\)/.exec(stdout) ?? [];
  expect(Number(found)).toBeGreaterThanOrEqual(300);
  expect(stdout).toMatch(/ended by .*SIGKILL \(\d+\)/);
  expect(stdout).toContain('proof best effort');
  expect(stderr).toContain('.devctl.json');
});
