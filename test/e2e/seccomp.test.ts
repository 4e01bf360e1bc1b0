import { join } from 'node:path';
import { execa } from 'execa';
import { expect } from 'vitest';
import type { StopReport } from '../../src/stopping/report.ts';
import { cleanEnvironment } from '../support/clean-environment.ts';
import { fixture, repositoryRoot } from '../support/paths.ts';
import { hasSubreaper, service } from '../support/services.ts';
import { eachModeIf } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';

/** True on the architectures whose system call numbers the fixture knows. */
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

const complete = { strength: 'complete' };
const bestEffort = (why: string) => ({
  strength: 'best-effort',
  why: expect.stringContaining(why),
});
const held = { held: true, why: null };
const without = (why: string) => ({ held: false, why: expect.stringContaining(why) });

eachModeIf(filterable)<[string, string, object, object]>([
  ['prctl', 'EPERM', bestEffort('subreaper'), { subreaper: without('prctl: EPERM') }],
  ['waitid', 'ENOSYS', bestEffort('asked'), { subreaper: held, pidfd: held }],
  ['pidfd_send_signal', 'EPERM', complete, { pidfd: without('pidfd_send_signal: EPERM') }],
  [
    'prctl,waitid,pidfd_open,mknod,mknodat',
    'EPERM',
    bestEffort('subreaper'),
    { subreaper: without('prctl: EPERM'), pidfd: without('pidfd_open: EPERM') },
  ],
])(
  'stop leaves nothing when the kernel refuses %s with %s',
  async (calls, errno, proof, capabilities) => {
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
      const piped = await refused(project, errno, calls, 'start fifo');
      expect(piped).toMatchObject({ exitCode: 1 });
      expect(piped.stderr).toMatch(/no stdin FIFO .*not permitted; set "stdin": "null"/i);
    }
    const stop = await refused(project, errno, calls, 'stop --json');
    expect(stop, stop.stderr).toMatchObject({ exitCode: 0 });
    const report: StopReport = JSON.parse(stop.stdout);
    expect(report).toMatchObject({ survivors: [], proof, capabilities });
    expect(project.oracle.everything()).toEqual([]);
  },
);
