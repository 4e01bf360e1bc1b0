import { RUN_COMMAND } from '../../lock/holder.ts';
import { acquireLock } from '../../lock/lock.ts';
import type { Claim } from '../../ownership/claim.ts';
import { describeCommand } from '../../processes/describe.ts';
import { sameIdentity } from '../../processes/identity.ts';
import { groupMembers, removeEmptyGroup } from '../../processes/linux/control-groups.ts';
import { settledSnapshot } from '../../processes/settled-snapshot.ts';
import { livesIn } from '../../processes/snapshot.ts';
import { readLastStop } from '../../project/last-stop.ts';
import { removeLedger } from '../../project/ledger.ts';
import { readRecord, removeRecord, writeRecord } from '../../project/records.ts';
import type { ServiceRecord } from '../../project/service-record.ts';
import type { Proof, StopReport } from '../../stopping/report.ts';
import { lookAtProject } from '../../tracking/look.ts';
import { readProjectState } from '../../tracking/project-state.ts';
import { isProvedByGroup } from '../../tracking/run-groups.ts';
import { MAX_PASSES } from '../stop/ask-guards.ts';
import { type StopOptions, stopHeader, stopOptions } from '../stop/options.ts';
import { stopLocked } from '../stop/stop-locked.ts';
import type { BegunRun, RunContext } from './begin.ts';

/** A one-off that is to be ended. */
export interface EndingRun extends RunContext {
  readonly run: BegunRun;
  /** Waits for the scan of the witness that is under way, which would write what it saw after the ledger was removed. */
  readonly endWitness: () => Promise<void>;
  /** The latest record: the witness notes in it when a process has left the control group. */
  readonly record: () => ServiceRecord;
  readonly forced: () => boolean;
  /** True when a signal that we have not sent ended the command. It may be of a `devctl stop`, which we wait for. */
  readonly killed: boolean;
  readonly onScan: StopOptions['onScan'];
}

/** A process that the command left behind. */
export interface LeftBehind {
  readonly pid: number;
  readonly command: string;
}

/** The time that processes have to end after the command, in ms: the last programs of a pipe are no orphans. */
const SETTLE_MS = 250;
const SETTLE_POLL_MS = 10;

/** Finds the processes that are still alive some time after the command has ended. */
export async function findOrphans(ending: EndingRun): Promise<readonly LeftBehind[]> {
  const { host } = ending;
  const deadline = host.nowMs() + SETTLE_MS;
  for (;;) {
    if ((await isEmpty(ending)) === true) return [];
    const snapshot = await host.snapshot();
    const claims = await claimsOf(ending);
    if (claims.length === 0 && (await isEmpty(ending)) !== false) return [];
    if (host.nowMs() >= deadline) {
      return claims.map(({ process }) => ({
        pid: process.identity.pid,
        command: describeCommand(snapshot, process),
      }));
    }
    await host.delay(SETTLE_POLL_MS);
  }
}

async function claimsOf({ folder, host, record }: EndingRun): Promise<readonly Claim[]> {
  const own = record();
  const state = readProjectState(folder);
  // Our own copy of the record, because the file may be gone.
  const records = [...state.records.filter(({ service }) => service !== own.service), own];
  const settled = { snapshot: () => settledSnapshot(host), self: () => host.self() };
  const { claims } = await lookAtProject(settled, folder, { ...state, records });
  return claims.filter(({ runId }) => runId === own.runId);
}

/**
 * Asks the kernel whether no process of the run is alive: by its control group and its subreaper, if it has them.
 *
 * @returns null where it has no subreaper, so that only a scan can tell
 */
async function isEmpty({ run, record }: EndingRun): Promise<boolean | null> {
  const { cgroup } = record();
  if (cgroup?.held && groupMembers(cgroup.path).length > 0) return false;
  // A process may have written itself into another group, and no kernel list has it there.
  if (!run.native) return null;
  if (run.native.hasChildren() === false) return true;
  await run.reaper?.reapNow();
  const children = run.native.hasChildren();
  return children === null ? null : !children;
}

export interface OneOffEnd {
  readonly proof: Proof;
  readonly survivors: StopReport['survivors'];
  /** Null: no process was left to be stopped. */
  readonly report: StopReport | null;
  /** Set when another devctl has stopped the run; `why` is the reason of a stop that no user asked for. */
  readonly stopped: { readonly why: string | null } | null;
}

/** Ends all processes of a run with the engine that stops services, and removes its record after the proof. */
export async function endOneOff(ending: EndingRun): Promise<OneOffEnd> {
  const { folder, host, record } = ending;
  const { service } = record();
  const atOnce = ending.killed ? null : await endEmpty(ending);
  if (atOnce) return atOnce;
  const release = await lockToEnd(ending);
  try {
    if (!isRecorded(ending) && !(await restoreRecord(ending))) {
      const why = 'a devctl stop has ended it: its report has the proof';
      const proof = { strength: 'best-effort', why, scans: 0 } as const;
      return { proof, survivors: [], report: null, stopped: stopThatEnded(ending) };
    }
    const late = ending.killed ? await endEmpty(ending) : null;
    if (late) return late;
    await ending.endWitness();
    let report: StopReport | null = null;
    for (let pass = 0; pass < MAX_PASSES; pass += 1) {
      const { forced, onScan } = ending;
      const options = stopOptions({ names: [service], force: forced(), forced, onScan });
      report = await stopLocked(host, await stopHeader(host, folder, options), []);
      // A scan can miss a process that is forked while it reads. The kernel's list of children cannot.
      if (report.survivors.length > 0 || (await isEmpty(ending)) !== false) break;
      // Another pass would leave it alone again.
      if (report.spared.some(({ veto, ours }) => veto === 'protected' && ours)) break;
      if ((await claimsOf(ending)).length === 0) break;
    }
    if (!report) throw new Error('a stop ends with its report');
    const proof = await proofOf(ending, report);
    return { proof, survivors: report.survivors, report, stopped: null };
  } finally {
    release();
  }
}

