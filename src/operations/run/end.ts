import { RUN_COMMAND } from '../../lock/holder.ts';
import { acquireLock } from '../../lock/lock.ts';
import type { Claim } from '../../ownership/claim.ts';
import { describeCommand } from '../../processes/describe.ts';
import { sameIdentity } from '../../processes/identity.ts';
import { groupMembers, removeEmptyGroup } from '../../processes/linux/control-groups.ts';
import { livesIn } from '../../processes/snapshot.ts';
import { readLastStop } from '../../project/last-stop.ts';
import { removeLedger } from '../../project/ledger.ts';
import { readRecord, removeRecord, writeRecord } from '../../project/records.ts';
import type { ServiceRecord } from '../../project/service-record.ts';
import type { Proof, StopReport } from '../../stopping/report.ts';
import { lookAtProject } from '../../tracking/look.ts';
import { readProjectState } from '../../tracking/project-state.ts';
import { isProvedByGroup } from '../../tracking/run-groups.ts';
import type { Witness } from '../../tracking/witness.ts';
import { MAX_PASSES } from '../stop/ask-guards.ts';
import { type StopOptions, stopHeader, stopOptions } from '../stop/options.ts';
import { stopLocked } from '../stop/stop-locked.ts';
import type { BegunRun, RunPlace } from './begin.ts';

/** A run whose end is near, and who looks after it. */
export interface EndingRun extends RunPlace {
  readonly run: BegunRun;
  readonly witness: Pick<Witness, 'reap'>;
  /** The record as it is by now: what has moved elsewhere is noted in it. */
  readonly record: () => ServiceRecord;
  readonly forced: () => boolean;
  /** The command was ended by a signal that we have not sent: by a stop perhaps, which is then waited for. */
  readonly killed: boolean;
  readonly watch: StopOptions['onScan'];
}

/** A process that its command left behind. */
export interface LeftBehind {
  readonly pid: number;
  readonly command: string;
}

/** What is just ending, as the last of a pipe is, is not left behind. */
const SETTLE_MS = 250;
const LOOK_MS = 10;

/** What is still alive when the command has ended, once what was just ending has had the time. */
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
    await host.delay(LOOK_MS);
  }
}

async function claimsOf({ folder, host, record }: EndingRun): Promise<readonly Claim[]> {
  const own = record();
  const state = readProjectState(folder);
  // Whatever has become of it on disk.
  const records = [...state.records.filter(({ service }) => service !== own.service), own];
  const { claims } = await lookAtProject(host, folder, { ...state, records });
  return claims.filter(({ runId }) => runId === own.runId);
}

/**
 * Does the kernel say that nothing of the run is alive? Its control group and its subreaper are asked, as far
 * as it has them.
 *
 * @returns null where it has neither, so that only looking tells
 */
async function isEmpty({ run, record, witness }: EndingRun): Promise<boolean | null> {
  const { cgroup } = record();
  if (cgroup?.held && groupMembers(cgroup.path).length > 0) return false;
  if (!run.native) return cgroup?.held ? true : null;
  if (run.native.hasChildren() === false) return true;
  await witness.reap();
  const children = run.native.hasChildren();
  return children === null ? null : !children;
}

export interface OneOffEnd {
  readonly proof: Proof;
  readonly survivors: StopReport['survivors'];
  /** Null: nothing was left to be stopped. */
  readonly report: StopReport | null;
  /** Another devctl has stopped it, and why if nobody had asked for that; null: it has not. */
  readonly stopped: { readonly why: string | null } | null;
}

