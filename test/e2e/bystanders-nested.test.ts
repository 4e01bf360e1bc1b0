import { join } from 'node:path';
import { expect } from 'vitest';
import { devctlWith } from '../support/devctl.ts';
import { repositoryRoot } from '../support/paths.ts';
import { removeRecords, service, signalSupervisor, supervisorsOf } from '../support/services.ts';
import { eachMode } from '../support/sets.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

interface Mode {
  readonly env?: Readonly<Record<string, string>>;
  /** The containment of the inner project. Without control groups of its own its processes are in one of ours. */
  readonly containment?: 'none';
  readonly disturb?: (outer: TemporaryProject, inner: TemporaryProject) => unknown;
  readonly stop: readonly string[];
}

const MODES: [string, Mode][] = [
  ['stop', { stop: ['stop'] }],
  ['stop NAME', { stop: ['stop', 'shell'] }],
  [
    'stop after our supervisor was killed',
    { disturb: (outer) => signalSupervisor(outer, 'SIGKILL'), stop: ['stop'] },
  ],
  [
    'stop after theirs was killed',
    { disturb: (_outer, inner) => signalSupervisor(inner, 'SIGKILL'), stop: ['stop'] },
  ],
  [
    'stop after theirs was killed, which had no control groups',
    {
      containment: 'none',
      disturb: (_outer, inner) => signalSupervisor(inner, 'SIGKILL'),
      stop: ['stop'],
    },
  ],
  [
    'stop --force after rm -rf .pids',
    {
      disturb: (outer) => removeRecords(outer),
      stop: ['stop', '--force'],
    },
  ],
  [
    'stop without native calls and cgroups',
    { env: { DEVCTL_NATIVE: 'off', DEVCTL_CGROUP: 'off' }, stop: ['stop'] },
  ],
];

const program = join(repositoryRoot, 'bin', 'devctl.js');

eachMode(MODES)(
  'a project that was started inside one of our services goes on: %s',
  async (_name, { env = {}, containment = 'auto', disturb, stop }) => {
    await using inner = await temporaryProject({
      containment,
      // Without native calls and control groups nothing can find a daemon that clears its environment.
      services: {
        web: service('own-session'),
        bare: service('double-fork', env.DEVCTL_NATIVE === 'off' ? [] : ['--empty-env']),
      },
    });
    const start = `'${process.execPath}' '${program}' start --config '${inner.file('.devctl.json')}'`;
    await using outer = await temporaryProject({
      services: {
        shell: {
          // Not by exec, because the inner supervisor is to be a child of the service.
          command: `${start} && echo started; sleep 120; true`,
          env: { ...inner.env },
          ready: { log: '^started$' },
        },
        db: service('fan', ['1']),
      },
    });
    const run = (project: TemporaryProject, ...args: readonly string[]) =>
      devctlWith(project, { env }, ...args);
    const started = await run(outer, 'start');
    expect(started.exitCode, started.stderr).toBe(0);
    const theirs = () =>
      [...inner.oracle.processes(), ...supervisorsOf(inner)].filter(isTheirs(outer));
    await until(() => inner.oracle.processes().filter(isTheirs(outer)).length === 4);
    await disturb?.(outer, inner);
    const before = theirs().map(({ pid, started: at }) => `${pid}:${at}`);
    expect(before.length).toBeGreaterThanOrEqual(4);

    const { exitCode, stdout, stderr } = await run(outer, ...stop);
    expect(
      theirs()
        .map(({ pid, started: at }) => `${pid}:${at}`)
        .sort(),
    ).toEqual(before.sort());
    expect(exitCode, stdout + stderr).toBe(0);
    expect(outer.oracle.processes().filter(({ cwd }) => cwd === outer.root).length).toBe(
      stop.includes('shell') ? 2 : 0,
    );
    // The same the other way round.
    expect(await run(outer, 'start', 'db')).toMatchObject({ exitCode: 0 });
    const stopped = await run(inner, 'stop');
    expect(stopped.exitCode, stopped.stdout + stopped.stderr).toBe(0);
    expect(theirs()).toEqual([]);
    expect(supervisorsOf(outer).length).toBe(1);
    expect(outer.oracle.processes().filter(({ cwd }) => cwd === outer.root).length).toBe(2);
    expect(await run(outer, 'stop')).toMatchObject({ exitCode: 0 });
    expect(outer.oracle.everything()).toEqual([]);
  },
);

/** Tells the processes of the inner project by their folder, because they have the environment of both projects. */
function isTheirs(outer: TemporaryProject) {
  return ({ cwd }: { readonly cwd: string | null }) => cwd !== outer.root;
}
