import { findSupervisor } from '../../client/connect.ts';
import { endSupervisors } from '../../client/end-supervisor.ts';
import { takeLockToStop } from '../../lock/for-stop.ts';
import { definedOnly } from '../../manifest/variables.ts';
import type { OneOffParent } from '../../ownership/claim.ts';
import type { Host } from '../../processes/host.ts';
import { type Identity, sameIdentity } from '../../processes/identity.ts';
import { settledSnapshot } from '../../processes/settled-snapshot.ts';
import type { RunContained } from '../../services/launch/stop-command.ts';
import type { StopReport } from '../../stopping/report.ts';
import { readProjectState, UNATTRIBUTED } from '../../tracking/project-state.ts';
import { SWEPT } from '../../tracking/sweep-tracker.ts';
import { askGuards, MAX_PASSES } from './ask-guards.ts';
import { askOneOffs, stillHeld } from './ask-one-offs.ts';
import { finishStop } from './finish.ts';
import { type FirstLook, lookBeforeStop, readForStop } from './first-look.ts';
import { findLeftAlone } from './left-alone.ts';
import type { StopHeader, StopOptions } from './options.ts';
import type { StopOutcome, VerifiedOutcome } from './outcome.ts';
import { type StopContext, stopRuns } from './stop-runs.ts';

/** How long a supervisor may take to stand down before the stop goes on without it. */
const STAND_DOWN_MS = 1_000;

/** The same with force. */
const FORCED_STAND_DOWN_MS = 500;

/** How long one that has stood down may take to count its children: it answers, so it will. */
const CHILDREN_MS = 3_000;
const FORCE_GRACE_MS = 500;

/**
 * Carries out a stop: takes the lock, has the supervisor stand down, stops, verifies, reports.
 *
 * @throws DevctlError 'locked' when another command is at work and this one may not break in
 */
export async function lockAndStop(host: Host, header: StopHeader): Promise<StopReport> {
  const { folder, options, self } = header;
  const problems: string[] = [];
  const lock = await takeLockToStop({
    host,
    folder,
    self,
    force: options.force,
    warn: (problem) => problems.push(problem),
  });
  try {
    return await stopLocked(host, header, problems);
  } finally {
    lock?.release();
  }
}

/**
 * The same for who holds the project lock already.
 *
 * @param problems what the report has to tell besides
 */
export async function stopLocked(
  host: Host,
  header: StopHeader,
  problems: readonly string[],
): Promise<StopReport> {
  const { folder, options, self } = header;
  // Only now: the holder of the lock may have started something, a supervisor even.
  const { state: before, snapshot } = await readForStop(host, header);
  const second = await lookBeforeStop(before, snapshot, header);
  const { resume, hasChildren, runContained } = await standDown(host, header, second);
  try {
    // Once more: until it stood down, the supervisor may have written records.
    const state = readProjectState(folder, options.exempt);
    const context = { host, self, state, ...options, runContained };
    const outcome = await stopAndVerify(context, options, second.oneOffParents, hasChildren);
    const told = { ...outcome, problems: [...problems, ...outcome.problems] };
    return await finishStop(host, header, state, told, second);
  } finally {
    await resume();
  }
}

/**
 * Stops; where everything is to be stopped, asks the kernel through the supervisor whether anything
 * below it is left, ends the supervisor, asks of its guards, ends them, asks of `devctl run`, and looks once
 * more.
 */
