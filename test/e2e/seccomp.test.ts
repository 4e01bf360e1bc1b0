import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import type { StopReport } from '../../src/stopping/report.ts';
import { cleanEnvironment } from '../support/clean-environment.ts';
import { fixture, repositoryRoot } from '../support/paths.ts';
import { hasSubreaper, service } from '../support/services.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';

/** The architectures that the fixture knows the numbers of. */
const filterable = hasSubreaper && (process.arch === 'x64' || process.arch === 'arm64');

/** Runs devctl, and with it its supervisor and services, under a filter that refuses these calls. */
async function refused(project: TemporaryProject, errno: string, calls: string, arg: string) {
  const [node = '', ...filter] = fixture('seccomp', errno, calls);
  const command = [node, join(repositoryRoot, 'bin', 'devctl.js'), ...arg.split(' ')];
  return execa(node, [...filter, ...command], {
    cwd: project.root,
    env: { ...cleanEnvironment(), ...project.env, DEVCTL_CGROUP: 'off' },
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
  });
}

const services = { web: service('own-session'), storm: service('stubborn') };

test.runIf(filterable).each<[string, string, Partial<StopReport['proof']>]>([
  ['prctl', 'EPERM', { strength: 'best-effort', why: expect.stringContaining('no subreaper') }],
  ['waitid', 'ENOSYS', { strength: 'best-effort', why: expect.stringContaining('asked') }],
  ['pidfd_send_signal', 'EPERM', { strength: 'complete' }],
  ['prctl,waitid,pidfd_open,mknod,mknodat', 'EPERM', { strength: 'best-effort' }],
])('under a filter that refuses %s with %s nothing is left', async (calls, errno, proof) => {
  const noFifo = calls.includes('mknod');
  const stdin = noFifo ? { stdin: 'null' } : {};
  const withStdin = Object.fromEntries(
    Object.entries(services).map(([name, one]) => [name, { ...one, ...stdin }]),
  );
  const fifo = noFifo ? { fifo: { command: 'true', autostart: false } } : {};
  await using project = await temporaryProject({
    services: { ...withStdin, ...fifo },
    stopGrace: 200,
  });
  const start = await refused(project, errno, calls, 'start');
  expect(start, start.stderr).toMatchObject({ exitCode: 0 });
  if (noFifo) {
    const without = await refused(project, errno, calls, 'start fifo');
    expect(without).toMatchObject({ exitCode: 1 });
    expect(without.stderr).toMatch(/no stdin FIFO .*not permitted; set "stdin": "null"/i);
  }
  const stop = await refused(project, errno, calls, 'stop --json');
  expect(stop, stop.stderr).toMatchObject({ exitCode: 0 });
  const report: StopReport = JSON.parse(stop.stdout);
  expect(report).toMatchObject({ survivors: [], proof });
  expect(project.oracle.everything()).toEqual([]);
});
