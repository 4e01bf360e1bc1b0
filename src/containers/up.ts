/*
 * The files of this folder: the containers of a project, which compose makes and Docker keeps.
 *
 *   up, down           bring them up before services, take them down after services, with proof
 *   look, logs         what they are, what they write
 *   engine, program    the questions to one Docker engine, each with a time limit
 *   compose            the compose files and the program of compose
 *   compose-file       what compose files say, as far as devctl must know it
 *   override           the file that adds our labels
 *   labels, marks      by what a container is ours
 *   project-name       the name of the compose project
 *   plan, readiness    what is brought up, what is in the way, when it is ready
 *   inspect            answers of the engine
 *   record             `.pids/containers.json`, and what is kept beside it
 *   check              the compose files, without an engine
 *   report             what stop and status say of containers
 */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DevctlError } from '../errors.ts';
import type { ContainerSettings } from '../manifest/resolved.ts';
import { projectCookie } from '../ownership/cookie.ts';
import { isoTime, monotonicMs } from '../processes/clock.ts';
import { describeHolder } from '../processes/describe.ts';
import { findPortHolders, type Port, parsePort } from '../processes/ports.ts';
import type { Snapshot } from '../processes/snapshot.ts';
import { writeFileAtomically } from '../project/atomic-file.ts';
import type { ProjectFolder } from '../project/folder.ts';
import {
  type ComposeProject,
  composeFolderName,
  composeUp,
  findCompose,
  readComposeProject,
} from './compose.ts';
import { withNeeded } from './compose-file.ts';
import { Engine, type EngineAnswer, type EngineFailure } from './engine.ts';
import type { EngineContainer } from './inspect.ts';
import {
  COMPOSE_PROJECT_LABEL,
  type ContainerMarks,
  isOurs,
  labelsOf,
  PROJECT_LABEL,
} from './labels.ts';
import { rememberContainers } from './look.ts';
import { marksOf } from './marks.ts';
import { overrideText } from './override.ts';
import {
  type Collision,
  type ContainersPlan,
  findCollisions,
  planContainers,
  sortByOwner,
  unknownInWords,
} from './plan.ts';
import { chooseProjectName, type ProjectName, withOwnPart } from './project-name.ts';
import { judgeContainers, strangerInWords } from './readiness.ts';
import {
  type ContainersRecord,
  containersRecords,
  overridePath,
  readContainersRecord,
  readKnownName,
  writeContainersRecord,
  writeKnownName,
} from './record.ts';

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
    if (error.hint) options.warn(`→ ${error.hint}`);
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
    const engineId = this.#require(await this.#engine.identify());
    const record = this.#record();
    if (record && record.engine.id !== engineId) throw anotherEngine(this.#folder, record);
    if (this.#engine.isRemote)
      this.#options.warn(
        `the engine is on another machine (${this.#engine.place?.endpoint}): its ports are not looked for here`,
      );
    const { name, containers } = await this.#chooseName(record);
    const { ours, strangers } = sortByOwner(containers, this.#marks);
    if (strangers.length > 0) return this.#useStrangers(name, strangers);
    await this.#refuseCollisions(ours);
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

  #require<Value>(answer: EngineAnswer<Value>): Value {
    if (answer.kind === 'answer') return answer.value;
    throw cannotStart(answer.failure);
  }

  /** Chooses the name of the compose project, and lists its containers, whoever made them. */
  async #chooseName(
    record: ContainersRecord | null,
  ): Promise<{ readonly name: string; readonly containers: readonly EngineContainer[] }> {
    const { model, nameInEnvironment } = this.#compose;
    const folder = this.#folder;
    const known = readKnownName(folder);
    const projectId = folder.id ?? '';
    const isCopy = known === 'copied';
    const facts = {
      fromManifest: this.#settings.project,
      fromEnvironment: nameInEnvironment,
      fromFile: model.name,
      folderName: composeFolderName(this.#compose),
      isSecond: isCopy || isLinkedWorktree(folder.root),
      known: isCopy ? null : known,
      projectId,
    };
    const plain = chooseProjectName(facts);
    if (record && record.composeProject !== plain.name && record.containers.length > 0) {
      throw new DevctlError(
        'start-failed',
        `the containers of this project run as the compose project ${record.composeProject}, and it is ${plain.name} by now`,
        {
          hint: 'devctl stop --containers, then start again: volumes have the name of the compose project',
        },
      );
    }
    let containers = await this.#containersOf(plain.name);
    let chosen: ProjectName = plain;
    const isFree = plain.source === 'compose-file' || plain.source === 'folder';
    if (
      isFree &&
      facts.known === null &&
      !plain.isOwn &&
      (await this.#isOfAnother(plain.name, containers))
    ) {
      chosen = withOwnPart(plain, projectId);
      containers = await this.#containersOf(chosen.name);
    }
    if (isFree && facts.known === null) {
      const base = plain.isOwn ? plain.name.replace(/-[0-9a-f]{6}$/, '') : plain.name;
      writeKnownName(folder, { name: chosen.name, base, source: chosen.source });
      if (chosen.isOwn)
        this.#options.warn(
          `the compose project is ${chosen.name}, because ${base} is that of another checkout: its volumes are new`,
        );
    }
    return { name: chosen.name, containers };
  }

  async #containersOf(name: string): Promise<readonly EngineContainer[]> {
    return this.#require(await this.#engine.findBy(`label=${COMPOSE_PROJECT_LABEL}=${name}`));
  }

  /** Tells whether another project of devctl has this name: its containers carry its label, and so do its volumes. */
  async #isOfAnother(name: string, containers: readonly EngineContainer[]): Promise<boolean> {
    const filter = `label=${COMPOSE_PROJECT_LABEL}=${name}`;
    const volumes = this.#require(await this.#engine.findThingsBy('volume', [filter]));
    return [...containers, ...volumes].some(
      ({ labels }) => labels[PROJECT_LABEL] !== undefined && !isOurs(labels, this.#marks),
    );
  }

  /** Uses the containers of somebody else, where the manifest allows that; else refuses. */
  #useStrangers(name: string, strangers: readonly EngineContainer[]): readonly StartedContainer[] {
    const { adopt } = this.#settings;
    const nowMs = Date.now();
    if (adopt !== 'use') {
      const named = strangers.slice(0, 5).map((one) => strangerInWords(one, nowMs));
      const count = strangers.length === 1 ? 'a container' : `${strangers.length} containers`;
      throw new DevctlError(
        'name-taken',
        `the compose project ${name} has ${count} that devctl has not started: ${named.join(', ')}`,
        {
          hint: `use what runs: "adopt": "use" in "containers" (${this.#settings.definedAt}); or take it down first: docker compose -p ${name} down; nothing was started`,
        },
      );
    }
    const used = [...this.#plan.conditions].flatMap(([service, condition]) => {
      const own = strangers.filter((one) => one.service === service);
      const verdict = judgeContainers(own, condition);
      if (verdict.kind === 'ready') return own;
      const why =
        own.length === 0 ? 'is not in it' : verdict.kind === 'failed' ? verdict.why : verdict.what;
      throw new DevctlError(
        'start-failed',
        `${service}: the compose project ${name} was started by somebody else, and ${service} ${own.length === 0 ? why : `is not up there: ${why}`}`,
        { hint: `docker compose -p ${name} up -d ${service}; devctl leaves that project alone` },
      );
    });
    for (const { service } of used)
      this.#tell({
        service: service ?? '',
        state: 'ready',
        text: 'used, started by somebody else',
      });
    rememberContainers(this.#folder, used, this.#marks, null);
    return this.#toStarted(used, false);
  }

  /** Refuses fixed names and ports that somebody else has, before anything is made. */
  async #refuseCollisions(ours: readonly EngineContainer[]): Promise<void> {
    const { model } = this.#compose;
    const wanted = withNeeded(model, this.#plan.services).flatMap(
      (name) => model.services.get(name) ?? [],
    );
    const own = new Set(ours.map(({ id }) => id));
    const others: EngineContainer[] = [];
    const add = (found: readonly EngineContainer[]): void => {
      others.push(...found.filter(({ id }) => !own.has(id)));
    };
    if (wanted.some(({ hostPorts }) => hostPorts.length > 0))
      add(this.#require(await this.#engine.findBy('status=running')));
    for (const { containerName } of wanted) {
      if (containerName === null) continue;
      const pattern = containerName.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
      add(this.#require(await this.#engine.findBy(`name=^/?${pattern}$`)));
    }
    const collisions = findCollisions(model, this.#plan.services, others);
    if (collisions.length > 0) throw collided(collisions, this.#settings.definedAt);
    if (!this.#engine.isRemote)
      await this.#refuseHeldPorts(
        wanted.flatMap(({ hostPorts }) => hostPorts),
        ours,
      );
  }

  async #refuseHeldPorts(
    ports: readonly string[],
    ours: readonly EngineContainer[],
  ): Promise<void> {
    const own = new Set(ours.flatMap((one) => (one.state === 'running' ? one.ports : [])));
    const wanted = ports.filter((port) => !own.has(port)).flatMap((port) => toPort(port) ?? []);
    const { snapshot } = this.#options;
    const [holder] = await findPortHolders(wanted, snapshot);
    if (!holder) return;
    const who = describeHolder(holder, snapshot) ?? 'a process that cannot be seen';
    throw new DevctlError(
      'port-taken',
      `a container publishes port ${holder.port}, which is held by ${who}`,
      {
        hint: `${holder.process ? `kill ${holder.process.identity.pid}` : 'stop that process'}; or publish another port in the compose file; nothing was started`,
      },
    );
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
      hint: 'devctl stop removes what came up; docker compose config checks the compose file',
    });
  }

  /** Waits until each compose service is ready, and returns all containers of ours. */
  async #untilReady(name: string): Promise<readonly EngineContainer[]> {
    const told = new Set<string>();
    for (;;) {
      const all = await this.#containersOf(name);
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
      hint: `${log}devctl stop takes the containers down`,
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

function toPort(text: string): Port | null {
  return parsePort(text.endsWith('/udp') ? text : Number(text));
}

function cannotStart({ why, hint }: EngineFailure): DevctlError {
  return new DevctlError('start-failed', `the containers cannot be started: ${why}`, { hint });
}

function interrupted(): DevctlError {
  return new DevctlError('start-failed', 'it was interrupted before the containers were up', {
    hint: 'devctl stop takes down what came up',
  });
}

/** Another manifest of the folder, or another project in the same records folder, has containers: its record must stay. */
function refuseForeignRecord(read: ReturnType<typeof readContainersRecord>): void {
  if (read.kind !== 'problem' || read.problem.kind === 'corrupt') return;
  const { path, reason } = read.problem;
  throw new DevctlError('start-failed', `the containers cannot be started: ${path}: ${reason}`, {
    hint: 'stop those containers first: devctl stop --config MANIFEST',
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

function collided(collisions: readonly Collision[], definedAt: string): DevctlError {
  const nowMs = Date.now();
  const lines = collisions.map(({ service, what, holder }) => {
    const who = holder ? `the container ${strangerInWords(holder, nowMs)}` : 'another container';
    return `${service}: ${what} is held by ${who}`;
  });
  const [first] = collisions;
  const code = first?.port === null ? 'name-taken' : 'port-taken';
  return new DevctlError(code, lines.join('\n'), {
    hint: `stop that container, or give yours no fixed name and port (${definedAt}); nothing was started`,
  });
}

/** Tells whether a folder is in a linked worktree of git, whose main checkout has the plain name. */
function isLinkedWorktree(root: string): boolean {
  for (let folder = root; ; folder = dirname(folder)) {
    const git = join(folder, '.git');
    if (existsSync(git)) {
      return (
        statSync(git).isFile() && /^gitdir:.*[\\/]worktrees[\\/]/m.test(readFileSync(git, 'utf8'))
      );
    }
    if (folder === dirname(folder)) return false;
  }
}
