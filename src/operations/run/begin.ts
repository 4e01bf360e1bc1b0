import { join } from 'node:path';
import { DevctlError, inWords } from '../../errors.ts';
import { takeLockToStart } from '../../lock/for-start.ts';
import { RUN_COMMAND } from '../../lock/holder.ts';
import type { Containment } from '../../manifest/resolved.ts';
import { DEVCTL } from '../../own-command.ts';
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
import { newRecord, recordedProtection } from '../../project/new-record.ts';
import { followFolder } from '../../project/place/follow-folder.ts';
import { removeRecord, writeRecord } from '../../project/records.ts';
import type { Exit, ServiceRecord } from '../../project/service-record.ts';
import { attach } from '../../services/launch/attach.ts';
import type { Contain } from '../../services/launch/launch.ts';
import { DEFAULT_GRACE_MS } from '../../stopping/waves.ts';
import { readProjectState } from '../../tracking/project-state.ts';
import { type Reaper, startReaper } from '../../tracking/reaper.ts';
import { openRunGroups, type RunGroups } from '../../tracking/run-groups.ts';
import { endLeftovers } from '../stop/leftovers.ts';
import { oneOffName } from './decisions.ts';

/**
 * The time that other `devctl run` commands have to spawn theirs, in ms. Longer than that of a start, because dozens
 * may begin at once (`make -j`), and each holds the lock while it spawns.
 */
const OTHER_RUNS_MS = 20_000;

export interface BeginOptions {
  /** Null: a name is made from the command. */
  readonly name: string | null;
  /** The program and its arguments. */
  readonly command: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly graceMs: number | null;
  readonly containment: Containment;
  readonly logsDir: string;
  /** The names of the services in the manifest. */
  readonly services: readonly string[];
  /** True where no manifest makes the folder a project. Default: false. */
  readonly adHoc?: boolean;
  readonly warn: (line: string) => void;
  /** Called right before the spawn: from then on a signal must not end this process and leave the command behind. */
  readonly onSpawn?: () => void;
}

/** The surroundings of a one-off: its project, the machine, and the `devctl run` process itself. */
export interface RunContext {
  readonly folder: ProjectFolder;
  readonly host: Host;
  readonly table: ProcessTable;
  readonly self: Identity;
}

/** A one-off whose command is spawned. */
export interface BegunRun {
  /** Finds the folder, with the id of the project, where it is now. */
  readonly folderNow: () => ProjectFolder;
  readonly record: ServiceRecord;
  readonly leader: Identity;
  /** Null: there are no control groups. */
  readonly groups: RunGroups | null;
  /** Null unless this process is the subreaper of the run, and had no children before. */
  readonly native: Native | null;
  /** Null where `native` is. */
  readonly reaper: Reaper | null;
  readonly exited: Promise<Exit>;
}

/**
 * Spawns a one-off. This process contains it, as a supervisor contains a service, and writes its record before the
 * spawn.
 *
 * @throws DevctlError 'locked', 'name-taken', 'usage', 'survivors', 'start-failed', 'command-not-found',
 *   'command-not-executable', 'records-unwritable', 'unsafe'
 */
export async function beginRun(context: RunContext, options: BeginOptions): Promise<BegunRun> {
  const { folder, host } = context;
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
  const native = await becomeParent();
  const lock = await takeLockToStart(host, folder, RUN_COMMAND, warn, OTHER_RUNS_MS);
  const settled = { ...context, folder: lock.folder };
  try {
    const name = await chooseName(settled, options);
    const usable = 'why' in groups ? null : groups;
    return await spawnRun(settled, options, { name, groups: usable, native });
  } finally {
    lock.release();
  }
}

/**
 * Makes this process the subreaper of the run. Null where it cannot be, or where it has children already, which do not
 * belong to the run: a shell with jobs may have become this process by `exec`.
 */
async function becomeParent(): Promise<Native | null> {
  const native = await loadNative();
  if (!native.available || native.hasChildren() !== false) return null;
  return native.becomeSubreaper().held ? native : null;
}

/**
 * Chooses the name of the one-off, and ends the processes that an earlier one-off of this name left behind. Call it
 * with the lock held.
 */
async function chooseName(
  { folder, host, self }: RunContext,
  { name, command, services, warn }: BeginOptions,
): Promise<string> {
  const state = readProjectState(folder);
  const recorded = [...state.records, ...state.ledger].map(({ service }) => service);
  if (name === null) return oneOffName(command, new Set([...services, ...recorded]));
  const like =
    name
      .replaceAll(/[^\w.-]+/g, '-')
      .replace(/^[.-]+/, '')
      .slice(0, 63) || 'tests';
  if (!isServiceName(name)) {
    throw new DevctlError('usage', `--name ${JSON.stringify(name)} cannot be a name`, {
      hint: `--name ${like}; it is also a file name: no slash, no dot at its beginning, at most 200 characters`,
    });
  }
  if (services.includes(name)) throw nameTaken(name, 'a service of the manifest has this name');
  if (!recorded.includes(name)) return name;
  const snapshot = await host.snapshot();
  const record = state.records.find(({ service }) => service === name);
  const living = [record?.leader, record?.oneOff && record.supervisor].find(
    (identity) => identity && livesIn(snapshot, identity),
  );
  if (living) throw nameTaken(name, `it runs already (pid ${living.pid})`);
  await endLeftovers({ host, self, state }, [name], warn);
  return name;
}

