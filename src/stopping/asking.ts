import { identityKey, sameIdentity } from '../processes/identity.ts';
import { isGone, type ProcessInfo } from '../processes/snapshot.ts';
import type { StopAction, StopObservation, StopUnit, UnitState, UnitStep } from './state.ts';

/** Plans the stop signal: for the leader's group at once, for the rest when the leader is gone or slow. */
export function planAsk(
  unit: StopUnit,
  state: UnitState,
  sinceMs: number,
  all: readonly ProcessInfo[],
  observation: StopObservation,
): UnitStep {
  const { leader, terminal } = unit;
  const others = all.filter(
    ({ identity, sid }) =>
      !terminal || (sid !== terminal.holder.pid && !sameIdentity(identity, terminal.session)),
  );
  const living = others.length > 0 ? others : all;
  const livingPids = new Set(living.map(({ identity }) => identity.pid));
  const leaderLives =
    leader !== null && living.some(({ identity }) => sameIdentity(identity, leader));
  // A daemon, which stands for its leader, may lead no group. Without a leader the roots of the trees are asked first: the processes whose parent is not in the unit.
  const isFirst = (process: ProcessInfo): boolean =>
    leaderLives
      ? process.pgid === (terminal?.session ?? leader).pid || sameIdentity(process.identity, leader)
      : !livingPids.has(process.ppid);
  const leaderGone = leader !== null && !leaderLives;
  const restIsDue = observation.nowMs - sinceMs >= unit.graceMs / 4 || leaderGone;
  const due = living.filter(
    (process) => !state.asked.has(identityKey(process.identity)) && (restIsDue || isFirst(process)),
  );
  if (due.length === 0) return { state, actions: [] };
  const asked = new Set([...state.asked, ...due.map(({ identity }) => identityKey(identity))]);
  const targets = chooseTargets(unit, due, observation);
  return {
    state: { ...state, asked },
    actions: [
      ...targets.map((target) => ({ ...target, signal: unit.signal })),
      // A stopped process (Ctrl-Z, a debugger) keeps the signal pending until it runs again.
      // systemd does the same (systemd.kill(5)).
      ...targets.map((target) => ({ ...target, signal: 'SIGCONT' as const })),
    ],
  };
}

type Target = Extract<StopAction, { kind: 'signal' | 'signal-group' }>;

/** Chooses one signal for each group that is wholly ours and wholly due, and single signals for the others. */
function chooseTargets(
  unit: StopUnit,
  due: readonly ProcessInfo[],
  { snapshot, claims }: StopObservation,
): readonly Target[] {
  const dueKeys = new Set(due.map(({ identity }) => identityKey(identity)));
  const targets: Target[] = [];
  for (const pgid of new Set(due.map((process) => process.pgid))) {
    const members = (snapshot.byGroup.get(pgid) ?? []).filter((member) => !isGone(member));
    const whole = members.every(
      ({ identity }) => dueKeys.has(identityKey(identity)) && claims.has(identity.pid),
    );
    const identities = due
      .filter((process) => process.pgid === pgid)
      .map(({ identity }) => identity);
    const { signal, name } = unit;
    if (whole && pgid > 1) {
      targets.push({ kind: 'signal-group', unit: name, pgid, members: identities, signal });
    } else {
      for (const target of identities) targets.push({ kind: 'signal', unit: name, target, signal });
    }
  }
  return targets;
}
