/*
 * The files of this folder, which end processes and prove it:
 *
 *   engine          carries out one stop: scans, asks the plan, acts, waits
 *   plan            decides, for each unit, what happens after a scan
 *   asking          which processes get the stop signal now
 *   killing         SIGKILL, cgroup.kill, and the freeze before them
 *   waves           which units have begun, so that a service ends before those that it needs
 *   state           the data: units, phases, actions
 *   passes          after the proof: scans once more, and stops what it finds
 *   history         what one stop has seen and sent
 *   observed-clock  time without the gaps in which devctl itself was suspended
 *   report          the shape of a stop's report
 */
import type { Claim, Ownership } from '../ownership/claim.ts';
import { claimInScan } from '../ownership/just-forked.ts';
import type { ProjectIdentity } from '../ownership/whose-cookie.ts';
import type { Host, SignalName, SignalOutcome } from '../processes/host.ts';
import { type Identity, identityKey } from '../processes/identity.ts';
import { midExecIn, settledSnapshot } from '../processes/settled-snapshot.ts';
import { isGone, type Snapshot } from '../processes/snapshot.ts';
import type { StopHistory } from './history.ts';
import { observedClock } from './observed-clock.ts';
import { beginStop, isStopOver, planStop } from './plan.ts';
import type { StopAction, StopPolicy, StopState, StopUnit } from './state.ts';

/** The source of all claims, so that the engine itself never decides whose a process is. */
export interface ClaimSource {
  readonly project: ProjectIdentity;
  /** As in `OwnershipFacts`: processes that these runs fork during the stop are left alone. */
  readonly exemptRuns?: readonly string[];
  /** Claims every process of ours in a snapshot, and remembers them for the next call. */
  claim(snapshot: Snapshot): ReadonlyMap<number, Claim>;
  /** Names the unit of a claim. A claim whose name is no unit's is left alone. */
  readonly unitOf: (claim: Claim) => string;
  /**
   * Keeps new claims, before the first signal that could orphan their processes. Only a process that was
   * born and killed within one scan is handed over right after its signal. Later calls of `claim` know these
   * processes, whatever evidence they have lost meanwhile.
   */
  remember(claims: readonly Claim[]): void;
  /** Lists the control groups with processes of this unit; missing where there are no control groups. */
  readonly groupsOf?: (unit: string) => readonly string[];
  /** Our living supervisors in the last snapshot, and the processes whose every child is ours. */
  readonly supervisors?: () => Pick<Ownership, 'supervisors' | 'adopters'>;
}

/** One stop: its units, and the machine and the memory that it works with. */
export interface StopRun {
  readonly host: Host;
  readonly units: readonly StopUnit[];
  readonly source: ClaimSource;
  /** `patient`: the person asked for this grace period, so force does not shorten it. */
  readonly policy: StopPolicy & { readonly patient?: boolean };
  readonly history: StopHistory;
  /** Runs a unit's stop command. Resolves when the command has ended; never rejects. */
  runCommand(unit: string): Promise<void>;
  /** Called after each scan with the claims that are still alive. */
  onScan(living: readonly Claim[]): void;
  /** True from the moment at which force was asked for, by a second Ctrl-C, say. */
  forced(): boolean;
}

/** Pauses between two scans: short while much happens, longer when waiting for a slow shutdown. */
const FIRST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 100;
/** Pause between two scans while killing, when only the kernel needs time. */
const KILL_PAUSE_MS = 5;
/** Longest grace period with force. */
const FORCE_GRACE_MS = 500;

/**
 * Carries out one stop: scans, plans, acts and waits, until every unit is proved gone or has survived
 * everything. `planStop` makes all decisions.
 */
