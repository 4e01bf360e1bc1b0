import { findSupervisor } from '../../client/connect.ts';
import { endSupervisors } from '../../client/end-supervisor.ts';
import type { ContainersStop } from '../../containers/report.ts';
import { DevctlError, inWords } from '../../errors.ts';
import { takeLockToStop } from '../../lock/for-stop.ts';
import { definedOnly } from '../../manifest/variables.ts';
import type { OneOffParent } from '../../ownership/claim.ts';
import type { Host } from '../../processes/host.ts';
import { type Identity, sameIdentity } from '../../processes/identity.ts';
import { settledSnapshot } from '../../processes/settled-snapshot.ts';
import type { ProcessInfo } from '../../processes/snapshot.ts';
import { patienceWith } from '../../processes/starvation.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import { inspectFolder } from '../../project/safe-folder.ts';
import type { RunContained } from '../../services/launch/stop-command.ts';
import type { StopReport } from '../../stopping/report.ts';
import { readProjectState, UNATTRIBUTED } from '../../tracking/project-state.ts';
import { SWEPT } from '../../tracking/sweep-tracker.ts';
import { askGuards, MAX_PASSES } from './ask-guards.ts';
import { askOneOffs, presentToTheEnd } from './ask-one-offs.ts';
import { finishStop } from './finish.ts';
import { type FirstLook, lookBeforeStop, readForStop } from './first-look.ts';
import { findLeftAlone } from './left-alone.ts';
import { mayHaveContainers, type StopHeader, type StopOptions } from './options.ts';
import type { StopOutcome, VerifiedOutcome } from './outcome.ts';
import { type StopContext, type StopRunsRequest, stopRuns } from './stop-runs.ts';

/** The time that a supervisor has to stand down before the stop goes on without it, in ms. */
const STAND_DOWN_MS = 1_000;

/** The same with force. */
const FORCED_STAND_DOWN_MS = 500;

/** The time that a supervisor that has stood down has to count its children, in ms: long, because it does answer. */
const COUNT_CHILDREN_MS = 3_000;

/** The grace period with force, in ms. */
const FORCED_GRACE_MS = 500;

/**
 * Carries out a stop: takes the lock, has the supervisor stand down, ends the processes, verifies, and reports.
 *
 * @throws DevctlError 'locked' when another command keeps the lock and this stop may not take it by force; 'unsafe' where the
 *   records are another user's, and nothing was found without them
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
    const report = await stopLocked(host, header, problems);
    requireKnowledge(folder, report);
    return report;
  } finally {
    lock?.release();
  }
}

/**
 * Refuses to say that nothing runs where only the records of another user could tell it.
 *
 * @throws DevctlError 'unsafe'
 */
function requireKnowledge({ pidsDir }: ProjectFolder, report: StopReport): void {
  if (report.processes.length > 0 || report.survivors.length > 0) return;
  const seen = inspectFolder(pidsDir);
  if (seen.kind !== 'refused' || !seen.isOthers) return;
  throw new DevctlError(
    'unsafe',
    `the records in ${pidsDir} were not read (${seen.reason}), and without them no process of the project was found, although some may run`,
    { hint: 'run devctl as that user' },
  );
}

/**
 * Does the same for a caller that already holds the project lock.
 *
 * @param problems problems from before, which the report must name
 * @param seen a look under that lock. Missing: it is made now, because the holder before us may have started something,
 *   even a supervisor
 */
export async function stopLocked(
  host: Host,
  header: StopHeader,
  problems: readonly string[],
  seen?: Pick<FirstLook, 'state' | 'snapshot'>,
): Promise<StopReport> {
  const { folder, options, self } = header;
  const { state: before, snapshot } = seen ?? (await readForStop(host, folder, options.exempt));
  const second = await lookBeforeStop(before, snapshot, header);
  const { resume, hasChildren, runContained } = await standDown(host, header, second);
  try {
    // The records once more, because the supervisor may have written some until it stood down.
    const state = readProjectState(folder, options.exempt);
    const context = { host, self, state, ...options, runContained };
    const outcome = await stopAndVerify(context, options, second.oneOffParents, hasChildren);
    const containers = await stopContainersLast(host, header);
    const all = { ...outcome, problems: [...problems, ...outcome.problems], containers };
    return await finishStop(host, header, state, all, second);
  } finally {
    await resume();
  }
}

