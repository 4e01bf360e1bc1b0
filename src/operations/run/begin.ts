import { join } from 'node:path';
import { DevctlError, inWords } from '../../errors.ts';
import { takeLockToStart } from '../../lock/for-start.ts';
import { RUN_COMMAND } from '../../lock/holder.ts';
import type { Containment } from '../../manifest/resolved.ts';
import { COOKIE_VARIABLES, serviceCookie } from '../../ownership/cookie.ts';
import { isoTime } from '../../processes/clock.ts';
import type { Host } from '../../processes/host.ts';
import type { Identity } from '../../processes/identity.ts';
import { loadNative, type Native } from '../../processes/native/native.ts';
import { livesIn } from '../../processes/snapshot.ts';
import type { ProcessTable } from '../../processes/table.ts';
import { controllingTerminal } from '../../processes/terminal.ts';
import { isServiceName } from '../../project/field-checks.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import { newRecord } from '../../project/new-record.ts';
import { removeRecord, writeRecord } from '../../project/records.ts';
import type { Exit, ServiceRecord } from '../../project/service-record.ts';
import { attach } from '../../services/launch/attach.ts';
import type { Contain } from '../../services/launch/launch.ts';
import { DEFAULT_GRACE_MS } from '../../stopping/waves.ts';
import { readProjectState } from '../../tracking/project-state.ts';
import { openRunGroups, type RunGroups } from '../../tracking/run-groups.ts';
import { endLeftovers } from '../stop/leftovers.ts';
import { oneOffName } from './decisions.ts';

/** Longer than a start has: dozens may be begun at once (`make -j`), and each holds the lock to spawn. */
const LOCK_WAIT_MS = 20_000;

export interface BeginOptions {
  /** Null: one is made from the command. */
  readonly name: string | null;
  /** The program and its arguments. */
  readonly command: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly graceMs: number | null;
  readonly containment: Containment;
  readonly logsDir: string;
  /** Names that services of the manifest have. */
  readonly services: readonly string[];
  readonly warn: (line: string) => void;
  /** Called right before there is something that a signal must not leave behind. */
  readonly spawning?: () => void;
}

/** The machine, as the holder of a one-off sees it. */
export interface RunPlace {
  readonly folder: ProjectFolder;
  readonly host: Host;
  readonly table: ProcessTable;
  readonly self: Identity;
}

/** A one-off that has begun. */
export interface BegunRun {
  readonly record: ServiceRecord;
  readonly leader: Identity;
  readonly groups: RunGroups | null;
  /** Null unless this process is the subreaper of the run, without children from before. */
  readonly native: Native | null;
  readonly exited: Promise<Exit>;
}

/**
 * Spawns a one-off: held by this process as a service is by its supervisor, with its intent on disk before.
 *
 * @throws DevctlError 'locked', 'name-taken', 'usage', 'survivors', 'start-failed', 'command-not-found',
 *   'command-not-executable', 'records-unwritable', 'unsafe'
 */
export async function beginRun(place: RunPlace, options: BeginOptions): Promise<BegunRun> {
  const { folder, host } = place;
  const { containment, warn } = options;
  const groups = containment === 'none' ? { why: 'off' } : openRunGroups(folder, warn);
  if (containment === 'cgroup' && 'why' in groups) {
    throw new DevctlError(
      'start-failed',
      `"containment" is "cgroup", but there is none: ${groups.why}`,
      {
        hint: 'nothing was started; "auto" (the default) goes on without control groups',
      },
    );
  }
  const native = await becomeHolder();
  const lock = await takeLockToStart(host, folder, RUN_COMMAND, warn, LOCK_WAIT_MS);
  try {
    const name = await freeName(place, options);
    const usable = 'why' in groups ? null : groups;
    return await spawnRun(place, options, { name, groups: usable, native });
  } finally {
    lock.release();
  }
}

/** A shell that had jobs and became us (`exec`) has left us children that are not the run's. */
async function becomeHolder(): Promise<Native | null> {
  const native = await loadNative();
  if (!native.available || native.hasChildren() !== false) return null;
  return native.becomeSubreaper().held ? native : null;
}