async function stopAndVerify(
  context: StopContext,
  options: StopOptions,
  parentsBefore: readonly OneOffParent[],
  hasChildren: () => Promise<boolean | null>,
): Promise<VerifiedOutcome> {
  const { names, force } = options;
  const { host, self } = context;
  const graceMs = options.graceMs ?? (force ? FORCE_GRACE_MS : null);
  const sweep = names === null ? options.sweep : null;
  const closer = { declared: options.declared, atOnce: force };
  const stopAgain = async (before: StopOutcome): Promise<StopOutcome> => {
    const { history, owned } = before;
    const state = readProjectState(context.state.folder, options.exempt);
    // By now the ledger names services that no record does: they are told of as they were found.
    const known = before.units.map(({ name }) => name).filter((name) => !NO_SERVICES.has(name));
    const after = await stopRuns(
      { ...context, state, history, outside: owned.outside },
      { names, known, force, graceMs, sweep: null, commands: false, closer },
    );
    return continued(before, after);
  };

  let outcome = await stopRuns(context, { names, force, graceMs, sweep, commands: true, closer });
  const { folder } = context.state;
  const { supervisors, guards } = outcome.owned.latest();
  const oneOffParents = stillHeld(folder, parentsBefore, outcome.owned.latest().oneOffParents);
  const held = { supervisors, guards, oneOffParents };
  if (names !== null) return { ...outcome, ...held, childless: null };
  let children = await hasChildren();
  // A scan can miss what is being born while it reads; the kernel's list of children cannot.
  for (let pass = 1; children && pass < MAX_PASSES; pass += 1) {
    outcome = await stopAgain(outcome);
    children = await hasChildren();
  }
  // A subreaper that ended now would hand what has survived on to process 1, out of everybody's sight.
  const survived = [...outcome.state.units.values()].some(({ phase }) => phase.kind === 'survived');
  if (survived || findLeftAlone(outcome, context.state, options).length > 0) {
    return { ...outcome, ...held, childless: false };
  }
  await endSupervisors(host, outcome.owned.latest().supervisors, self);
  const again = async (): Promise<void> => {
    outcome = await stopAgain(outcome);
    // One may have been coming up while we looked.
    await endSupervisors(host, outcome.owned.latest().supervisors, self);
  };
  const told = await askGuards({ host, self, guards, supervisors, stopAgain: again });
  // A guard may have been below one of them.
  const heard = await askOneOffs({ host, folder, oneOffParents, stopAgain: again });
  const asked = [...told, ...heard];
  const isAsked = (guard: Identity): boolean =>
    guards.some(({ identity }) => sameIdentity(identity, guard));
  for (let pass = 1; pass <= MAX_PASSES; pass += 1) {
    const left = outcome.owned.claim(await settledSnapshot(host)).size;
    const late = outcome.owned.latest();
    const isLate = late.supervisors.some(({ identity }) => identity.pid !== self.pid);
    // A start that was killed may just have begun one, which could not be told from a stranger before.
    const unasked = late.guards.filter(({ identity }) => !isAsked(identity));
    if (left === 0 && !isLate && unasked.length === 0) break;
    await again();
    const question = { host, self, guards: unasked, supervisors: late.supervisors };
    asked.push(...(await askGuards({ ...question, stopAgain: again })));
  }
  const answers = supervisors.length > 0 ? [children, ...asked] : asked;
  return { ...outcome, ...held, childless: childlessBy(answers) };
}

const NO_SERVICES: ReadonlySet<string> = new Set([UNATTRIBUTED, SWEPT]);

/** Two parts of one stop, as one: it began with the first, and the sweep was in that. */
function continued(before: StopOutcome, after: StopOutcome): StopOutcome {
  const { beganAtMs, swept, unheld } = before;
  const units = new Map([...before.units, ...after.units].map((unit) => [unit.name, unit]));
  const state = {
    ...after.state,
    units: new Map([...before.state.units, ...after.state.units]),
  };
  const problems = [...new Set([...before.problems, ...after.problems])];
  return { ...after, beganAtMs, swept, unheld, units: [...units.values()], state, problems };
}

/** No child anywhere is what all must say; null where one of them could not be asked, or there was nobody. */
function childlessBy(answers: readonly (boolean | null)[]): boolean | null {
  if (answers.includes(true)) return false;
  return answers.length === 0 || answers.includes(null) ? null : true;
}

/** What a supervisor that has stood down still does for a stop. */
interface StoodDown {
  resume(): Promise<void>;
  hasChildren(): Promise<boolean | null>;
  readonly runContained: RunContained;
}

/**
 * Keeps the supervisor from interfering. One that does not answer is frozen when everything is to be
 * stopped: as a subreaper it still holds every orphan below it, and it is ended last.
 */
async function standDown(
  host: Host,
  { folder, options, self }: StopHeader,
  { state, supervisors }: FirstLook,
): Promise<StoodDown> {
  const { names, force, hasChildren: own, runContained: ownRunContained } = options;
  const others = supervisors.filter(({ identity }) => identity.pid !== self.pid);
  const unknown = async (): Promise<null> => null;
  if (others.length === 0) {
    const runContained: RunContained = ownRunContained ?? unknown;
    return { resume: async () => {}, hasChildren: own ?? unknown, runContained };
  }
  const recorded = state.supervisor?.socket ?? null;
  const patienceMs = force ? FORCED_STAND_DOWN_MS : STAND_DOWN_MS;
  const found = await findSupervisor(folder, others, recorded, patienceMs);
  const resume = (await found?.client.standDown({ names }, patienceMs)) ?? null;
  const frozen = !resume && names === null ? others : [];
  for (const { identity } of frozen) await host.signal(identity, 'SIGSTOP');
  return {
    async resume() {
      resume?.();
      for (const { identity } of frozen) await host.signal(identity, 'SIGCONT');
    },
    hasChildren: async () => (resume && (await found?.client.hasChildren(CHILDREN_MS))) ?? null,
    // It does not come back to life for it: frozen, it would neither answer nor hang up.
    runContained: async (service, env, over) =>
      (resume && (await found?.client.runStopCommand({ service, env: definedOnly(env) }, over))) ??
      null,
  };
}