/** Takes down the containers, after the services that need them. An error must not hide what became of the processes. */
async function stopContainersLast(
  host: Host,
  { folder, options }: Pick<StopHeader, 'folder' | 'options'>,
): Promise<ContainersStop | null> {
  if (!mayHaveContainers(folder, options)) return null;
  const { stopContainers } = await import('../../containers/down.ts');
  const { force, graceMs, forced } = options;
  const volumes = options.containers?.volumes ?? false;
  const { env } = process;
  try {
    const wish = { force, graceMs, volumes, services: null, env, forced };
    return await stopContainers(host, folder, wish);
  } catch (error) {
    const unknown = `containers: not known, ${inWords(error)}`;
    const nothing = { containers: [], networks: [], volumes: [], ports: [] };
    return { engine: null, ...nothing, unknown, left: true, tookMs: 0 };
  }
}

/**
 * Ends the processes. A stop of everything then asks the kernel, through the supervisor, whether anything is left
 * below it; ends the supervisor; asks about its guards, and ends them; asks about `devctl run`; and scans once more.
 *
 * @param parentsBefore the `devctl run` commands that lived when the stop began
 */
async function stopAndVerify(
  context: StopContext,
  options: StopOptions,
  parentsBefore: readonly OneOffParent[],
  hasChildren: () => Promise<boolean | null>,
): Promise<VerifiedOutcome> {
  const sweep = options.names === null ? options.sweep : null;
  const first = await stopRuns(context, {
    ...requestOf(options),
    sweep,
    commands: true,
    hooks: true,
  });
  const stop = new ProjectStop(context, options, first);
  const { supervisors, guards, oneOffParents: parents } = stop.outcome.owned.latest();
  const oneOffParents = presentToTheEnd(context.state.folder, parentsBefore, parents);
  const subreapers = { supervisors, guards, oneOffParents };
  if (options.names !== null) return { ...stop.outcome, ...subreapers, childless: null };
  const children = await stop.stopUntilChildless(hasChildren);
  // A subreaper that ended now would hand the survivors on to process 1, where nobody could find them.
  if (stop.hasSurvivors()) return { ...stop.outcome, ...subreapers, childless: false };
  const answers = await stop.endSubreapers(subreapers);
  const childless = childlessBy(supervisors.length > 0 ? [children, ...answers] : answers);
  return { ...stop.outcome, ...subreapers, childless };
}

/** The processes that contain what services leave. */
type Subreapers = Pick<VerifiedOutcome, 'supervisors' | 'guards' | 'oneOffParents'>;

/** A stop that is repeated until nothing is left, and its outcome so far. */
class ProjectStop {
  readonly #context: StopContext;
  readonly #options: StopOptions;
  #outcome: StopOutcome;

  constructor(context: StopContext, options: StopOptions, first: StopOutcome) {
    this.#context = context;
    this.#options = options;
    this.#outcome = first;
  }

  get outcome(): StopOutcome {
    return this.#outcome;
  }

  /** @returns the last answer: does the supervisor still have a child? Null: it cannot tell */
  async stopUntilChildless(hasChildren: () => Promise<boolean | null>): Promise<boolean | null> {
    let children = await hasChildren();
    // A scan can miss a process that is forked while it reads. The kernel's list of children cannot.
    for (let pass = 1; children && pass < MAX_PASSES; pass += 1) {
      await this.#stopAgain();
      children = await hasChildren();
    }
    return children;
  }