function nameTaken(name: string, why: string): DevctlError {
  return new DevctlError('name-taken', `the name "${name}" is taken: ${why}`, {
    hint: `choose another --name, or leave it out; ${DEVCTL} stop ${name} ends what has it`,
  });
}

/** The name of the run and the means that contain it. */
interface Means {
  readonly name: string;
  readonly groups: RunGroups | null;
  readonly native: Native | null;
}

async function spawnRun(
  context: RunContext,
  options: BeginOptions,
  means: Means,
): Promise<BegunRun> {
  const { folder, table } = context;
  const { groups, native } = means;
  const planned = plannedRecord(context, options, means);
  const { service, runId } = planned;
  // Before the spawn, because the command may move the project at once.
  const folderNow = followFolder(folder);
  writeRecord(folder, planned);
  options.onSpawn?.();
  const launched = await attachCommand(context, options, means, planned);
  if (launched.kind === 'failed') {
    removeRecord(folderNow(), service, runId);
    const code = { 127: 'command-not-found', 126: 'command-not-executable' } as const;
    const { shellCode, reason } = launched;
    const [program = ''] = options.command;
    const ofService = `${program} is a service: ${DEVCTL} start ${program}, or ${DEVCTL} restart ${program}`;
    const ofScript = `a script of package.json is npm run ${program}, and a file has its folder: ./${program}`;
    const isMissing = shellCode === 127 && !program.includes('/');
    const hint = options.services.includes(program) ? ofService : isMissing && ofScript;
    throw new DevctlError(
      shellCode === null ? 'start-failed' : code[shellCode],
      reason,
      hint ? { hint } : {},
    );
  }
  const { pid, uncontained, exited } = launched;
  // At once, because a command can leave hundreds of dead while its record is written.
  const reaper = native && startReaper(native);
  const leader = await leaderOf(context, pid, service, options.warn);
  if (uncontained) options.warn(`no control group: ${uncontained}`);
  const cgroup = planned.cgroup && { ...planned.cgroup, held: uncontained === null };
  const readyAt = isoTime();
  const record: ServiceRecord = { ...planned, state: 'running', leader, cgroup, readyAt };
  try {
    writeRecord(folderNow(), record);
  } catch (error) {
    // The command runs, so to fail now would leave it behind. The planned record is on disk, and the command carries
    // our mark.
    options.warn(`its record could not be brought up to date: ${inWords(error)}`);
  }
  const unknown = { pid, startTicks: 0, bootId: table.bootId, pidNamespace: table.pidNamespace };
  return { folderNow, record, leader: leader ?? unknown, groups, native, reaper, exited };
}

function attachCommand(
  { folder }: RunContext,
  { command, cwd, env: given, containment }: BeginOptions,
  { groups }: Means,
  { service, runId, oneOff }: ServiceRecord,
): ReturnType<typeof attach> {
  const env: Record<string, string> = { ...given };
  for (const variable of COOKIE_VARIABLES) delete env[variable];
  Object.assign(env, serviceCookie(folder, service, runId));
  const required = containment === 'cgroup';
  const contain: Contain | null = groups && ((spawn) => groups.spawnInside(runId, required, spawn));
  return attach(command, { cwd, env, terminal: oneOff?.terminal ?? false, contain });
}

/**
 * Reads the identity of the command. A command that has ended at once is still in the process table as a zombie,
 * because Node reaps it only when the event loop turns.
 *
 * @returns null when the process table cannot be read. The command runs, and other evidence shows whose it is
 */
async function leaderOf(
  { table }: RunContext,
  pid: number,
  service: string,
  warn: BeginOptions['warn'],
): Promise<Identity | null> {
  try {
    return (await table.read(pid))?.identity ?? null;
  } catch (error) {
    warn(`${service} (pid ${pid}) could not be looked at: ${inWords(error)}`);
    return null;
  }
}

/** The record of the run before its spawn. */
function plannedRecord(
  { folder, table, self }: RunContext,
  { command, cwd, graceMs, logsDir, adHoc = false }: BeginOptions,
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
    ...recordedProtection(folder.protection),
    log: join(logsDir, `${name}.log`),
    stdin: null,
    ...(adHoc ? { adHoc } : {}),
    oneOff: { terminal: controllingTerminal() !== null },
  };
}
