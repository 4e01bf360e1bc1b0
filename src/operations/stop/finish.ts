import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { endSession } from '../../history/writer.ts';
import { removeLeases } from '../../leases/file.ts';
import { removeBreachRecord } from '../../limits/breach-file.ts';
import type { Host } from '../../processes/host.ts';
import { sameMachine } from '../../processes/identity.ts';
import { loadNative } from '../../processes/native/native.ts';
import { findPortHolders } from '../../processes/ports.ts';
import { livesIn, type Snapshot } from '../../processes/snapshot.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import { writeLastStop } from '../../project/last-stop.ts';
import { removeLedger } from '../../project/ledger.ts';
import { removeLegacyFiles, writeLegacyFiles } from '../../project/legacy-files.ts';
import { readRecords, removeRecord } from '../../project/records.ts';
import { mustSetAside, setAside } from '../../project/set-aside.ts';
import { socketPaths } from '../../project/socket-path.ts';
import { removeSupervisor } from '../../project/supervisor-record.ts';
import type { StopReport } from '../../stopping/report.ts';
import { type ProjectState, UNATTRIBUTED } from '../../tracking/project-state.ts';
import { removeRunGroups } from '../../tracking/run-groups.ts';
import {
  proofOf,
  reportPorts,
  reportProcesses,
  reportServices,
  reportSpared,
  reportSurvivors,
} from './build-report.ts';
import { stopCapabilities } from './capabilities.ts';
import { emptyReport } from './empty-report.ts';
import { describeStale, type FirstLook } from './first-look.ts';
import { describeLeftAlone, findLeftAlone } from './left-alone.ts';
import type { StopHeader, StopOptions } from './options.ts';
import type { VerifiedOutcome } from './outcome.ts';
import { knownNames } from './stop-runs.ts';

/**
 * The last part of a stop: look once more with everything, check the ports, write the report, and
 * only then remove the records of what is proved dead.
 */
