import { DEVCTL } from '../../own-command.ts';
import type { Claim, Spared } from '../../ownership/claim.ts';
import type { VetoKind } from '../../ownership/evidence-kinds.ts';
import { isWeakEvidence } from '../../ownership/protection.ts';
import { describeCommand } from '../../processes/describe.ts';
import { type Identity, identityKey, sameIdentity } from '../../processes/identity.ts';
import { livesIn, type ProcessInfo, type Snapshot } from '../../processes/snapshot.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import type { ServiceRecord } from '../../project/service-record.ts';
import type { SeenProcess } from '../../stopping/history.ts';
import type { Proof, ReportedProcess, ReportedService, StopReport } from '../../stopping/report.ts';
import { UNATTRIBUTED } from '../../tracking/project-state.ts';
import { isProvedByGroup } from '../../tracking/run-groups.ts';
import { SWEPT } from '../../tracking/sweep-tracker.ts';
import type { StopOutcome, VerifiedOutcome } from './outcome.ts';

/** The part of the outcome that a sweep has too. */
type ReportedOutcome = Pick<StopOutcome, 'owned' | 'swept' | 'history' | 'unended' | 'beganAtMs'>;

/**
 * Every process that was ours during the stop, in order of pid.
 *
 * @param sessions the sessions of each service, where they are known
 */
export function reportProcesses(
  outcome: ReportedOutcome,
  sessions: ReadonlyMap<string, readonly number[]> = new Map(),
): readonly ReportedProcess[] {
  const commands = new Map([...(outcome.swept?.commands ?? []), ...outcome.owned.commands]);
  return outcome.history.entries().map((seen) => ({
    ...toReported(seen, outcome.beganAtMs, commands),
    outside: isOutside(seen.claim, sessions),
  }));
}

function isOutside(
  { service, process }: Claim,
  sessions: ReadonlyMap<string, readonly number[]>,
): boolean {
  const own = service === null ? undefined : sessions.get(service);
  return own !== undefined && !own.includes(process.sid);
}

/**
 * Finds the sessions of the services. The leader of a service leads one; that of a one-off may be in the session of a
 * terminal, and shows it while it is alive. A service with a terminal of its own has two: its own, and that of the holder.
 */
export function sessionsOf(
  { units, history }: Pick<StopOutcome, 'units' | 'history'>,
  records: readonly ServiceRecord[],
): ReadonlyMap<string, readonly number[]> {
  const seen = new Map(
    history.entries().map(({ claim: { process } }) => [identityKey(process.identity), process.sid]),
  );
  return new Map(
    units.flatMap(({ name, leader, terminal }): [string, readonly number[]][] => {
      if (!leader) return [];
      if (terminal) return [[name, [terminal.session.pid, terminal.holder.pid]]];
      const isInTerminal = records.some(
        ({ service, oneOff }) => service === name && oneOff?.terminal === true,
      );
      const sid = seen.get(identityKey(leader)) ?? (isInTerminal ? null : leader.pid);
      return sid === null ? [] : [[name, [sid]]];
    }),
  );
}

