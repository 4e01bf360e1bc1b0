import type { Claim, OpenFileEvidence, RunGroup } from '../../src/ownership/claim.ts';
import { serviceCookie, supervisorCookie } from '../../src/ownership/cookie.ts';
import type { Identity } from '../../src/processes/identity.ts';
import type { OpenFile, Snapshot } from '../../src/processes/snapshot.ts';
import type { ServiceRecord } from '../../src/project/service-record.ts';
import { runStop } from '../../src/stopping/engine.ts';
import { createStopHistory, type StopHistory } from '../../src/stopping/history.ts';
import { stopUntilNothingIsFound } from '../../src/stopping/passes.ts';
import type { StopState, StopUnit } from '../../src/stopping/state.ts';
import { rememberingSource, UNATTRIBUTED } from './fake-claim-source.ts';
import type { Birth, FakeMachine } from './fake-process.ts';
import { marksOf, projectOf } from './marks.ts';
import { BOOT, environBlock, NAMESPACE } from './process-table.ts';

const ROOT = '/home/me/app';
const PROJECT = 'app-0123456789abcdef';

/** The environment block of every process of a run. */
export function cookieOf(service: string, project = PROJECT): string {
  const block = environBlock({
    PATH: '/bin',
    ...serviceCookie(marksOf(project), service, `run-${service}`),
  });
  return block ?? '';
}

export function supervisorEnviron(project = PROJECT): string {
  return environBlock({ PATH: '/bin', ...supervisorCookie(marksOf(project)) }) ?? '';
}

/** Starts the supervisor of a project, a subreaper unless told otherwise. */
export function startSupervisor(machine: FakeMachine, birth: Birth = {}): number {
  const pid = machine.fork(1, {
    subreaper: true,
    environ: supervisorEnviron(),
    argv: ['node', 'devctl', 'supervise'],
    cwd: ROOT,
    ...birth,
  });
  machine.setsid(pid);
  return pid;
}

/** Starts the leader of a service as the supervisor does, and writes its record. */
export function startService(
  machine: FakeMachine,
  supervisor: number,
  name: string,
  birth: Birth = {},
  stop: Partial<ServiceRecord['stop']> = {},
): ServiceRecord {
  const { nowTicks } = ticksOf(machine);
  const environ = cookieOf(name);
  const argv = ['node', `${name}.js`];
  const pid = machine.fork(supervisor, { environ, argv, cwd: ROOT, name, ours: true, ...birth });
  machine.setsid(pid);
  return recordOf(name, machine.identity(pid), machine.identity(supervisor), nowTicks, stop);
}

function ticksOf(machine: FakeMachine): { nowTicks: number } {
  return { nowTicks: 1_000 + Math.floor(machine.nowMs() / 10) };
}

function recordOf(
  service: string,
  leader: Identity | null,
  supervisor: Identity,
  intentTicks: number,
  stop: Partial<ServiceRecord['stop']> = {},
): ServiceRecord {
  return {
    schema: 1,
    service,
    project: ROOT,
    runId: `run-${service}`,
    state: 'ready',
    reason: null,
    bootId: BOOT,
    pidNamespace: NAMESPACE,
    intentTicks,
    leader,
    supervisor,
    guard: null,
    subreaper: true,
    cgroup: null,
    command: ['node', `${service}.js`],
    cwd: ROOT,
    ports: [],
    dependsOn: [],
    stop: { signal: 'SIGTERM', graceMs: 3_000, command: null, ...stop },
    log: `${ROOT}/.pids/logs/${service}.log`,
    stdin: null,
    startedAt: '2026-01-01T00:00:00.000Z',
    readyAt: null,
    exitedAt: null,
    exit: null,
    restarts: 0,
  };
}

const LOGS = `${ROOT}/.pids/logs`;
const TRACES: OpenFileEvidence = {
  logs: new Map(),
  logsFolder: LOGS,
  stdinFolder: `${ROOT}/.pids/stdin`,
  listening: [],
  forced: false,
};

/** The descriptor of a service for its output, or one that another process has opened. */
export function logOf(service: string, opened: Partial<OpenFile> = {}): OpenFile {
  const target = `${LOGS}/${service}.log`;
  return { fd: 1, target, readable: false, writable: true, appends: true, ...opened };
}