  hasSurvivors(): boolean {
    const phases = [...this.#outcome.state.units.values()].map(({ phase }) => phase.kind);
    const leftAlone = findLeftAlone(this.#outcome, this.#context.state, this.#options);
    return phases.includes('survived') || leftAlone.length > 0;
  }

  /**
   * Ends supervisors and guards, and scans until no process of ours is left.
   *
   * @returns for each guard and each `devctl run`: did it have a child? Null: it could not be asked
   */
  async endSubreapers({
    supervisors,
    guards,
    oneOffParents,
  }: Subreapers): Promise<readonly (boolean | null)[]> {
    const { host, state } = this.#context;
    await this.#endSupervisors();
    const answers = [...(await this.#askGuards(guards, supervisors))];
    // After the guards, because a guard may have been below a `devctl run`.
    const stopAgain = () => this.#stopAgainWithSupervisors();
    const { folder } = state;
    answers.push(...(await askOneOffs({ host, folder, oneOffParents, stopAgain })));
    const isAsked = (guard: Identity): boolean =>
      guards.some(({ identity }) => sameIdentity(identity, guard));
    for (let pass = 1; pass <= MAX_PASSES; pass += 1) {
      const left = this.#outcome.owned.claim(await settledSnapshot(host)).size;
      const late = this.#outcome.owned.latest();
      const isLate = late.supervisors.some(({ identity }) => identity.pid !== this.#self.pid);
      // A start that was killed may just have spawned a guard, which looked like a stranger until now.
      const unasked = late.guards.filter(({ identity }) => !isAsked(identity));
      if (left === 0 && !isLate && unasked.length === 0) break;
      await this.#stopAgainWithSupervisors();
      answers.push(...(await this.#askGuards(unasked, late.supervisors)));
    }
    return answers;
  }

  get #self(): Identity {
    return this.#context.self;
  }

  async #stopAgain(): Promise<void> {
    const { history, owned, units } = this.#outcome;
    const state = readProjectState(this.#context.state.folder, this.#options.exempt);
    // By now the ledger names services that no record does: the report names the units of the first part.
    const known = units.map(({ name }) => name).filter((name) => !NO_SERVICES.has(name));
    const after = await stopRuns(
      { ...this.#context, state, history, outside: owned.outside },
      { ...requestOf(this.#options), known, sweep: null, commands: false },
    );
    this.#outcome = continued(this.#outcome, after);
  }

  /** Stops again, and ends the supervisors of the last scan: one may have come up meanwhile. */
  async #stopAgainWithSupervisors(): Promise<void> {
    await this.#stopAgain();
    await this.#endSupervisors();
  }

  async #endSupervisors(): Promise<void> {
    const { supervisors } = this.#outcome.owned.latest();
    await endSupervisors(this.#context.host, supervisors, this.#self);
  }

  #askGuards(
    guards: readonly ProcessInfo[],
    supervisors: readonly ProcessInfo[],
  ): Promise<readonly (boolean | null)[]> {
    const { host } = this.#context;
    const stopAgain = () => this.#stopAgainWithSupervisors();
    return askGuards({ host, self: this.#self, guards, supervisors, stopAgain });
  }
}

/** The part of the request that each repetition of a stop has in common. */
function requestOf({
  names,
  force,
  graceMs,
  declared,
}: StopOptions): Pick<StopRunsRequest, 'names' | 'force' | 'graceMs' | 'deepScan'> {
  return {
    names,
    force,
    graceMs: graceMs ?? (force ? FORCED_GRACE_MS : null),
    deepScan: { declared, atOnce: force },
  };
}

const NO_SERVICES: ReadonlySet<string> = new Set([UNATTRIBUTED, SWEPT]);

/** Joins two parts of one stop. Its beginning, its sweep and its stop commands are those of the first part. */
function continued(before: StopOutcome, after: StopOutcome): StopOutcome {
  const { beganAtMs, swept, uncontainedCommands } = before;
  const units = new Map([...before.units, ...after.units].map((unit) => [unit.name, unit]));
  const state = {
    ...after.state,
    units: new Map([...before.state.units, ...after.state.units]),
  };
  const problems = [...new Set([...before.problems, ...after.problems])];
  const kept = { beganAtMs, swept, uncontainedCommands };
  return { ...after, ...kept, units: [...units.values()], state, problems };
}

/** True when every answer is "no child". Null when one process could not be asked, or there was none to ask. */
function childlessBy(answers: readonly (boolean | null)[]): boolean | null {
  if (answers.includes(true)) return false;
  return answers.length === 0 || answers.includes(null) ? null : true;
}

/** The parts of a stop that only a supervisor can do, because it is the parent of every process. */
interface StoodDown {
  resume(): Promise<void>;
  /** Null: the supervisor cannot tell, or did not answer. */
  hasChildren(): Promise<boolean | null>;
  readonly runContained: RunContained;
}

/**
 * Keeps the supervisor from interfering with the stop. A stop of everything freezes a supervisor that does not answer:
 * as a subreaper it still contains every orphan, and it is ended last.
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
  const [first = null] = others;
  const timeoutMs = force ? FORCED_STAND_DOWN_MS : patienceWith(first, STAND_DOWN_MS);
  const found = await findSupervisor(folder, others, recorded, timeoutMs);
  const resume = (await found?.client.standDown({ names }, timeoutMs)) ?? null;
  const frozen = !resume && names === null ? others : [];
  for (const { identity } of frozen) await host.signal(identity, 'SIGSTOP');
  return {
    async resume() {
      resume?.();
      for (const { identity } of frozen) await host.signal(identity, 'SIGCONT');
    },
    async hasChildren() {
      if (!resume || !found) return null;
      const patienceMs = patienceWith(await host.read(found.hello.pid), COUNT_CHILDREN_MS);
      return found.client.hasChildren(patienceMs);
    },
    // A frozen supervisor is not asked to run the stop command: it would neither answer nor close the connection.
    runContained: async (service, env, over, isHook = false) => {
      const request = { service, env: definedOnly(env), isHook };
      return (resume && (await found?.client.runStopCommand(request, over))) ?? null;
    },
  };
}