/** To be called with the lock held. */
async function freeName(
  { folder, host, self }: RunPlace,
  { name, command, services, warn }: BeginOptions,
): Promise<string> {
  const state = readProjectState(folder);
  const recorded = [...state.records, ...state.ledger].map(({ service }) => service);
  if (name === null) return oneOffName(command, new Set([...services, ...recorded]));
  if (!isServiceName(name)) {
    throw new DevctlError('usage', `--name ${JSON.stringify(name)} cannot be a name`, {
      hint: 'it is also a file name: no slash, no dot at its beginning, at most 200 characters',
    });
  }
  if (services.includes(name)) throw taken(name, 'a service of the manifest has this name');
  if (!recorded.includes(name)) return name;
  const snapshot = await host.snapshot();
  const record = state.records.find(({ service }) => service === name);
  const living = [record?.leader, record?.oneOff && record.supervisor].find(
    (one) => one && livesIn(snapshot, one),
  );
  if (living) throw taken(name, `it runs already (pid ${living.pid})`);
  const context = { host, self, state };
  await endLeftovers(context, [name], warn);
  return name;
}

function taken(name: string, why: string): DevctlError {
  return new DevctlError('name-taken', `the name "${name}" is taken: ${why}`, {
    hint: `choose another --name, or leave it out; devctl stop ${name} ends what has it`,
  });
}

interface Means {
  readonly name: string;
  readonly groups: RunGroups | null;
  readonly native: Native | null;
}

async function spawnRun(place: RunPlace, options: BeginOptions, means: Means): Promise<BegunRun> {
  const { folder, table } = place;
  const { command, cwd } = options;
  const { groups, native } = means;
  const intent = intentOf(place, options, means);
  const { service, runId, oneOff } = intent;
  writeRecord(folder, intent);

  const env: Record<string, string> = { ...options.env };
  for (const variable of COOKIE_VARIABLES) delete env[variable];
  Object.assign(env, serviceCookie(folder.projectId, service, runId));
  const required = options.containment === 'cgroup';
  const contain: Contain | null = groups && ((spawn) => groups.spawnInside(runId, required, spawn));
  const terminal = oneOff?.terminal ?? false;
  options.spawning?.();
  const launched = await attach(command, { cwd, env, terminal, contain });
  if (launched.kind === 'failed') {
    removeRecord(folder, service, runId);
    const code = { 127: 'command-not-found', 126: 'command-not-executable' } as const;
    const { shellCode, reason } = launched;
    throw new DevctlError(shellCode === null ? 'start-failed' : code[shellCode], reason);
  }
  const { pid, uncontained, exited } = launched;
  // It may have ended at once: as a zombie it can still be read, until the event loop turns.
  const leader = await table.read(pid).then(
    (found) => found?.identity ?? null,
    // It runs: without its number it is found by everything else that shows whose it is.
    (error: unknown) => {
      options.warn(`${service} (pid ${pid}) could not be looked at: ${inWords(error)}`);
      return null;
    },
  );
  if (uncontained) options.warn(`no control group: ${uncontained}`);
  const cgroup = intent.cgroup && { ...intent.cgroup, held: uncontained === null };
  const now = isoTime();
  const record: ServiceRecord = { ...intent, state: 'running', leader, cgroup, readyAt: now };
  try {
    writeRecord(folder, record);
  } catch (error) {
    // It runs: to give up now would leave it behind. Its intent is on disk, and it carries our mark.
    options.warn(`its record could not be brought up to date: ${inWords(error)}`);
  }
  const gone = { pid, startTicks: 0, bootId: table.bootId, pidNamespace: table.pidNamespace };
  return { record, leader: leader ?? gone, groups, native, exited };
}

function intentOf(
  { folder, table, self }: RunPlace,
  { command, cwd, graceMs, logsDir }: BeginOptions,
  { name, groups, native }: Means,
): ServiceRecord {
  const base = newRecord(name, folder, table, self);
  return {
    ...base,
    guard: null,
    subreaper: native !== null,
    cgroup: groups && { path: groups.groupOf(base.runId), held: false, view: groups.view },
    command,
    cwd,
    ports: [],
    dependsOn: [],
    stop: { signal: 'SIGTERM', graceMs: graceMs ?? DEFAULT_GRACE_MS, command: null },
    log: join(logsDir, `${name}.log`),
    stdin: null,
    oneOff: { terminal: controllingTerminal() !== null },
  };
}
