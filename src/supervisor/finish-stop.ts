import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from '../processes/host.ts';
import { type Identity, sameMachine } from '../processes/identity.ts';
import { findPortHolders } from '../processes/ports.ts';
import { livesIn, type Snapshot } from '../processes/snapshot.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { removeFoundingFiles, writeFoundingFiles } from '../project/founding-files.ts';
import { writeLastStop } from '../project/last-stop.ts';
import { removeLedger } from '../project/ledger.ts';
import { setAside } from '../project/problem.ts';
import { readRecords, removeRecord } from '../project/records.ts';
import { socketPaths } from '../project/socket-path.ts';
import { removeSupervisor } from '../project/supervisor-record.ts';
import type { StopReport } from '../stopping/report.ts';
import type { FirstLook } from './first-look.ts';
import { type ProjectState, UNATTRIBUTED } from './project-state.ts';
import type { StopOptions, VerifiedOutcome } from './stop.ts';
import {
  proofOf,
  reportPorts,
  reportProcesses,
  reportServices,
  reportSpared,
  reportSurvivors,
} from './stop-report.ts';
import { knownNames } from './stop-runs.ts';
import { describeUnproved, findUnproved } from './unproved.ts';

export interface StopHeader {
  readonly folder: ProjectFolder;
  readonly options: StopOptions;
  readonly startedAt: Date;
  readonly beganAtMs: number;
  readonly self: Identity;
}

/**
 * The last part of a stop: look once more with everything, check the ports, write the report, and
 * only then remove the records of what is proved dead.
 *
 * @param outcome null when there was nothing to stop
 */
export async function finishStop(
  host: Host,
  header: StopHeader,
  state: ProjectState,
  outcome: VerifiedOutcome | null,
  first: FirstLook,
): Promise<StopReport> {
  const { folder, options } = header;
  const snapshot = outcome ? await host.snapshot() : first.snapshot;
  const problems = [...(outcome?.problems ?? [])];
  const attempt = (what: string, effect: () => unknown): void => {
    try {
      effect();
    } catch (error) {
      problems.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };

  outcome?.history.settle(snapshot, host.nowMs());
  const processes = outcome ? reportProcesses(outcome) : [];
  const records = targetedRecords(state, options);
  const unproved = outcome ? findUnproved(outcome, state, options) : [];
  const survivors = outcome
    ? [
        ...reportSurvivors(outcome, processes),
        ...unproved.map((one) => describeUnproved(one, snapshot)),
      ]
    : [];
  const ports = new Map(
    records.flatMap(({ ports: list, service }) => list.map((port) => [port, service])),
  );
  const spared = outcome ? reportSpared(outcome, first.spared, snapshot) : [];
  const holders = outcome ? await findPortHolders([...ports.keys()], snapshot) : [];
  const supervisor = first.supervisors[0]?.identity ?? null;
  const supervisorEnded = supervisor !== null && !livesIn(snapshot, supervisor);

  if (outcome) {
    const lost = new Set(survivors.map(({ service }) => service));
    for (const problem of state.problems) {
      problems.push(`${problem.path}: ${problem.reason}`);
      if (problem.kind === 'corrupt') attempt('setting it aside', () => setAside(folder, problem));
    }
    for (const { service, runId } of records.filter((record) => sameNamespace(record, snapshot))) {
      if (lost.has(service)) continue;
      attempt(`the record of ${service}`, () => removeRecord(folder, service, runId));
      attempt(`the stdin of ${service}`, () => removeFifo(folder, service));
    }
    // Also those that this very stop began.
    const names = options.names ?? [...knownNames(state), UNATTRIBUTED];
    const elsewhere = new Set(
      state.ledger
        .filter(({ identity }) => !sameNamespace(identity, snapshot))
        .map(({ service }) => service),
    );
    for (const service of new Set(names)) {
      if (!lost.has(service === UNATTRIBUTED ? null : service) && !elsewhere.has(service))
        attempt(`the ledger of ${service}`, () => removeLedger(folder, service));
    }
    attempt('the founding files', () => {
      const left = readRecords(folder).records;
      if (left.length > 0 || survivors.length > 0) writeFoundingFiles(folder, left);
      else if (options.names === null) removeFoundingFiles(folder);
      else writeFoundingFiles(folder, left);
    });
    const gone = state.supervisor?.identity;
    if (gone && sameNamespace(gone, snapshot) && !livesIn(snapshot, gone)) {
      attempt("the supervisor's record", () => removeSupervisor(folder, gone));
    }
    // One that was killed could not remove its socket.
    const isElsewhere = gone !== undefined && !sameNamespace(gone, snapshot);
    if (options.names === null && !isElsewhere && (supervisor === null || supervisorEnded)) {
      for (const path of socketPaths(folder)) {
        attempt("the supervisor's socket", () => rmSync(path, { force: true }));
      }
    }
  }

  const report: StopReport = {
    version: 1,
    kind: 'stop',
    project: folder.root,
    at: header.startedAt.toISOString(),
    tookMs: Math.round(host.nowMs() - header.beganAtMs),
    forced: options.force || options.forced(),
    scope: options.names,
    services: outcome ? reportServices(outcome, records) : [],
    processes,
    survivors,
    spared,
    stale: first.stale.map(({ run, detail }) => ({ service: run.service, detail })),
    ports: outcome ? reportPorts(ports, holders, snapshot) : [],
    problems,
    supervisor: supervisor && { pid: supervisor.pid, ended: supervisorEnded },
    proof: outcome
      ? survivors.length > 0
        ? {
            strength: 'best-effort',
            why: 'not everything could be ended',
            scans: outcome.history.scans(),
          }
        : proofOf(records, first.supervisors, outcome, spared, options.names === null)
      : {
          strength: 'best-effort',
          why: 'there are no records: only what carries our mark or works in the project can be found',
          scans: 1,
        },
  };
  if (outcome) attempt('the report', () => writeLastStop(folder, report));
  return report;
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
