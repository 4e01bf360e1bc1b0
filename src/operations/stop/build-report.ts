import type { Claim, Spared } from '../../ownership/claim.ts';
import { describeCommand, describeHolder } from '../../processes/describe.ts';
import { identityKey, sameIdentity } from '../../processes/identity.ts';
import type { PortHolder } from '../../processes/ports.ts';
import { livesIn, type ProcessInfo, type Snapshot } from '../../processes/snapshot.ts';
import type { ServiceRecord } from '../../project/service-record.ts';
import type { SeenProcess } from '../../stopping/history.ts';
import type {
  Proof,
  ReportedPort,
  ReportedProcess,
  ReportedService,
  StopReport,
} from '../../stopping/report.ts';
import { UNATTRIBUTED } from '../../tracking/project-state.ts';
import { isProvedByGroup } from '../../tracking/run-groups.ts';
import { SWEPT } from '../../tracking/sweep-tracker.ts';
import type { StopOutcome, VerifiedOutcome } from './outcome.ts';

/** What a stop and a sweep have in common. */
type ReportedOutcome = Pick<StopOutcome, 'owned' | 'swept' | 'history' | 'unended' | 'beganAtMs'>;

export function reportProcesses(outcome: ReportedOutcome): readonly ReportedProcess[] {
  const commands = new Map([...(outcome.swept?.commands ?? []), ...outcome.owned.commands]);
  return outcome.history.entries().map((seen) => toReported(seen, outcome.beganAtMs, commands));
}

function toReported(
  { claim, signals, goneAtMs }: SeenProcess,
  beganAtMs: number,
  commands: ReadonlyMap<number, string>,
): ReportedProcess {
  const { pid } = claim.process.identity;
  const ending = signals.filter((signal) => signal !== 'SIGCONT' && signal !== 'SIGSTOP');
  return {
    pid,
    command: commands.get(pid) ?? `[${claim.process.name}]`,
    service: claim.service,
    evidence: claim.evidence,
    signals,
    endedBy: goneAtMs === null ? null : (ending.at(-1) ?? null),
    endedAfterMs: goneAtMs === null ? null : Math.round(goneAtMs - beganAtMs),
  };
}

export function reportSurvivors(
  outcome: ReportedOutcome,
  processes: readonly ReportedProcess[],
): StopReport['survivors'] {
  const entries = new Map(
    outcome.history.entries().map((seen) => [seen.claim.process.identity.pid, seen]),
  );
  const alive = processes.filter(({ endedAfterMs }) => endedAfterMs === null);
  const restless = outcome.unended.flatMap(({ process: { identity } }) => {
    if (alive.some(({ pid }) => pid === identity.pid)) return [];
    return processes.find(({ pid }) => pid === identity.pid) ?? [];
  });
  const why = 'it ends and leaves another in its place, faster than that can be ended';
  return [
    ...alive.map((one) => ({ ...one, why: whyAlive(entries.get(one.pid)?.claim, one) })),
    ...restless.map((one) => ({ ...one, why })),
  ];
}

function whyAlive(claim: Claim | undefined, { signals, pid }: ReportedProcess): string {
  if (signals.length === 0) return `it may not be signalled by this user; needs: sudo kill ${pid}`;
  if (claim?.process.state === 'D') return 'stuck in the kernel (state D), the signal is pending';
  return 'it outlived SIGKILL';
}

/** @param lost services of which something is left, also what was left alone */
export function reportServices(
  outcome: StopOutcome,
  records: readonly ServiceRecord[],
  lost: ReadonlySet<string | null>,
): readonly ReportedService[] {
  const counts = new Map<string, number>();
  for (const { claim } of outcome.history.entries()) {
    const service = claim.service ?? '';
    counts.set(service, (counts.get(service) ?? 0) + 1);
  }
  return outcome.units
    .filter(({ name }) => name !== UNATTRIBUTED && name !== SWEPT)
    .map(({ name, leader }): ReportedService => {
      const phase = outcome.state.units.get(name)?.phase;
      const ran = counts.has(name) || records.some(({ service }) => service === name);
      const survived = phase?.kind === 'survived' || lost.has(name);
      const atMs = phase && 'atMs' in phase ? phase.atMs : outcome.beganAtMs;
      return {
        name,
        outcome: survived ? 'survived' : ran ? 'stopped' : 'was-not-running',
        leaderPid: leader?.pid ?? null,
        processes: counts.get(name) ?? 0,
        tookMs: Math.round(atMs - outcome.beganAtMs),
      };
    });
}

