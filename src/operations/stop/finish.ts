import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { endSession } from '../../history/writer.ts';
import { removeLeases } from '../../leases/file.ts';
import { removeBreachRecord } from '../../limits/breach-file.ts';
import { reportPorts } from '../../processes/describe.ts';
import type { Host } from '../../processes/host.ts';
import { type Identity, sameMachine } from '../../processes/identity.ts';
import { loadNative } from '../../processes/native/native.ts';
import { allPorts, findPortHolders, type Port, portOf } from '../../processes/ports.ts';
import { livesIn, type ProcessInfo, type Snapshot } from '../../processes/snapshot.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import { writeLastStop } from '../../project/last-stop.ts';
import { removeLedger } from '../../project/ledger.ts';
import { removeLegacyFiles, writeLegacyFiles } from '../../project/legacy-files.ts';
import { forgetProject } from '../../project/place/registry.ts';
import { folderIdOf } from '../../project/project-id.ts';
import { OF_OTHER_MANIFEST } from '../../project/recorded-project.ts';
import { readFolderRecords, readRecords, removeRecord } from '../../project/records.ts';
import { mustSetAside, setAside } from '../../project/set-aside.ts';
import { isListenedAt, socketPaths } from '../../project/socket-path.ts';
import { readSupervisor, removeSupervisor } from '../../project/supervisor-record.ts';
import type { Proof, StopReport } from '../../stopping/report.ts';
import { type ProjectState, UNATTRIBUTED } from '../../tracking/project-state.ts';
import { removeRunGroups } from '../../tracking/run-groups.ts';
import { listStaleRecords } from '../../tracking/stale-records.ts';
import {
  proofOf,
  reportProcesses,
  reportServices,
  reportSpared,
  reportSurvivors,
  sessionsOf,
} from './build-report.ts';
import { stopCapabilities } from './capabilities.ts';
import { emptyReport } from './empty-report.ts';
import type { FirstLook } from './first-look.ts';
import { describeLeftAlone, findLeftAlone } from './left-alone.ts';
import type { StopHeader, StopOptions } from './options.ts';
import type { VerifiedOutcome, WholeOutcome } from './outcome.ts';
import { knownNames } from './stop-runs.ts';

/**
 * Carries out the last part of a stop: takes one more snapshot, checks the ports, writes the report, and removes the
 * records of the processes that are proved dead.
 *
 * @param outcome what the stop has done
 * @param first the first look of the stop, before any signal
 */
export async function finishStop(
  host: Host,
  header: StopHeader,
  state: ProjectState,
  outcome: WholeOutcome,
  first: FirstLook,
): Promise<StopReport> {
  const { folder, options } = header;
  const wholeProject = options.names === null;
  const snapshot = await host.snapshot();
  const problems = [...outcome.problems];
  const attempt = attemptInto(folder, problems);

  outcome.history.recordGone(snapshot, host.nowMs());
  const records = targetedRecords(state, options);
  const processes = reportProcesses(outcome, sessionsOf(outcome, records));
  const stillAlive = first.spared.filter(({ process }) => livesIn(snapshot, process.identity));
  const survivors = [
    ...reportSurvivors(outcome, processes),
    ...findLeftAlone(outcome, state, options, stillAlive).map((process) =>
      describeLeftAlone(process, snapshot),
    ),
  ];
  const ended = new Set(outcome.history.entries().flatMap(({ claim }) => claim.service ?? []));
  const ports = portsToCheck(records, options, ended);
  const ofContainers = outcome.containers?.ports ?? [];
  const spared = reportSpared(outcome, first.spared, snapshot);
  const holders = await findPortHolders([...ports.keys()], snapshot);
  const supervisor = first.supervisors[0]?.identity ?? null;
  const isSupervisorGone = supervisor === null || !livesIn(snapshot, supervisor);
  const guards = wholeProject ? first.guards : [];

  reportFileProblems(state, problems, attempt);
  // Guards are kept while a survivor is below them.
  if (survivors.length === 0) problems.push(...guardProblems(guards, snapshot));
  const lost = new Set(survivors.map(({ service }) => service));
  const shared = isShared(folder);
  const cleanup: Cleanup = { state, options, snapshot, lost, ended, shared, attempt };
  removeRecords(cleanup);
  if (isSupervisorGone) await removeSupervisorTraces(cleanup);
  if (wholeProject && !shared) removeProjectFiles(cleanup);
  attempt('the control groups', () => removeRunGroups(state));

  const { supervisors: supervisorsBefore } = first;
  const facts = { folder, records, supervisorsBefore, outcome, spared, wholeProject };
  const report: StopReport = {
    ...emptyReport(header),
    tookMs: Math.round(host.nowMs() - header.beganAtMs),
    forced: options.force || options.forced(),
    services: reportServices(outcome, records, lost),
    processes,
    survivors,
    spared,
    stale: listStaleRecords(state, first.stale),
    ports: [
      ...ofContainers.filter((one) => !ports.has(portOf(one))),
      ...reportPorts(ports, holders, snapshot),
    ],
    problems: [...new Set(problems)],
    capabilities: stopCapabilities(state, supervisor, first.guards, records, await loadNative()),
    supervisor: supervisor && { pid: supervisor.pid, ended: isSupervisorGone },
    guards: guards.map(({ identity }) => identity.pid),
    proof: survivors.length > 0 ? notProved(outcome) : proofOf(facts),
    containers: outcome.containers,
  };
  if (shared) return report;
  attempt('the report', () => writeLastStop(folder, report));
  // The manifests of a folder that share its records share its place in the registry.
  const isGone = survivors.length === 0 && outcome.containers?.left !== true;
  const isLast = wholeProject && isGone && state.foreign.length === 0;
  if (isLast && folder.id !== null) forgetProject(folderIdOf(folder.id));
  // A supervisor that was killed has not written the end of its session.
  if (wholeProject && survivors.length === 0 && isSupervisorGone) {
    attempt('the history', () => endSession(folder, Date.now()));
  }
  return report;
}