function toReported(
  { claim, signals, goneAtMs }: SeenProcess,
  beganAtMs: number,
  commands: ReadonlyMap<number, string>,
): Omit<ReportedProcess, 'outside'> {
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

/** The processes that are still alive, and those that replaced themselves until the stop gave up. */
export function reportSurvivors(
  outcome: ReportedOutcome,
  processes: readonly ReportedProcess[],
): StopReport['survivors'] {
  const entries = new Map(
    outcome.history.entries().map((seen) => [seen.claim.process.identity.pid, seen]),
  );
  const alive = processes.filter(({ endedAfterMs }) => endedAfterMs === null);
  const respawning = outcome.unended.flatMap(({ process: { identity } }) => {
    if (alive.some(({ pid }) => pid === identity.pid)) return [];
    return processes.find(({ pid }) => pid === identity.pid) ?? [];
  });
  const spared = new Map(
    outcome.owned.latest().spared.map(({ process, veto }) => [process.identity.pid, veto]),
  );
  const why = 'it ends and leaves another in its place, faster than that can be ended';
  return [
    ...alive.map((process) => {
      // Claimed at first, and no longer when more was known.
      const veto = spared.get(process.pid);
      const left = veto && `it was left alone: ${veto.detail}`;
      return { ...process, why: left ?? whyAlive(entries.get(process.pid)?.claim, process) };
    }),
    ...respawning.map((process) => ({ ...process, why })),
  ];
}

function whyAlive(claim: Claim | undefined, { signals, pid }: ReportedProcess): string {
  if (signals.length === 0) return `it may not be signalled by this user; needs: sudo kill ${pid}`;
  if (claim?.process.state === 'D') return 'stuck in the kernel (state D), the signal is pending';
  if (signals.includes('SIGKILL')) return 'it outlived SIGKILL';
  return 'it lives on, and was sent no SIGKILL';
}

/**
 * The services that were to be stopped.
 *
 * @param lost the services of which a process is left, whether it survived or was left alone
 */
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

/** Vetoes that no evidence shows any more when the tree around the process has died. */
const TOLD_TO_THE_END: readonly VetoKind[] = ['other-project', 'protected'];

/**
 * The processes that were left alone although some evidence pointed to them.
 *
 * @param first the processes that the first scan spared. When the tree dies, the evidence for processes of another
 *   project within it is lost, so later scans do not list them.
 */
export function reportSpared(
  outcome: StopOutcome,
  first: readonly Spared[],
  snapshot: Snapshot,
): StopReport['spared'] {
  const latest = [...outcome.owned.latest().spared, ...(outcome.swept?.latest().spared ?? [])];
  const known = new Set(latest.map(({ process }) => identityKey(process.identity)));
  const nested = first.filter(({ process, veto }) => {
    if (!TOLD_TO_THE_END.includes(veto.kind) || known.has(identityKey(process.identity)))
      return false;
    return livesIn(snapshot, process.identity);
  });
  return [...latest, ...nested].map((spared) => describeSpared(spared, snapshot));
}

/** One entry of `spared` in the report. */
export function describeSpared(
  { process, evidence, veto }: Spared,
  snapshot: Snapshot,
): StopReport['spared'][number] {
  return {
    pid: process.identity.pid,
    command: describeCommand(snapshot, process),
    evidence,
    ours: evidence.some(({ kind }) => !isWeakEvidence(kind)),
    veto: veto.kind,
    why: veto.detail,
  };
}

/** The facts that a proof is judged by. */
interface ProofFacts {
  /** The records of the runs that were to be stopped. */
  readonly folder: ProjectFolder;
  readonly records: readonly ServiceRecord[];
  /** The supervisors that lived when the stop began. */
  readonly supervisorsBefore: readonly ProcessInfo[];
  readonly outcome: VerifiedOutcome;
  readonly spared: StopReport['spared'];
  readonly wholeProject: boolean;
}

/**
 * Judges how sure it is that nothing is left.
 *
 * Two means make the proof complete: a control group that each run was born in, or a subreaper that lived from the
 * first spawn to the last scan. Without them, a daemon that cleared its environment and left its session before it was
 * first seen has no mark left.
 */
export function proofOf(facts: ProofFacts): Proof {
  const scans = facts.outcome.history.scans();
  const why = whyNotComplete(facts);
  return why === null
    ? { strength: 'complete', why, scans }
    : { strength: 'best-effort', why, scans };
}

const CANNOT_EXCLUDE =
  'a daemon that cleared its environment before it was first seen cannot be excluded';

/** The first reason for which a process may be left; null where there is none. */
function whyNotComplete(facts: ProofFacts): string | null {
  const { outcome, spared } = facts;
  return (
    whyProtected(spared) ??
    whyNestedProject(spared) ??
    whyUncontainedCommand(outcome) ??
    whyUnattributed(outcome) ??
    whyUnrecorded(facts) ??
    whyChildIsLeft(outcome) ??
    whyUncontained(facts)
  );
}

function whyProtected(spared: StopReport['spared']): string | null {
  const one = spared.find(({ veto, ours }) => veto === 'protected' && ours);
  return one ? `pid ${one.pid} was left alone: protected (${one.why})` : null;
}

function whyNestedProject(spared: StopReport['spared']): string | null {
  const nested = spared.find(
    ({ veto, evidence }) =>
      veto === 'other-project' && evidence.some(({ kind }) => kind !== 'pattern'),
  );
  return nested
    ? `pid ${nested.pid} was left alone as another project's: ${inWordsOfVeto(nested.why)}`
    : null;
}

/** The reason of a veto in words. The detail of a veto by a cookie is the cookie itself. */
export function inWordsOfVeto(detail: string): string {
  return /^DEVCTL_\w+=/.test(detail)
    ? `it carries the mark of another project (${detail})`
    : detail;
}

function whyUncontainedCommand({ uncontainedCommands: [service] }: VerifiedOutcome): string | null {
  return service === undefined
    ? null
    : `no supervisor could run the stop command or the hook of ${service}: a daemon that it left without any mark cannot be excluded`;
}

function whyUnattributed({ owned }: VerifiedOutcome): string | null {
  const claim = [...owned.latest().claims.values()].find(({ service }) => service === null);
  return claim
    ? `which service started pid ${claim.process.identity.pid} is not known, so it was left alone: ${DEVCTL} stop, without names, ends it`
    : null;
}

function whyUnrecorded({ records, supervisorsBefore, outcome }: ProofFacts): string | null {
  if (records.length === 0 && supervisorsBefore.length === 0) {
    return `there are no records of what ran here: ${CANNOT_EXCLUDE}`;
  }
  const isUnrecorded = outcome.history
    .entries()
    .some(({ claim: { runId } }) => runId && !records.some((record) => record.runId === runId));
  return isUnrecorded ? `there are no records of some runs: ${CANNOT_EXCLUDE}` : null;
}

/** The kernel lists the children of a subreaper, also those that have left their control group. */
function whyChildIsLeft({ childless }: VerifiedOutcome): string | null {
  return childless === false
    ? 'below the supervisor or devctl run is a child that is nobody’s'
    : null;
}

function whyUncontained({ folder, records, outcome, wholeProject }: ProofFacts): string | null {
  // An empty control group proves the end of its run by itself, even without a supervisor.
  const unproved = records.filter(
    (record) => outcome.owned.outside.has(record.runId) || !isProvedByGroup(record, folder),
  );
  const parents = [
    ...outcome.supervisors,
    ...outcome.guards,
    ...outcome.oneOffParents.map(({ process }) => process),
  ];
  const isAlive = (identity: Identity | null): boolean =>
    identity !== null && parents.some((parent) => sameIdentity(identity, parent.identity));
  for (const { service, subreaper, supervisor, guard, oneOff } of unproved) {
    if (!subreaper) {
      return `neither a subreaper nor a control group held ${service} from its start on: ${CANNOT_EXCLUDE}`;
    }
    const starter = oneOff && !oneOff.hook ? 'devctl run' : 'the supervisor';
    if (!isAlive(supervisor) && !isAlive(guard)) {
      return `${starter} that started ${service} had died: ${CANNOT_EXCLUDE}`;
    }
  }
  return wholeProject && unproved.length > 0 && outcome.childless === null
    ? 'the supervisor, its guard or devctl run could not be asked for children'
    : null;
}