/** Ends everything of a run with the engine that stops services, and removes its record after the proof. */
export async function endOneOff(ending: EndingRun): Promise<OneOffEnd> {
  const { folder, host, record } = ending;
  const { service } = record();
  if (!ending.killed && (await endEmpty(ending))) return EMPTY;
  const release = await lockToEnd(ending);
  try {
    if (!isRecorded(ending) && !(await putBack(ending))) {
      const why = 'a devctl stop has ended it: its report has the proof';
      const proof = { strength: 'best-effort', why, scans: 0 } as const;
      return { proof, survivors: [], report: null, stopped: stopThatEnded(ending) };
    }
    if (ending.killed && (await endEmpty(ending))) return EMPTY;
    let report: StopReport | null = null;
    for (let pass = 0; pass < MAX_PASSES; pass += 1) {
      const { forced, watch } = ending;
      const wish = stopOptions({ names: [service], force: forced(), forced, onScan: watch });
      report = await stopLocked(host, await stopHeader(host, folder, wish), []);
      // A scan can miss what is being born while it reads; the kernel's list of children cannot.
      if (report.survivors.length > 0 || (await isEmpty(ending)) !== false) break;
      if ((await claimsOf(ending)).length === 0) break;
    }
    if (!report) throw new Error('a stop ends with its report');
    const proof = await proofOf(ending, report);
    return { proof, survivors: report.survivors, report, stopped: null };
  } finally {
    release();
  }
}

const EMPTY: OneOffEnd = {
  proof: { strength: 'complete', why: null, scans: 0 },
  survivors: [],
  report: null,
  stopped: null,
};

/** Removes the record where the kernel says that nothing is left. */
async function endEmpty(ending: EndingRun): Promise<boolean> {
  const { folder, run, record } = ending;
  if ((await isEmpty(ending)) !== true) return false;
  if (record().cgroup?.held && !isProvedByGroup(record())) return false;
  const { service, runId } = record();
  removeRecord(folder, service, runId);
  removeLedger(folder, service);
  // Its own is gone; those of others may have been made for something that is just being started.
  if (run.groups) removeEmptyGroup(run.groups.folder);
  return true;
}

function stopThatEnded({ folder, run }: EndingRun): OneOffEnd['stopped'] {
  const report = readLastStop(folder);
  const processes = Array.isArray(report?.processes) ? report.processes : [];
  if (!processes.some((one) => one?.pid === run.leader.pid)) return null;
  return { why: typeof report?.why === 'string' ? report.why : null };
}

async function proofOf(ending: EndingRun, report: StopReport): Promise<Proof> {
  if (report.survivors.length > 0 || report.proof.strength !== 'complete') return report.proof;
  if ((await isEmpty(ending)) !== false) return report.proof;
  const why = 'something is left below devctl run that is not of the run (devctl start?)';
  return { ...report.proof, strength: 'best-effort', why };
}

/** Its record is there until somebody has proved that nothing of it is left. */
function isRecorded({ folder, record }: EndingRun): boolean {
  const { service, runId } = record();
  const read = readRecord(folder, service);
  return read.kind === 'record' && read.record.runId === runId;
}

/**
 * The command may have removed it as well (`git clean -fdx`, `rm -rf .pids`): what is alive then has been ended
 * by nobody.
 *
 * @returns false where a stop has ended it, or another run has the name by now
 */
async function putBack(ending: EndingRun): Promise<boolean> {
  const { folder, record } = ending;
  if (readRecord(folder, record().service).kind === 'record') return false;
  if ((await claimsOf(ending)).length === 0) return false;
  try {
    writeRecord(folder, record());
  } catch {
    // It is ended all the same; what has no mark is then found by the next stop only.
  }
  return true;
}

const LOCK_MS = 1_000;
const STOP_MS = 30_000;

/**
 * Takes the lock to end the run. What the command left behind does not wait for a `start`; but a `stop` that is
 * at work ends the same processes, and counts on us as their subreaper until it has its proof.
 */
async function lockToEnd(ending: EndingRun): Promise<() => void> {
  const { folder, host, self } = ending;
  const request = {
    identity: self,
    command: RUN_COMMAND,
    isAlive: async (one: typeof self) => livesIn(await host.snapshot(), one),
    waitMs: LOCK_MS,
  };
  const deadline = host.nowMs() + STOP_MS;
  for (;;) {
    const lock = await acquireLock(folder, request).catch(() => null);
    if (lock?.kind === 'held') return lock.release;
    const holder = lock?.holder;
    const stops = holder?.command.startsWith('stop') && !sameIdentity(holder.identity, self);
    if (!stops || !isRecorded(ending) || host.nowMs() >= deadline) return () => {};
  }
}
