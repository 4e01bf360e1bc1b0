import { setTimeout as delay } from 'node:timers/promises';
import { DevctlError } from '../errors.ts';
import type { ContainerSettings } from '../manifest/resolved.ts';
import { DEVCTL } from '../own-command.ts';
import { projectCookie } from '../ownership/cookie.ts';
import { isoTime, monotonicMs } from '../processes/clock.ts';
import type { Snapshot } from '../processes/snapshot.ts';
import { writeFileAtomically } from '../project/atomic-file.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { chooseComposeProject } from './choose-project.ts';
import { type ComposeProject, composeUp, findCompose, readComposeProject } from './compose.ts';
import { Engine, OR_WITHOUT } from './engine.ts';
import type { EngineContainer } from './inspect.ts';
import { type ContainerMarks, labelsOf } from './labels.ts';
import { rememberContainers } from './look.ts';
import { marksOf } from './marks.ts';
import { requireFreeNamesAndPorts } from './obstacles.ts';
import { overrideText } from './override.ts';
import { type ContainersPlan, planContainers, sortByOwner, unknownInWords } from './plan.ts';
import { judgeContainers } from './readiness.ts';
import {
  type ContainersRecord,
  containersRecords,
  overridePath,
  readContainersRecord,
  writeContainersRecord,
} from './record.ts';
import { containersOfProject, requireAnswer } from './require-answer.ts';
import { chooseStrangers } from './strangers.ts';

/** A change of a compose service while it is started. */
export interface ContainerChange {
  readonly service: string;
  readonly state: 'starting' | 'waiting' | 'ready' | 'failed';
  readonly text: string;
}

export interface ContainersUpOptions {
  /** The services that are to be started, and may need containers. */
  readonly names: readonly string[];
  /** 'all' that the manifest lists, those that are 'needed' by these services, or named ones. */
  readonly chosen: 'all' | 'needed' | readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A look at the process table, for the holders of ports. */
  readonly snapshot: Snapshot;
  readonly warn: (line: string) => void;
  readonly onContainer?: (change: ContainerChange) => void;
  /** Told what compose writes: pulls and builds take long. */
  readonly onComposeLine?: (line: string) => void;
  /** Gives up when it is aborted. */
  readonly over?: AbortSignal;
}

/** One compose service that a start brought up, or found up. */
export interface StartedContainer {
  readonly service: string;
  readonly name: string;
  readonly id: string;
  /** False: somebody else started it, and it is only used. */
  readonly ours: boolean;
}

/** Pause between two looks at the health of containers, in ms. */
const HEALTH_POLL_MS = 250;

/**
 * Brings up the containers that services need, and waits until each is healthy. A container that is not ours is never recreated:
 * where the compose project has a container of somebody else, compose is not run at all.
 *
 * @returns nothing where none is needed, or where they are not required and cannot be had, which `warn` is told
 * @throws DevctlError 'start-failed', 'name-taken', 'port-taken', 'manifest-invalid', 'records-unwritable'
 */
export async function startContainers(
  folder: ProjectFolder,
  settings: ContainerSettings,
  options: ContainersUpOptions,
): Promise<readonly StartedContainer[]> {
  const compose = readComposeProject(settings, folder.root, options.env);
  const plan = planContainers(compose.model, settings, options.names, options.chosen);
  if ('unknown' in plan) {
    const why = unknownInWords(plan.unknown, plan.neededBy, compose.model);
    throw new DevctlError('manifest-invalid', `${settings.definedAt}  ${why}`);
  }
  if (plan.services.length === 0) return [];
  try {
    return await new ContainersUp(folder, settings, options, compose, plan).run();
  } catch (error) {
    if (settings.required || !(error instanceof DevctlError) || error.code !== 'start-failed')
      throw error;
    options.warn(`${error.message}; they are not required, so the services start without them`);
    if (error.hint) options.warn(`→ ${error.hint.replace(OR_WITHOUT, '')}`);
    return [];
  }
}

/** One call of `startContainers`. */
class ContainersUp {
  readonly #folder: ProjectFolder;
  readonly #settings: ContainerSettings;
  readonly #options: ContainersUpOptions;
  readonly #compose: ComposeProject;
  readonly #plan: ContainersPlan;
  readonly #marks: ContainerMarks;
  readonly #engine: Engine;
  readonly #deadlineMs: number;