export interface StopStory {
  readonly records: readonly ServiceRecord[];
  /** The id in the supervisor's record; null when the record is gone. */
  readonly supervisor?: Identity | null;
  readonly force?: boolean;
  /** Wave by service name; 0 where missing. */
  readonly waves?: Readonly<Record<string, number>>;
  /** Names of the units; default: those of the records. */
  readonly names?: readonly string[];
  /** Names of services that go on running. */
  readonly kept?: readonly string[];
  readonly runCommand?: (unit: string) => Promise<void>;
  readonly forced?: () => boolean;
  /** Whether a closer look at open files follows the proof. */
  readonly closer?: boolean;
  /** Called with the claims of every scan before any signal is sent. */
  readonly onClaims?: (claims: ReadonlyMap<number, Claim>) => void;
}

export interface StopEnd {
  readonly state: StopState;
  readonly history: StopHistory;
  /** The claims that the last look still found. */
  readonly unended: readonly Claim[];
  readonly tookMs: number;
}

/** The control group in which the processes of a service start, where the machine has control groups. */
export function groupFor(service: string): string {
  return `/devctl-0123456789abcdef/run-${service}`;
}

function groupsOn(machine: FakeMachine): readonly RunGroup[] {
  const groups = new Map<string, Set<number>>();
  for (const { group, pid } of machine.processes.values()) {
    if (group !== null) groups.set(group, (groups.get(group) ?? new Set()).add(pid));
  }
  return [...groups].map(([folder, pids]) => {
    const runId = folder.slice(folder.lastIndexOf('/') + 1);
    return { folder, path: folder, runId, service: runId.slice('run-'.length), pids };
  });
}

/** Stops the project with the real engine and the real ownership, on a machine in memory. */
export async function stopOn(machine: FakeMachine, story: StopStory): Promise<StopEnd> {
  const beganAtMs = machine.nowMs();
  const self = await machine.self();
  const names = story.names ?? story.records.map(({ service }) => service);
  const facts = {
    project: projectOf(PROJECT),
    root: ROOT,
    self,
    supervisor: story.supervisor ?? null,
    runs: story.records,
    witnessed: [],
    legacyPids: [],
  };
  const history = createStopHistory();
  const known = new Set([...names, ...(story.kept ?? [])]);
  const owned = rememberingSource(facts, known, () => groupsOn(machine));
  const source = {
    ...owned,
    claim(snapshot: Snapshot) {
      const claims = owned.claim(snapshot);
      story.onClaims?.(claims);
      return claims;
    },
  };
  const run = {
    host: machine,
    units: unitsOf(story, names),
    source,
    history,
    policy: { force: story.force ?? false },
    runCommand: story.runCommand ?? (async () => {}),
    onScan: () => {},
    forced: story.forced ?? (() => false),
  };
  const ended = await runStop(run);
  const closer = async (snapshot: Snapshot) => {
    const claims = owned.lookCloser(snapshot, TRACES);
    story.onClaims?.(claims);
    return claims;
  };
  const { state, unended } = story.closer
    ? await stopUntilNothingIsFound(run, ended, closer)
    : { state: ended, unended: [] };
  return { state, history, unended, tookMs: machine.nowMs() - beganAtMs };
}

function unitsOf({ records, waves = {} }: StopStory, names: readonly string[]): StopUnit[] {
  const units = names.map((name): StopUnit => {
    const record = records.find(({ service }) => service === name);
    return {
      name,
      wave: waves[name] ?? 0,
      leader: record?.leader ?? null,
      signal: record?.stop.signal ?? 'SIGTERM',
      graceMs: record?.stop.graceMs ?? 3_000,
      hasCommand: (record?.stop.command ?? null) !== null,
    };
  });
  const last = Math.max(0, ...Object.values(waves));
  const rest = { leader: null, signal: 'SIGTERM' as const, graceMs: 3_000, hasCommand: false };
  return [...units, { name: UNATTRIBUTED, wave: last, ...rest }];
}

/** The end of each unit, by name. */
export function endings(state: StopState): Record<string, string> {
  return Object.fromEntries([...state.units].map(([name, { phase }]) => [name, phase.kind]));
}