/** Carries out one removal or write in our own folder. An error becomes a problem of the report. */
type Attempt = (what: string, effect: () => unknown) => void;

function attemptInto(folder: ProjectFolder, problems: string[]): Attempt {
  return (what, effect) => {
    folder.requireHere?.();
    try {
      effect();
    } catch (error) {
      problems.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
}

/** The services of the ports that the ended processes may have held. */
function portsToCheck(
  records: ProjectState['records'],
  { declared }: StopOptions,
  ended: ReadonlySet<string>,
): ReadonlyMap<Port, string> {
  // A service without a record had the ports that the manifest declares.
  const planned = declared.filter(({ name }) => ended.has(name));
  return new Map([
    ...planned.flatMap((one) => allPorts(one).map((port) => [port, one.name] as const)),
    ...records.flatMap((one) => allPorts(one).map((port) => [port, one.service] as const)),
  ]);
}

/** Reports the files of `.pids` that could not be used, and sets aside those that are damaged. */
function reportFileProblems(
  { folder, problems: found }: ProjectState,
  problems: string[],
  attempt: Attempt,
): void {
  for (const problem of found) {
    problems.push(`${problem.path}: ${problem.reason}`);
    if (mustSetAside(folder, problem)) attempt('setting it aside', () => setAside(folder, problem));
  }
}

function guardProblems(guards: readonly ProcessInfo[], snapshot: Snapshot): readonly string[] {
  return guards
    .filter(({ identity }) => livesIn(snapshot, identity))
    .map(({ identity }) => `a guard could not be ended; needs: sudo kill -KILL ${identity.pid}`);
}

function notProved({ history }: VerifiedOutcome): Proof {
  return {
    strength: 'best-effort',
    why: 'not everything could be ended',
    scans: history.scans(),
  };
}

/** The facts that decide what is removed. */
interface Cleanup {
  readonly state: ProjectState;
  readonly options: StopOptions;
  readonly snapshot: Snapshot;
  /** The services of which a process is left. Null stands for a process of no known service. */
  readonly lost: ReadonlySet<string | null>;
  /** The services of which a process was seen, recorded or not. */
  readonly ended: ReadonlySet<string>;
  /** True where another project has records in the same folder. */
  readonly shared: boolean;
  readonly attempt: Attempt;
}

/**
 * Tells whether another manifest of the folder, or another project, has records in the records folder: then the files
 * in it that do not say whose they are may be theirs.
 */
function isShared(folder: ProjectFolder): boolean {
  if (folder.standing.standing === 'shared' || readFolderRecords(folder).others.length > 0)
    return true;
  const supervisor = readSupervisor(folder);
  return supervisor.kind === 'problem' && supervisor.problem.reason === OF_OTHER_MANIFEST;
}

function removeRecords(cleanup: Cleanup): void {
  const { state, options, snapshot, lost, attempt } = cleanup;
  const { folder } = state;
  for (const record of targetedRecords(state, options)) {
    const { service, runId } = record;
    if (lost.has(service) || !sameNamespace(record, snapshot)) continue;
    attempt(`the record of ${service}`, () => removeRecord(folder, service, runId));
    attempt(`the stdin of ${service}`, () => removeFifo(folder, service));
  }
  removeLedgers(cleanup);
  attempt('the founding files', () => removeOrWriteLegacyFiles(cleanup));
}

function removeLedgers({ state, options, snapshot, lost, ended, attempt }: Cleanup): void {
  const elsewhere = new Set(
    state.ledger
      .filter(({ identity }) => !sameNamespace(identity, snapshot))
      .map(({ service }) => service),
  );
  // `ended` adds the ledgers that this stop itself has begun.
  const known = [...knownNames(state), ...ended, UNATTRIBUTED];
  // Once for all ledgers, because there may be thousands of records.
  const { others } = readFolderRecords(state.folder);
  for (const service of new Set(options.names ?? known)) {
    if (lost.has(service === UNATTRIBUTED ? null : service) || elsewhere.has(service)) continue;
    attempt(`the ledger of ${service}`, () => removeLedger(state.folder, service, others));
  }
}

/** Removes the legacy files after the proof of a full stop. Otherwise writes them anew from the remaining records. */
function removeOrWriteLegacyFiles({ state, options, snapshot, lost, shared }: Cleanup): void {
  if (shared) return;
  const left = readRecords(state.folder).records;
  const isProved =
    options.names === null &&
    left.length === 0 &&
    lost.size === 0 &&
    // A record of a later devctl cannot be judged, and may be all that is known of a process.
    !state.problems.some(({ kind }) => kind === 'unbelieved');
  if (isProved) removeLegacyFiles(state.folder);
  else writeLegacyFiles(state.folder, left, (leader) => livesIn(snapshot, leader));
}

/** Removes the record and the socket of a supervisor that has ended. */
async function removeSupervisorTraces(cleanup: Cleanup): Promise<void> {
  const { state, options, snapshot, shared, attempt } = cleanup;
  const { folder, supervisor } = state;
  const recorded: Identity | undefined = supervisor?.identity;
  // A supervisor of another container may be alive there.
  if (recorded && !sameNamespace(recorded, snapshot)) return;
  if (recorded && !livesIn(snapshot, recorded)) {
    attempt("the supervisor's record", () => removeSupervisor(folder, recorded));
  }
  // A supervisor that was killed could not remove its socket. Another manifest of the folder has the same socket, and
  // so may another project that was at this path before, or is at one of our former paths now.
  for (const path of options.names === null && !shared ? socketPaths(folder) : []) {
    if (await isListenedAt(path)) continue;
    attempt("the supervisor's socket", () => rmSync(path, { force: true }));
  }
}

/**
 * Removes the lease and the breaches, even where a process has survived: another stop would not end that process
 * either, and the next start sets its own lease.
 */
function removeProjectFiles({ state: { folder }, attempt }: Cleanup): void {
  attempt('the lease', () => removeLeases(folder));
  attempt('the breaches', () => removeBreachRecord(folder));
}

/** Removes the FIFO of a service. It can remove nothing else: the folder is ours, and the record's name was checked. */
function removeFifo(folder: ProjectFolder, service: string): void {
  rmSync(join(folder.pidsDir, 'stdin', service), { force: true });
}

function targetedRecords(state: ProjectState, { names }: StopOptions): ProjectState['records'] {
  return names === null
    ? state.records
    : state.records.filter(({ service }) => names.includes(service));
}

/** False for a record of another container, which stays: its pids cannot be judged from here. */
function sameNamespace(
  record: { readonly bootId: string; readonly pidNamespace: string },
  snapshot: Snapshot,
): boolean {
  return record.bootId !== snapshot.bootId || sameMachine(record, snapshot);
}
