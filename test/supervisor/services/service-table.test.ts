import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { expect, test } from 'vitest';
import { DevctlError } from '../../../src/errors.ts';
import type { ResolvedService } from '../../../src/manifest/resolved.ts';
import { openProcessTable } from '../../../src/processes/open-table.ts';
import { openHost } from '../../../src/processes/real-host.ts';
import type { ProcessTable } from '../../../src/processes/table.ts';
import { projectFolder } from '../../../src/project/folder.ts';
import { prepareFolder } from '../../../src/project/records-folder.ts';
import type { ServiceTable, ServiceTableContext } from '../../../src/supervisor/services/entry.ts';
import { createServiceTable } from '../../../src/supervisor/services/service-table.ts';
import { SocketOwners } from '../../../src/supervisor/services/socket-owners.ts';
import { type TemporaryProject, temporaryProject } from '../../support/temporary-project.ts';
import { until } from '../../support/until.ts';

/** Starts one service, in a supervisor that is this very process. */
async function start(
  project: TemporaryProject,
  service: Partial<ResolvedService>,
  table: Partial<ProcessTable> = {},
  context: Partial<ServiceTableContext> = {},
): Promise<ServiceTable> {
  const folder = projectFolder(project.root, project.file('.pids'));
  prepareFolder(folder);
  mkdirSync(project.file('logs'), { recursive: true });
  const real = openProcessTable();
  const self = (await real.read(process.pid))?.identity;
  if (!self) throw new Error('There is no process of our own');
  const services = createServiceTable({
    folder,
    table: { ...real, ...table },
    self,
    guard: null,
    subreaper: false,
    sockets: new SocketOwners({ host: openHost(real), folder, log: () => {} }),
    processesOf: async () => [],
    groups: null,
    whyNoGroups: 'a test has none',
    mkfifo: null,
    log: () => {},
    onChange: () => {},
    stopTree: async () => null,
    pinLog: async () => () => {},
    takeLock: async () => () => {},
    ...context,
  });
  const entry = services.entry('web');
  entry.service = {
    name: 'web',
    command: ['sleep', '100'],
    cwd: project.root,
    env: {},
    ports: [],
    udpPorts: [],
    dependsOn: {},
    stop: { signal: 'SIGTERM', graceMs: 1_000, command: null, script: null },
    stdin: 'null',
    ready: null,
    live: null,
    restart: { policy: 'no', successExitCodes: [0] },
    oneShot: false,
    ...service,
  } as ResolvedService;
  const env = { PATH: process.env.PATH ?? '', ...project.env };
  const protection = { patterns: [], byEnvironment: false };
  const logsDir = project.file('logs');
  entry.request = { env, logsDir, logRotation: null, containment: 'auto', protection };
  await services.dispatch('web', { kind: 'askedToStart' });
  await services.dispatch('web', { kind: 'dependenciesMet' });
  return services;
}

const ALWAYS = {
  policy: 'always',
  maxRestarts: 9,
  windowMs: 60_000,
  backoffMs: 0,
  maxBackoffMs: 0,
  resetAfterMs: 0,
  successExitCodes: [0],
} as const;

/** Waits until the service is in this state, and returns the reason. */
function reasonOf({ entries }: ServiceTable, kind: 'failed' | 'unhealthy'): Promise<string> {
  return until(() => {
    const state = entries.get('web')?.state;
    return state?.kind === kind && 'reason' in state ? state.reason : null;
  });
}

function isReaped(pid: number): boolean {
  try {
    return !process.kill(pid, 0);
  } catch {
    return true;
  }
}