/**
 * @param first what the first scan spared: as the tree dies, what points to another project's process
 *   within it is lost
 */
export function reportSpared(
  outcome: StopOutcome,
  first: readonly Spared[],
  snapshot: Snapshot,
): StopReport['spared'] {
  const latest = [...outcome.owned.latest().spared, ...(outcome.swept?.latest().spared ?? [])];
  const known = new Set(latest.map(({ process }) => identityKey(process.identity)));
  const nested = first.filter(({ process, veto }) => {
    if (veto.kind !== 'other-project' || known.has(identityKey(process.identity))) return false;
    return livesIn(snapshot, process.identity);
  });
  return [...latest, ...nested].map((one) => describeSpared(one, snapshot));
}

/** A process that was left alone, for the report. */
export function describeSpared(
  { process, evidence, veto }: Spared,
  snapshot: Snapshot,
): StopReport['spared'][number] {
  return {
    pid: process.identity.pid,
    command: describeCommand(snapshot, process),
    evidence,
    veto: veto.kind,
    why: veto.detail,
  };
}

/**
 * How sure is "nothing is left"?
 *
 * Only a control group that each run was born in, or a subreaper that was there from the first spawn
 * to the last scan, makes it complete: without, a daemon that cleared its environment and left its
 * session before it was first seen has no mark left.
 */
export function proofOf(
  records: readonly ServiceRecord[],
  supervisorsBefore: readonly ProcessInfo[],
  outcome: VerifiedOutcome,
  spared: StopReport['spared'],
  wholeProject: boolean,
): Proof {
  const scans = outcome.history.scans();
  const weak = (why: string): Proof => ({ strength: 'best-effort', why, scans });
  const cannotExclude =
    'a daemon that cleared its environment before it was first seen cannot be excluded';
  const nested = spared.find(
    ({ veto, evidence }) =>
      veto === 'other-project' && evidence.some(({ kind }) => kind !== 'pattern'),
  );
  if (nested) {
    return weak(
      `pid ${nested.pid} was started from here, but carries the mark of another project (${nested.why}) and was left alone`,
    );
  }
  const [commanded] = outcome.unheld;
  if (commanded !== undefined) {
    return weak(
      `no supervisor could run the stop command of ${commanded}: a daemon that it left without any mark cannot be excluded`,
    );
  }
  const nobodys = [...outcome.owned.latest().claims.values()].find(
    ({ service }) => service === null,
  );
  if (nobodys) {
    const { pid } = nobodys.process.identity;
    return weak(
      `which service started pid ${pid} is not known, so it was left alone: devctl stop without names ends it`,
    );
  }
  if (records.length === 0 && supervisorsBefore.length === 0) {
    return weak(`there are no records of what ran here: ${cannotExclude}`);
  }
  const unrecorded = outcome.history
    .entries()
    .some(({ claim: { runId } }) => runId && !records.some((record) => record.runId === runId));
  if (unrecorded) return weak(`there are no records of some runs: ${cannotExclude}`);
  // The kernel's word on what has left its group as well.
  if (outcome.childless === false) {
    return weak('below the supervisor or devctl run is a child that is nobody’s');
  }
  // Empty control groups prove it by themselves, whatever has become of the supervisor.
  const others = records.filter(
    (record) => outcome.owned.outside.has(record.runId) || !isProvedByGroup(record),
  );
  for (const { service, subreaper, supervisor, guard, oneOff } of others) {
    if (!subreaper)
      return weak(
        `neither a subreaper nor a control group held ${service} from its start on: ${cannotExclude}`,
      );
    const oneOffParents = outcome.oneOffParents.map(({ process }) => process);
    const held = [...outcome.supervisors, ...outcome.guards, ...oneOffParents].some(
      ({ identity }) =>
        [supervisor, guard].some((one) => one !== null && sameIdentity(one, identity)),
    );
    const starter = oneOff ? 'devctl run' : 'the supervisor';
    if (!held) return weak(`${starter} that started ${service} had died: ${cannotExclude}`);
  }
  if (wholeProject && others.length > 0) {
    if (outcome.childless === null)
      return weak('the supervisor, its guard or devctl run could not be asked for children');
  }
  return { strength: 'complete', why: null, scans };
}

export function reportPorts(
  ports: ReadonlyMap<number, string>,
  holders: readonly PortHolder[],
  snapshot: Snapshot,
): readonly ReportedPort[] {
  return [...ports].map(([port, service]) => {
    const held = holders.filter((holder) => holder.port === port);
    return { port, service, free: held.length === 0, holder: describeHolder(held[0], snapshot) };
  });
}