/** The end of a run of which nothing was left. */
function emptyEnd(scans: number): OneOffEnd {
  const proof = { strength: 'complete', why: null, scans } as const;
  return { proof, survivors: [], report: null, stopped: null };
}

/**
 * Removes the record if no process is left: the kernel says so, or the control group is empty and a scan finds no process
 * of the run outside of it.
 *
 * @returns null where neither can tell, so that a stop is needed
 */
async function endEmpty(ending: EndingRun): Promise<OneOffEnd | null> {
  const { folder, run, record } = ending;
  const empty = await isEmpty(ending);
  const scans = empty === null ? 1 : 0;
  if (empty === false || (empty === null && !record().cgroup?.held)) return null;
  if (scans > 0 && (await claimsOf(ending)).length > 0) return null;
  if (record().cgroup?.held && !isProvedByGroup(record(), folder)) return null;
  await ending.endWitness();
  const { service, runId } = record();
  folder.requireHere?.();
  // Another run may have the name by now, in another project at our old path.
  const isOurs = removeRecord(folder, service, runId);
  removeLedger(folder, service, undefined, isOurs ? undefined : runId);
  // The group of this run is gone. An empty group of another run may just have been made for its spawn.
  if (run.groups) removeEmptyGroup(run.groups.folder);
  return emptyEnd(scans);
}

/** Finds the stop that ended the command in the report of the last stop. */
function stopThatEnded({ folder, run }: EndingRun): OneOffEnd['stopped'] {
  const report = readLastStop(folder);
  const processes = Array.isArray(report?.processes) ? report.processes : [];
  if (!processes.some((process) => process?.pid === run.leader.pid)) return null;
  return { why: typeof report?.why === 'string' ? report.why : null };
}

/** The proof of the report, weakened when the kernel still lists a child of this process. */
async function proofOf(ending: EndingRun, report: StopReport): Promise<Proof> {
  if (report.survivors.length > 0 || report.proof.strength !== 'complete') return report.proof;
  if ((await isEmpty(ending)) !== false) return report.proof;
  const why = 'something is left below devctl run that is not of the run (devctl start?)';
  return { ...report.proof, strength: 'best-effort', why };
}

/** Tells whether the record is there. A stop removes it when it has proved that no process of the run is left. */
function isRecorded({ folder, record }: EndingRun): boolean {
  const { service, runId } = record();
  const read = readRecord(folder, service);
  return read.kind === 'record' && read.record.runId === runId;
}

/**
 * Writes the record again if the command itself has removed it (`git clean -fdx`, `rm -rf .pids`). In that case its
 * processes are still alive.
 *
 * @returns false when a stop has ended the run, or another run has the name by now
 */
async function restoreRecord(ending: EndingRun): Promise<boolean> {
  const { folder, record } = ending;
  const found = readRecord(folder, record().service);
  if (found.kind === 'record') return false;
  if ((await claimsOf(ending)).length === 0) return false;
  // The record of another project, which has moved in at our old path, is left as it is.
  if (found.kind === 'problem' && found.problem.kind === 'foreign') return true;
  try {
    writeRecord(folder, record());
  } catch {
    // The run is ended all the same. But a process without our mark is found only by the next stop.
  }
  return true;
}

/** The longest wait for the lock before we look again at its holder, in ms. */
const LOCK_TRY_MS = 1_000;
/** The time that a `devctl stop` has to finish, in ms. */
const OTHER_STOP_MS = 30_000;

/**
 * Takes the lock to end the run. It does not wait for a `start`, because the processes that the command left behind
 * must end. It does wait for a `stop`, which ends the same processes and needs us as their subreaper for its proof.
 *
 * @returns the function that releases the lock, or does nothing where the lock could not be had
 */
async function lockToEnd(ending: EndingRun): Promise<() => void> {
  const { folder, host, self } = ending;
  const request = {
    identity: self,
    command: RUN_COMMAND,
    isAlive: async (holder: typeof self) => livesIn(await host.snapshot(), holder),
    waitMs: LOCK_TRY_MS,
  };
  const deadline = host.nowMs() + OTHER_STOP_MS;
  for (;;) {
    const lock = await acquireLock(folder, request).catch(() => null);
    if (lock?.kind === 'held') return lock.release;
    const holder = lock?.holder;
    const isStop = holder?.command.startsWith('stop') && !sameIdentity(holder.identity, self);
    if (!isStop || !isRecorded(ending) || host.nowMs() >= deadline) return () => {};
  }
}
