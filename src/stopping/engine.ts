import type { Claim, Ownership } from '../ownership/claim.ts';
import { claimInScan } from '../ownership/just-forked.ts';
import type { Host, SignalName, SignalOutcome } from '../processes/host.ts';
import { type Identity, identityKey } from '../processes/identity.ts';
import { midExecIn, settledSnapshot } from '../processes/settled-snapshot.ts';
import { isGone, type Snapshot } from '../processes/snapshot.ts';
import type { StopHistory } from './history.ts';
import { observedClock } from './observed-clock.ts';
import { beginStop, isStopOver, planStop } from './plan.ts';
import type { StopAction, StopPolicy, StopState, StopUnit } from './state.ts';

/** What the engine needs to know about ownership, so that it has no judgement of its own. */
export interface ClaimSource {
  readonly projectId: string;
  /** As in `OwnershipFacts`: what is born of these runs is left alone. */
  readonly exemptRuns?: readonly string[];
  /** Everything owned in this snapshot; remembers what it saw for the next call. */
  claim(snapshot: Snapshot): ReadonlyMap<number, Claim>;
  /** The unit of a claim; a name that is no unit's leaves the claim alone. */
  readonly unitOf: (claim: Claim) => string;
  /**
   * Called with each new claim before the first signal that could orphan it, except for what is born
   * and killed within one scan: that is told right after. Later calls of `claim` know it, whatever
   * evidence it has lost meanwhile.
   */
  remember(claims: readonly Claim[]): void;
  /** Control groups with something of this unit in them; none where there are no control groups. */
  readonly groupsOf?: (unit: string) => readonly string[];
  /** Our living supervisors in the last snapshot, and who of them and their guards adopts only what is ours. */
  readonly supervisors?: () => Pick<Ownership, 'supervisors' | 'adopters'>;
}

export interface StopRun {
  readonly host: Host;
  readonly units: readonly StopUnit[];
  readonly source: ClaimSource;
  /** `patient`: the units' grace is what the person has asked for, with force too. */
  readonly policy: StopPolicy & { readonly patient?: boolean };
  readonly history: StopHistory;
  /** Runs a unit's stop command; resolves when it has ended, and never rejects. */
  runCommand(unit: string): Promise<void>;
  /** Hears what is still alive after each scan. */
  onScan(living: readonly Claim[]): void;
  /** True from the moment on at which a second Ctrl-C, say, asked for force. */
  forced(): boolean;
}

/** Pauses between two scans: short while much happens, longer when waiting for a slow shutdown. */
const FIRST_PAUSE_MS = 25;
const LONGEST_PAUSE_MS = 100;
/** While killing there is nothing to wait for but the kernel. */
const KILL_PAUSE_MS = 5;
const FORCE_GRACE_MS = 500;

/**
 * Carries out one stop: scan, decide, act, wait, until every unit is proved gone or has survived
 * everything. All decisions are `planStop`'s.
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
    const { snapshot, claims, targeted } = await look(run, names);
    // Remember before signalling: once a parent dies, its children may carry no other mark.
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

interface Look {
  readonly snapshot: Snapshot;
  readonly claims: ReadonlyMap<number, Claim>;
  /** Those of the units that are being stopped. */
  readonly targeted: ReadonlyMap<number, Claim>;
}

/** A look that finds nobody is no proof while somebody shows nothing that tells whose it is. */
async function look({ host, source }: StopRun, names: ReadonlySet<string>): Promise<Look> {
  const see = (snapshot: Snapshot): Look => {
    const claims = source.claim(snapshot);
    const targeted = new Map([...claims].filter(([, claim]) => names.has(source.unitOf(claim))));
    return { snapshot, claims, targeted };
  };
  const first = see(await host.snapshot());
  if (first.targeted.size > 0 || midExecIn(first.snapshot).length === 0) return first;
  return see(await settledSnapshot(host));
}

/** Is everything to have as little time as force gives? */
export function isHurried({ policy, forced }: Pick<StopRun, 'policy' | 'forced'>): boolean {
  return forced() || (policy.force && policy.patient !== true);
}

/** With force, what is asked has half a second at most. */
export function withForceGrace(unit: StopUnit): StopUnit {
  return { ...unit, graceMs: Math.min(unit.graceMs, FORCE_GRACE_MS) };
}

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
  const note = (target: Identity, signal: SignalName, outcome: SignalOutcome): void => {
    if (outcome === 'sent') history.recordSignal(target, signal);
    if (outcome === 'denied') denied.add(identityKey(target));
  };
  switch (action.kind) {
    case 'signal':
      note(action.target, action.signal, await host.signal(action.target, action.signal));
      return;
    case 'signal-group': {
      const outcome = await signalGroup(host, action);
      if (outcome === 'sent') {
        for (const member of action.members) history.recordSignal(member, action.signal);
        return;
      }
      // Not the whole group let itself be signalled (another user's member, a group that has just
      // changed): each member on its own.
      for (const member of action.members) {
        note(member, action.signal, await host.signal(member, action.signal));
      }
      return;
    }
    case 'freeze':
      for (const target of action.targets) {
        note(target, 'SIGSTOP', await host.signal(target, 'SIGSTOP'));
      }
      return;
    case 'kill-group':
      await killGroup(run, action);
      return;
    case 'kill':
      await killInScan(run, action.unit, snapshot, claims, note);
  }
}

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

async function killGroup(
  { host, source, history }: StopRun,
  { unit, group }: Extract<StopAction, { kind: 'kill-group' }>,
): Promise<void> {
  let members: readonly Claim[] = [];
  const outcome = await host.killGroup(group, async (pids) => {
    // In another PID namespace than ours, so nothing is known of it.
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

async function killInScan(
  run: StopRun,
  unit: string,
  snapshot: Snapshot,
  claims: ReadonlyMap<number, Claim>,
  note: (target: Identity, signal: SignalName, outcome: SignalOutcome) => void,
): Promise<void> {
  const { host, source, history } = run;
  const recent = {
    projectId: source.projectId,
    exemptRuns: source.exemptRuns ?? [],
    self: await host.self(),
    snapshot,
    claims: new Map(claims),
    ...(source.supervisors?.() ?? { supervisors: [], adopters: [] }),
  };
  const newborns: Claim[] = [];
  await host.scanDescending(async (process, details) => {
    const claim = claimInScan(recent, process, details);
    if (!claim || source.unitOf(claim) !== unit) return;
    newborns.push(...history.recordLiving(new Map([[process.identity.pid, claim]])));
    note(process.identity, 'SIGKILL', await host.signal(process.identity, 'SIGKILL'));
  });
  if (newborns.length > 0) source.remember(newborns);
}