export async function finishStop(
  host: Host,
  header: StopHeader,
  state: ProjectState,
  outcome: VerifiedOutcome,
  first: FirstLook,
): Promise<StopReport> {
  const { folder, options } = header;
  const snapshot = await host.snapshot();
  const problems = [...outcome.problems];
  const attempt: Attempt = (what, effect) => {
    try {
      effect();
    } catch (error) {
      problems.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };

  outcome.history.recordGone(snapshot, host.nowMs());
  const processes = reportProcesses(outcome);
  const records = targetedRecords(state, options);
  const unproved = findLeftAlone(outcome, state, options);
  const survivors = [
    ...reportSurvivors(outcome, processes),
    ...unproved.map((one) => describeLeftAlone(one, snapshot)),
  ];
  const ended = new Set(outcome.history.entries().flatMap(({ claim }) => claim.service ?? []));
  // What was ended without a record has had the ports that the manifest says.
  const declared = options.declared.filter(({ name }) => ended.has(name));
  const ports = new Map([
    ...declared.flatMap(({ ports: list, name }) => list.map((port) => [port, name] as const)),
    ...records.flatMap(({ ports: list, service }) => list.map((port) => [port, service] as const)),
  ]);
  const spared = reportSpared(outcome, first.spared, snapshot);
  const holders = await findPortHolders([...ports.keys()], snapshot);
  const supervisor = first.supervisors[0]?.identity ?? null;
  const supervisorEnded = supervisor !== null && !livesIn(snapshot, supervisor);

  for (const problem of state.problems) {
    problems.push(`${problem.path}: ${problem.reason}`);
    if (mustSetAside(folder, problem)) attempt('setting it aside', () => setAside(folder, problem));
  }
  const guards = options.names === null ? first.guards : [];
  // Where something has survived, they are kept above it.
  const stubborn = guards.filter(({ identity }) => livesIn(snapshot, identity));
  for (const { identity } of survivors.length > 0 ? [] : stubborn) {
    problems.push(`a guard could not be ended; needs: sudo kill -KILL ${identity.pid}`);
  }
  const lost = new Set(survivors.map(({ service }) => service));
  removeRecords(state, options, snapshot, { lost, ended }, attempt);
  if (supervisor === null || supervisorEnded) {
    removeSupervisorTraces(state, options, snapshot, attempt);
  }

  // What was not ended now would not be by a second try, and whoever starts again says for how long.
  if (options.names === null) {
    attempt('the lease', () => removeLeases(folder));
    attempt('the breaches', () => removeBreachRecord(folder));
  }

  attempt('the control groups', () => removeRunGroups(state));
  const wholeProject = options.names === null;
  const report: StopReport = {
    ...emptyReport(header),
    tookMs: Math.round(host.nowMs() - header.beganAtMs),
    forced: options.force || options.forced(),
    services: reportServices(outcome, records, lost),
    processes,
    survivors,
    spared,
    stale: describeStale(first.stale),
    ports: reportPorts(ports, holders, snapshot),
    problems,
    capabilities: stopCapabilities(state, supervisor, first.guards, records, await loadNative()),
    supervisor: supervisor && { pid: supervisor.pid, ended: supervisorEnded },
    guards: guards.map(({ identity }) => identity.pid),
    proof:
      survivors.length > 0
        ? {
            strength: 'best-effort',
            why: 'not everything could be ended',
            scans: outcome.history.scans(),
          }
        : proofOf(records, first.supervisors, outcome, spared, wholeProject),
  };
  attempt('the report', () => writeLastStop(folder, report));
  // Of a session whose supervisor was killed nobody else says so.
  if (wholeProject && survivors.length === 0 && (supervisor === null || supervisorEnded)) {
    attempt('the history', () => endSession(folder, Date.now()));
  }
  return report;
}

/** Carries out one removal; what goes wrong becomes a problem of the report. */
type Attempt = (what: string, effect: () => unknown) => void;

/** What a stop has come to, in names of services. */
interface Outcomes {
  /** Of these something is left; null stands for what has no service. */
  readonly lost: ReadonlySet<string | null>;
  /** Of these something was seen, recorded or not. */
  readonly ended: ReadonlySet<string>;
}

function removeRecords(
  state: ProjectState,
  options: StopOptions,
  snapshot: Snapshot,
  { lost, ended }: Outcomes,
  attempt: Attempt,
): void {
  const { folder } = state;
  for (const record of targetedRecords(state, options)) {
    const { service, runId } = record;
    if (lost.has(service) || !sameNamespace(record, snapshot)) continue;
    attempt(`the record of ${service}`, () => removeRecord(folder, service, runId));
    attempt(`the stdin of ${service}`, () => removeFifo(folder, service));
  }
  const elsewhere = new Set(
    state.ledger
      .filter(({ identity }) => !sameNamespace(identity, snapshot))
      .map(({ service }) => service),
  );
  // Also those that this very stop began.
  const seen = [...knownNames(state), ...ended, UNATTRIBUTED];
  for (const service of new Set(options.names ?? seen)) {
    if (lost.has(service === UNATTRIBUTED ? null : service) || elsewhere.has(service)) continue;
    attempt(`the ledger of ${service}`, () => removeLedger(folder, service));
  }
  attempt('the founding files', () => {
    const left = readRecords(folder).records;
    const isProved =
      options.names === null &&
      left.length === 0 &&
      lost.size === 0 &&
      // What could not be judged may be all that is known of a process.
      !state.problems.some(({ kind }) => kind === 'future');
    if (isProved) removeLegacyFiles(folder);
    else writeLegacyFiles(folder, left);
  });
}

/** Of supervisors that have ended; one of another container may be alive there. */
function removeSupervisorTraces(
  { folder, supervisor }: ProjectState,
  { names }: StopOptions,
  snapshot: Snapshot,
  attempt: Attempt,
): void {
  const gone = supervisor?.identity;
  if (gone && !sameNamespace(gone, snapshot)) return;
  if (gone && !livesIn(snapshot, gone)) {
    attempt("the supervisor's record", () => removeSupervisor(folder, gone));
  }
  // One that was killed could not remove its socket.
  for (const path of names === null ? socketPaths(folder) : []) {
    attempt("the supervisor's socket", () => rmSync(path, { force: true }));
  }
}

/** Its own folder, and a name that was checked with the record: nothing else can be removed here. */
function removeFifo(folder: ProjectFolder, service: string): void {
  rmSync(join(folder.pidsDir, 'stdin', service), { force: true });
}

function targetedRecords(state: ProjectState, { names }: StopOptions): ProjectState['records'] {
  return names === null
    ? state.records
    : state.records.filter(({ service }) => names.includes(service));
}

/** A record from another container speaks of numbers that cannot be judged from here: it stays. */
function sameNamespace(
  record: { readonly bootId: string; readonly pidNamespace: string },
  snapshot: Snapshot,
): boolean {
  return record.bootId !== snapshot.bootId || sameMachine(record, snapshot);
}