export async function runStop(run: StopRun): Promise<StopState> {
  const { host, source, history } = run;
  const names = new Set(run.units.map(({ name }) => name));
  let state = beginStop(run.units);
  let pauseMs = FIRST_PAUSE_MS;
  const observedMs = observedClock(() => host.nowMs());
  const commandsDone = new Set<string>();
  const denied = new Set<string>();

  for (;;) {
    const { snapshot, claims, targeted } = await scan(run, names);
    // Remember before signalling: once a parent dies, its children may show no other evidence.
    source.remember(history.recordLiving(targeted));
    history.recordGone(snapshot, host.nowMs());
    run.onScan([...targeted.values()]);
    const policy = { force: run.policy.force || run.forced() };
    const units = isHurried(run) ? run.units.map(withForceGrace) : run.units;
    const { unitOf, groupsOf = () => [] } = source;
    const nowMs = observedMs();
    const observation = { nowMs, snapshot, claims, unitOf, groupsOf, commandsDone, denied };
    const planned = planStop(state, units, observation, policy);
    state = planned.state;
    if (isStopOver(state)) return state;

    for (const action of planned.actions) {
      if (action.kind === 'run-command') {
        void run.runCommand(action.unit).then(() => commandsDone.add(action.unit));
      } else await act(run, action, snapshot, claims, denied);
    }
    const killing = planned.actions.some(({ kind }) => KILLING.has(kind));
    const busy = planned.actions.length > 0;
    await host.delay(killing ? KILL_PAUSE_MS : pauseMs);
    pauseMs = busy ? FIRST_PAUSE_MS : Math.min(pauseMs * 1.25, LONGEST_PAUSE_MS);
  }
}

interface Scan {
  readonly snapshot: Snapshot;
  readonly claims: ReadonlyMap<number, Claim>;
  /** The claims of the units that are being stopped. */
  readonly targeted: ReadonlyMap<number, Claim>;
}

/**
 * Scans the process table. A scan that finds no process of the units proves nothing while any process is in
 * the middle of its execve(2), because that shows no environment and no arguments. So it is repeated.
 */
async function scan({ host, source }: StopRun, names: ReadonlySet<string>): Promise<Scan> {
  const claimIn = (snapshot: Snapshot): Scan => {
    const claims = source.claim(snapshot);
    const targeted = new Map([...claims].filter(([, claim]) => names.has(source.unitOf(claim))));
    return { snapshot, claims, targeted };
  };
  const first = claimIn(await host.snapshot());
  if (first.targeted.size > 0 || midExecIn(first.snapshot).length === 0) return first;
  return claimIn(await settledSnapshot(host));
}

/** Tells whether every unit has only the grace period that force gives. */
export function isHurried({ policy, forced }: Pick<StopRun, 'policy' | 'forced'>): boolean {
  return forced() || (policy.force && policy.patient !== true);
}

/** Shortens a unit's grace period to the longest that force gives. */
export function withForceGrace(unit: StopUnit): StopUnit {
  return { ...unit, graceMs: Math.min(unit.graceMs, FORCE_GRACE_MS) };
}

/** Actions after which the next scan comes at once. */
const KILLING: ReadonlySet<StopAction['kind']> = new Set(['kill', 'kill-group', 'freeze']);

type Signalling = Exclude<StopAction, { kind: 'run-command' }>;

async function act(
  run: StopRun,
  action: Signalling,
  snapshot: Snapshot,
  claims: ReadonlyMap<number, Claim>,
  denied: Set<string>,
): Promise<void> {
  const { host, history } = run;
  const record = (target: Identity, signal: SignalName, outcome: SignalOutcome): void => {
    if (outcome === 'sent') history.recordSignal(target, signal);
    if (outcome === 'denied') denied.add(identityKey(target));
  };
  switch (action.kind) {
    case 'signal':
      record(action.target, action.signal, await host.signal(action.target, action.signal));
      return;
    case 'signal-group': {
      const outcome = await signalGroup(host, action);
      if (outcome === 'sent') {
        for (const member of action.members) {
          const could = await couldGetGroupSignal(host, snapshot, member);
          record(member, action.signal, could);
        }
        return;
      }
      // The group could not be signalled as a whole, because it has a member of another user or has just
      // changed. So each member is signalled on its own.
      for (const member of action.members) {
        record(member, action.signal, await host.signal(member, action.signal));
      }
      return;
    }
    case 'freeze':
      for (const target of action.targets) {
        record(target, 'SIGSTOP', await host.signal(target, 'SIGSTOP'));
      }
      return;
    case 'kill-group':
      await killGroup(run, action);
      return;
    case 'kill':
      await killInScan(run, action.unit, snapshot, claims, record);
  }
}