test('a process that cannot be read after its spawn is ended, and its start fails', async () => {
  await using project = await temporaryProject();
  const read = async () => {
    throw new Error('EMFILE: too many open files');
  };
  const services = await start(project, {}, { read });
  expect(await reasonOf(services, 'failed')).toMatch(
    /could not be looked at \(EMFILE.*so it was ended/,
  );
  expect(project.oracle.everything()).toEqual([]);
});

test('a process that ended before it could not be read is not signalled', async () => {
  await using project = await temporaryProject();
  const read = async (pid: number) => {
    await until(() => isReaped(pid));
    throw new Error('EMFILE: too many open files');
  };
  const services = await start(project, { command: ['sh', '-c', 'exit 3'] }, { read });
  expect(await reasonOf(services, 'failed')).toMatch(/and exited with code 3$/);
});

test('a spawn that throws counts as failed', async () => {
  await using project = await temporaryProject();
  // An error that `launch` does not foresee: the environment cannot be put together.
  const env = new Proxy(
    {},
    {
      ownKeys: () => {
        throw new Error('no luck');
      },
    },
  );
  const services = await start(project, { env });
  expect(await reasonOf(services, 'failed')).toBe('no luck');
});

test('a probe that cannot be opened never succeeds', async () => {
  await using project = await temporaryProject();
  const check = { kind: 'log', pattern: '(' } as const;
  const ready = {
    check,
    timeoutMs: 60_000,
    intervalMs: 100,
    attemptTimeoutMs: null,
    recheckMs: null,
  };
  const services = await start(project, { ready });
  expect(await reasonOf(services, 'unhealthy')).toMatch(
    /its probe cannot be carried out: .*regular expression/i,
  );
  expect(project.oracle.everything().length).toBe(1);
});

test('a service that was stopped before its exit was reported is neither recorded nor restarted', async () => {
  await using project = await temporaryProject();
  const services = await start(project, { restart: ALWAYS });
  const leader = await until(() => {
    const { state } = services.entry('web');
    return state.kind === 'running' ? state.leader : null;
  });
  const record = project.file('.pids/services/web.json');
  rmSync(record);
  process.kill(leader.pid, 'SIGKILL');
  await until(() => services.entry('web').state.kind === 'idle');
  expect(existsSync(record)).toBe(false);
  expect(project.oracle.everything()).toEqual([]);
});

test('a service that ends is restarted once the lock is free', async () => {
  await using project = await temporaryProject();
  const services = await start(project, { restart: ALWAYS });
  const leader = await until(() => {
    const { state } = services.entry('web');
    return state.kind === 'running' ? state.leader : null;
  });
  process.kill(leader.pid, 'SIGKILL');
  const again = await until(() => {
    const state = services.entry('web').state;
    return state.kind === 'running' && state.leader.pid !== leader.pid ? state : null;
  });
  expect(again.restarts.total).toBe(1);
  expect(project.oracle.everything()).toHaveLength(1);
  // Otherwise it would be restarted while the project is being removed.
  await services.dispatch('web', { kind: 'standDown' });
});

test('on a full disk a restart waits for room; without records it is given up', async () => {
  await using project = await temporaryProject();
  const refused: string[] = [];
  let isFull = true;
  const services = await start(
    project,
    { restart: ALWAYS },
    {},
    {
      takeLock: async () => {
        if (isFull) throw new DevctlError('records-unwritable', 'no room');
        return () => {};
      },
      log: (line) => void refused.push(line),
    },
  );
  const kill = async (before: number): Promise<number> => {
    const leader = await until(() => {
      const { state } = services.entry('web');
      return state.kind === 'running' && state.leader.pid !== before ? state.leader : null;
    });
    process.kill(leader.pid, 'SIGKILL');
    return leader.pid;
  };
  const first = await kill(0);
  await until(() => refused.some((line) => line === 'web: not started again yet: no room'));
  expect(services.entry('web').state.kind).toBe('backoff');
  isFull = false;
  const second = await kill(first);
  expect(second).not.toBe(first);
  isFull = true;
  await until(() => services.entry('web').state.kind === 'backoff');
  rmSync(project.file('.pids'), { recursive: true });
  expect(await reasonOf(services, 'failed')).toContain('it cannot be started again: no room');
});

test('when a log cannot be read, nothing is spawned and the log is not pinned', async () => {
  await using project = await temporaryProject();
  mkdirSync(project.file('logs'));
  symlinkSync(project.file('logs/web.log.1'), project.file('logs/web.log.1'));
  project.write('logs/web.log', '');
  let pinned = 0;
  const pinLog = async () => {
    pinned += 1;
    return () => {
      pinned -= 1;
    };
  };
  const services = await start(project, {}, {}, { pinLog });
  expect(await reasonOf(services, 'failed')).toMatch(/ELOOP/);
  expect(project.oracle.everything()).toEqual([]);
  expect(pinned).toBe(0);
});

test('a lock that comes after another order restarts nothing', async () => {
  await using project = await temporaryProject();
  let stopMeanwhile = (): void => {};
  const takeLock = async () => {
    stopMeanwhile();
    return () => {};
  };
  const services = await start(project, { restart: ALWAYS }, {}, { takeLock });
  const { record } = services.entry('web');
  stopMeanwhile = () => {
    rmSync(project.file('.pids/services/web.json'));
    services.entry('web').restart?.abort();
  };
  const leader = await until(() => {
    const { state } = services.entry('web');
    return state.kind === 'running' ? state.leader : null;
  });
  process.kill(leader.pid, 'SIGKILL');
  await until(() => !existsSync(project.file('.pids/services/web.json')));
  await services.entry('web').queue;
  expect(services.entry('web').state.kind).toBe('backoff');
  expect(services.entry('web').record?.runId).toBe(record?.runId);
});

test('services that change in one turn of the event loop are written once into the files for scripts', async () => {
  await using project = await temporaryProject();
  const services = await start(project, {});
  const { service, request } = services.entry('web');
  const names = ['api', 'worker'];
  for (const name of names) {
    const entry = services.entry(name);
    entry.service = service && { ...service, name };
    entry.request = request;
  }
  const asked = names.map((name) => services.dispatch(name, { kind: 'askedToStart' }));
  const met = names.map((name) => services.dispatch(name, { kind: 'dependenciesMet' }));
  await Promise.all([...asked, ...met]);
  await Promise.all(names.map((name) => services.entry(name).queue));
  services.bringFilesInStep();
  const pids = services.records().map(({ leader }) => leader?.pid);
  const lines = () => readFileSync(project.file('.pids/services.pids'), 'utf8').trim().split('\n');
  expect(pids).toHaveLength(3);
  expect(new Set(lines().map(Number))).toEqual(new Set(pids));
  // Nothing has changed since, so a file that somebody removes is not written again.
  rmSync(project.file('.pids/services.pids'));
  await new Promise((resolve) => setImmediate(resolve));
  services.bringFilesInStep();
  expect(existsSync(project.file('.pids/services.pids'))).toBe(false);
});