  constructor(
    folder: ProjectFolder,
    settings: ContainerSettings,
    options: ContainersUpOptions,
    compose: ComposeProject,
    plan: ContainersPlan,
  ) {
    this.#folder = folder;
    this.#settings = settings;
    this.#options = options;
    this.#compose = compose;
    this.#plan = plan;
    this.#marks = marksOf(folder);
    this.#deadlineMs = monotonicMs() + settings.timeoutMs;
    this.#engine = new Engine({
      env: options.env,
      // Where containers of ours are already, so that a start does not scatter them over two engines.
      place: this.#recordedPlace(),
      cookie: projectCookie(folder),
      untilMs: Number.POSITIVE_INFINITY,
      nowMs: monotonicMs,
    });
  }

  async run(): Promise<readonly StartedContainer[]> {
    refuseForeignRecord(readContainersRecord(this.#folder));
    const engineId = requireAnswer(await this.#engine.identify());
    const record = this.#record();
    if (record && record.engine.id !== engineId) throw anotherEngine(this.#folder, record);
    if (this.#engine.isRemote)
      this.#options.warn(
        `the engine is on another machine (${this.#engine.place?.endpoint}): its ports are not looked for here`,
      );
    const { name, containers } = await chooseComposeProject({
      engine: this.#engine,
      folder: this.#folder,
      marks: this.#marks,
      settings: this.#settings,
      compose: this.#compose,
      record,
      warn: this.#options.warn,
    });
    const { ours, strangers } = sortByOwner(containers, this.#marks);
    if (strangers.length > 0) return this.#useStrangers(name, strangers);
    await requireFreeNamesAndPorts({
      engine: this.#engine,
      model: this.#compose.model,
      services: this.#plan.services,
      ours,
      snapshot: this.#options.snapshot,
      definedAt: this.#settings.definedAt,
    });
    await this.#runCompose(name, engineId, ours);
    const started = await this.#untilReady(name);
    this.#write(name, engineId, 'up', started);
    rememberContainers(this.#folder, started, this.#marks, null);
    return this.#toStarted(started, true);
  }

  #record(): ContainersRecord | null {
    const read = readContainersRecord(this.#folder);
    return read.kind === 'record' ? read.record : null;
  }

  #recordedPlace(): ContainersRecord['engine'] | null {
    const record = this.#record();
    return record?.engine ?? null;
  }

  #useStrangers(name: string, strangers: readonly EngineContainer[]): readonly StartedContainer[] {
    const used = chooseStrangers(name, strangers, this.#plan, this.#settings);
    const text = 'used, started by somebody else';
    for (const { service } of used) this.#tell({ service: service ?? '', state: 'ready', text });
    rememberContainers(this.#folder, used, this.#marks, null);
    return this.#toStarted(used, false);
  }

  async #runCompose(
    name: string,
    engineId: string,
    ours: readonly EngineContainer[],
  ): Promise<void> {
    const { command: wished, profiles } = this.#settings;
    const command = await findCompose(wished, this.#engine.env);
    if (!command) {
      throw new DevctlError(
        'start-failed',
        'neither "docker compose" nor "docker-compose" can be run',
        {
          hint: 'install the compose plugin (https://docs.docker.com/compose/install/), or name yours: "command" in "containers"',
        },
      );
    }
    const { pidsDir } = this.#folder;
    writeFileAtomically(
      overridePath(pidsDir),
      overrideText(this.#compose.model, labelsOf(this.#marks)),
    );
    // Compose may be killed in the middle, and what it has made by then must be known to be ours.
    this.#write(name, engineId, 'intent', ours);
    for (const service of this.#plan.services)
      this.#tell({ service, state: 'starting', text: 'starting' });
    const { why } = await composeUp({
      command,
      project: this.#compose,
      override: overridePath(pidsDir),
      name,
      profiles,
      services: this.#plan.services,
      env: this.#engine.env,
      timeoutMs: Math.max(1, this.#deadlineMs - monotonicMs()),
      onLine: (line) => this.#options.onComposeLine?.(line),
      over: this.#options.over,
    });
    if (this.#options.over?.aborted) throw interrupted();
    if (why === null) return;
    throw new DevctlError('start-failed', `compose could not start the containers: ${why}`, {
      hint: `${DEVCTL} stop removes what came up; docker compose config checks the compose file`,
    });
  }

  /** Waits until each compose service is ready, and returns all containers of ours. */
  async #untilReady(name: string): Promise<readonly EngineContainer[]> {
    const told = new Set<string>();
    for (;;) {
      const all = await containersOfProject(this.#engine, name);
      const { ours } = sortByOwner(all, this.#marks);
      const open: string[] = [];
      for (const [service, condition] of this.#plan.conditions) {
        const own = ours.filter((one) => one.service === service);
        const verdict = judgeContainers(own, condition);
        if (verdict.kind === 'failed') throw this.#failed(service, verdict.why, own[0]);
        if (verdict.kind === 'waiting') open.push(`${service} (${verdict.what})`);
        else if (!told.has(service)) {
          told.add(service);
          this.#tell({ service, state: 'ready', text: `up (container ${own[0]?.name})` });
        }
      }
      if (open.length === 0) return ours;
      if (this.#options.over?.aborted) throw interrupted();
      if (monotonicMs() > this.#deadlineMs) {
        const seconds = Math.round(this.#settings.timeoutMs / 1000);
        throw this.#failed(open.join(', '), `not ready after ${seconds} s`, undefined);
      }
      await delay(HEALTH_POLL_MS);
    }
  }

  #failed(service: string, why: string, container: EngineContainer | undefined): DevctlError {
    this.#tell({ service, state: 'failed', text: why });
    const log = container ? `docker logs ${container.name}; ` : '';
    return new DevctlError('start-failed', `the container ${service} is not up: ${why}`, {
      hint: `${log}${DEVCTL} stop takes the containers down`,
    });
  }

  #write(
    composeProject: string,
    engineId: string,
    state: ContainersRecord['state'],
    containers: readonly EngineContainer[],
  ): void {
    const { place } = this.#engine;
    if (!place) throw new Error('an engine that has told its id has a place');
    const { model } = this.#compose;
    writeContainersRecord(this.#folder, {
      engine: { id: engineId, endpoint: place.endpoint, environment: place.environment },
      composeProject,
      state,
      containers: containers.map(({ id, name, service }) => ({
        id,
        name,
        service: service ?? name,
      })),
      services: [...model.services.values()].map(({ name, dependsOn, graceMs }) => ({
        name,
        dependsOn,
        graceMs,
      })),
      bootId: this.#options.snapshot.bootId,
      at: isoTime(),
    });
  }

  #toStarted(containers: readonly EngineContainer[], ours: boolean): readonly StartedContainer[] {
    return containers.map(({ id, name, service }) => ({
      id,
      name,
      service: service ?? name,
      ours,
    }));
  }

  #tell(change: ContainerChange): void {
    this.#options.onContainer?.(change);
  }
}

function interrupted(): DevctlError {
  return new DevctlError('start-failed', 'it was interrupted before the containers were up', {
    hint: `${DEVCTL} stop takes down what came up`,
  });
}

/** Another manifest of the folder, or another project in the same records folder, has containers: its record must stay. */
function refuseForeignRecord(read: ReturnType<typeof readContainersRecord>): void {
  if (read.kind !== 'problem' || read.problem.kind === 'corrupt') return;
  const { path, reason } = read.problem;
  throw new DevctlError('start-failed', `the containers cannot be started: ${path}: ${reason}`, {
    hint: `stop those containers first: ${DEVCTL} stop --config MANIFEST`,
  });
}

function anotherEngine(
  folder: ProjectFolder,
  { engine, containers }: ContainersRecord,
): DevctlError {
  return new DevctlError(
    'start-failed',
    `at ${engine.endpoint} another engine answers than the one that has ${containers.length} containers of this project`,
    {
      hint: `bring that engine back; if it is gone for good, with its containers: rm ${containersRecords(folder).join(' ')}`,
    },
  );
}