/** Signals a process group once the identity of any of its members is verified. */
async function signalGroup(
  host: Host,
  { pgid, members, signal }: Extract<StopAction, { kind: 'signal-group' }>,
): Promise<SignalOutcome> {
  for (const member of members) {
    const outcome = await host.signalGroup(pgid, member, signal);
    if (outcome === 'sent' || outcome === 'denied') return outcome;
  }
  return 'gone';
}

/** Tells whether a member got the signal to its group: the kernel leaves out those that the sender may not signal. */
async function couldGetGroupSignal(
  host: Host,
  { byPid, details }: Snapshot,
  member: Identity,
): Promise<SignalOutcome> {
  const [self, process] = [byPid.get((await host.self()).pid), byPid.get(member.pid)];
  const isOfOurUser = self && process && details.uid(self) === details.uid(process);
  if (isOfOurUser) return 'sent';
  const could = await host.maySignal(member);
  // The process has ended since: the signal may have done it.
  return could === 'gone' ? 'sent' : could;
}

/** Ends a control group at once, if every living process in it turns out to belong to the unit. */
async function killGroup(
  { host, source, history }: StopRun,
  { unit, group }: Extract<StopAction, { kind: 'kill-group' }>,
): Promise<void> {
  let members: readonly Claim[] = [];
  const outcome = await host.killGroup(group, async (pids) => {
    // A process with the number 0 is in another PID namespace than ours, so nothing is known of it.
    if (pids.includes(0)) return false;
    const snapshot = await host.snapshot();
    const claims = source.claim(snapshot);
    const living = pids.filter((pid) => {
      const process = snapshot.byPid.get(pid);
      return process !== undefined && !isGone(process);
    });
    members = living.flatMap((pid) => claims.get(pid) ?? []);
    if (members.length < living.length) return false;
    if (members.some((claim) => source.unitOf(claim) !== unit)) return false;
    source.remember(
      history.recordLiving(new Map(members.map((claim) => [claim.process.identity.pid, claim]))),
    );
    return true;
  });
  if (outcome !== 'killed') return;
  for (const { process } of members) history.recordSignal(process.identity, 'SIGKILL');
}

/** Kills the processes of a unit while the table is read, so that it also reaches those just forked. */
async function killInScan(
  run: StopRun,
  unit: string,
  snapshot: Snapshot,
  claims: ReadonlyMap<number, Claim>,
  record: (target: Identity, signal: SignalName, outcome: SignalOutcome) => void,
): Promise<void> {
  const { host, source, history } = run;
  const recent = {
    project: source.project,
    exemptRuns: source.exemptRuns ?? [],
    self: await host.self(),
    snapshot,
    claims: new Map(claims),
    ...(source.supervisors?.() ?? { supervisors: [], adopters: [] }),
  };
  const justForked: Claim[] = [];
  await host.scanDescending(async (process, details) => {
    const claim = claimInScan(recent, process, details);
    if (!claim || source.unitOf(claim) !== unit) return;
    justForked.push(...history.recordLiving(new Map([[process.identity.pid, claim]])));
    record(process.identity, 'SIGKILL', await host.signal(process.identity, 'SIGKILL'));
  });
  if (justForked.length > 0) source.remember(justForked);
}
