import { setTimeout as delay } from 'node:timers/promises';
import { DevctlError } from '../errors.ts';
import { DEVCTL } from '../own-command.ts';
import { projectCookie } from '../ownership/cookie.ts';
import { monotonicMs } from '../processes/clock.ts';
import type { Host } from '../processes/host.ts';
import type { Port } from '../processes/ports.ts';
import type { ProjectFolder } from '../project/folder.ts';
import type { RecordRead } from '../project/json-record.ts';
import { endContainers, isRunning } from './end.ts';
import { Engine, type EngineFailure, FIRST_QUESTION_MS } from './engine.ts';
import type { EngineContainer } from './inspect.ts';
import type { ContainerMarks } from './labels.ts';
import { rememberContainers } from './look.ts';
import { marksOf } from './marks.ts';
import { toPort, waitForPorts } from './ports.ts';
import {
  type ContainersRecord,
  readContainersRecord,
  removeContainersRecord,
  writeContainersRecord,
} from './record.ts';
import { type ContainersStop, isSomethingLeft, type StoppedContainer } from './report.ts';
import { removeThings } from './things.ts';

export interface ContainersDownOptions {
  /** True: removes them at once, without a grace period, and never waits for an engine longer than 5 s. */
  readonly force: boolean;
  /** Replaces the grace period of each container, in ms; null: its own. */
  readonly graceMs: number | null;
  /** True: removes our volumes as well. */
  readonly volumes: boolean;
  /** The compose services to stop; null: all. Networks go with the last container. */
  readonly services: readonly string[] | null;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Becomes true when the user asks a second time. */
  readonly forced: () => boolean;
}

/** Longest time that a forced stop waits for an engine, in ms. */
const FORCED_MS = 5_000;

/** Pause before the second look after an interrupted start: what compose had asked for may still come up, in ms. */
const LATE_MS = 500;

/** Most looks of one stop: containers come back only where somebody starts them. */
const MOST_LOOKS = 5;

/** Most looks in which the engine refuses something. */
const MOST_FAILURES = 2;

/** Time of a forced stop that is kept for the last question, in ms: one container that goes slowly must not hide that others are gone. */
const LAST_QUESTION_MS = 1_000;

/**
 * Takes down the containers of a project: stops and removes them by their ids, removes the networks, and asks again.
 * A container with a volume that nobody has named is stopped and kept, because the next one would get an empty volume.
 * Then it waits until the ports that they published are free.
 *
 * @returns null where the project has none, and never had any that anybody remembers
 */
export async function stopContainers(
  host: Pick<Host, 'snapshot'>,
  folder: ProjectFolder,
  options: ContainersDownOptions,
): Promise<ContainersStop | null> {
  const beganMs = monotonicMs();
  const read = readContainersRecord(folder);
  const stop = await new ContainersDown(host, folder, options, read).run();
  const tookMs = Math.round(monotonicMs() - beganMs);
  return stop && { ...stop, left: isSomethingLeft(stop), tookMs };
}

type Stopped = Omit<ContainersStop, 'tookMs' | 'left'>;

/** One call of `stopContainers`. */
class ContainersDown {
  readonly #host: Pick<Host, 'snapshot'>;
  readonly #folder: ProjectFolder;
  readonly #options: ContainersDownOptions;
  readonly #record: ContainersRecord | null;
  /** True where a record of ours cannot be read: it says that there were containers. */
  readonly #isDamaged: boolean;
  readonly #marks: ContainerMarks;
  readonly #engine: Engine;
  /** The outcome of each container that a look has found. */
  readonly #outcomes = new Map<string, StoppedContainer>();
  /** The compose service that published each port of this machine. */
  readonly #ports = new Map<string, string>();
  /** The time when a forced stop asks no engine any more. */
  readonly #untilMs: number;

  constructor(
    host: Pick<Host, 'snapshot'>,
    folder: ProjectFolder,
    options: ContainersDownOptions,
    read: RecordRead<ContainersRecord>,
  ) {
    const record = read.kind === 'record' ? read.record : null;
    this.#host = host;
    this.#folder = folder;
    this.#options = options;
    this.#record = record;
    this.#isDamaged = read.kind === 'problem' && read.problem.kind !== 'foreign';
    this.#marks = marksOf(folder);
    this.#untilMs = options.force ? monotonicMs() + FORCED_MS : Number.POSITIVE_INFINITY;
    this.#engine = new Engine({
      env: options.env,
      place: record?.engine ?? null,
      cookie: projectCookie(folder),
      untilMs: this.#untilMs,
      nowMs: monotonicMs,
    });
  }

  async run(): Promise<Stopped | null> {
    const id = await this.#engine.identify(FIRST_QUESTION_MS);
    if (id.kind === 'failure') return this.#unknown(id.failure);
    if (this.#record && this.#record.engine.id !== id.value) return this.#unknown(ANOTHER_ENGINE);
    let failure: EngineFailure | null = null;
    let failures = 0;
    let emptyLooks = 0;
    // A container that a killed compose was about to make may come up a moment later.
    const looksNeeded = this.#record?.state === 'intent' ? 2 : 1;
    for (let look = 0; look < MOST_LOOKS && emptyLooks < looksNeeded; look += 1) {
      if (emptyLooks > 0) await delay(LATE_MS);
      const found = await this.#engine.findOurs(this.#marks);
      if (found.kind === 'failure') return this.#unknown(found.failure);
      if (look === 0) this.#requireKnown(found.value);
      const open = found.value.filter((one) => this.#isWanted(one) && this.#isOpen(one));
      if (open.length === 0) emptyLooks += 1;
      else failure = await this.#stopAll(open);
      // One that is refused twice is refused a third time too, and each time takes its whole grace period.
      if (failure !== null) failures += 1;
      if (failures === MOST_FAILURES || (this.#options.force && failure?.kind === 'silent')) break;
    }
    return this.#finish(failure);
  }

  /** A name that is mistyped must not look like a container that is gone. */
  #requireKnown(found: readonly EngineContainer[]): void {
    const known = new Set([
      ...(this.#record?.services ?? []).map(({ name }) => name),
      ...found.map(({ service, name }) => service ?? name),
    ]);
    const unknown = this.#options.services?.find((name) => known.size > 0 && !known.has(name));
    if (unknown === undefined) return;
    const named = `${JSON.stringify(unknown)} is no compose service of this project`;
    throw new DevctlError('usage', `${named}: it has ${[...known].join(', ')}`, {
      hint: `${DEVCTL} status --containers shows what is there; nothing was stopped`,
    });
  }

  #isWanted({ service }: EngineContainer): boolean {
    const { services } = this.#options;
    return services === null || services.includes(service ?? '');
  }

  /** True for a container that is still to be stopped or removed. */
  #isOpen(container: EngineContainer): boolean {
    return isRunning(container) || !this.#isKept(container);
  }

  #isKept({ anonymousVolumes }: EngineContainer): boolean {
    const { force, volumes } = this.#options;
    return anonymousVolumes.length > 0 && !force && !volumes;
  }

  /** @returns the last thing that the engine refused */
  async #stopAll(containers: readonly EngineContainer[]): Promise<EngineFailure | null> {
    for (const container of containers) {
      const { service, name, ports } = container;
      if (isRunning(container)) for (const port of ports) this.#ports.set(port, service ?? name);
      this.#note(container, 'left', null);
    }
    if (this.#options.force || this.#options.forced()) return this.#remove(containers, true);
    const { graceMs, forced } = this.#options;
    const services = this.#record?.services ?? [];
    const failure = await endContainers(this.#engine, containers, { services, graceMs, forced });
    return (await this.#remove(containers, false)) ?? failure;
  }

  async #remove(
    containers: readonly EngineContainer[],
    atOnce: boolean,
  ): Promise<EngineFailure | null> {
    const flags = [...(atOnce ? ['-f'] : []), ...(this.#options.volumes ? ['-v'] : [])];
    const gone = containers.filter((one) => !this.#isKept(one));
    for (const container of containers)
      if (this.#isKept(container)) this.#note(container, 'kept', KEPT);
    if (gone.length === 0) return null;
    const words = ['rm', ...flags, ...gone.map(({ id }) => id)];
    // The docker CLI prints the id of each container that is gone, also where it then waits for another one for ever.
    const onLine = (line: string): void => {
      const container = gone.find(({ id }) => id === line.trim());
      if (container) this.#note(container, 'removed', null);
    };
    const leftMs = this.#untilMs - monotonicMs();
    const forcedMs = Math.max(leftMs / 2, leftMs - LAST_QUESTION_MS);
    const limitMs = this.#options.force ? forcedMs : undefined;
    const answer = await this.#engine.act(words, { limitMs, onLine });
    return answer.kind === 'failure' ? answer.failure : null;
  }

  #note(
    container: EngineContainer,
    outcome: StoppedContainer['outcome'],
    why: string | null,
  ): void {
    const { id, name, service } = container;
    this.#outcomes.set(id, { id, name, service: service ?? name, outcome, why });
  }

  /** Asks once more what is there, and removes networks, volumes and the record. */
  async #finish(failure: EngineFailure | null): Promise<Stopped | null> {
    const after = await this.#engine.findOurs(this.#marks);
    if (after.kind === 'failure') return this.#unknown(after.failure);
    const there = new Set(after.value.map(({ id }) => id));
    for (const [id, one] of this.#outcomes)
      if (!there.has(id)) this.#outcomes.set(id, { ...one, outcome: 'removed', why: null });
    // Also a container that somebody has started a moment ago.
    const refused = failure?.kind === 'silent' ? null : failure?.why;
    for (const one of after.value.filter((container) => this.#isWanted(container))) {
      if (this.#isOpen(one))
        this.#note(one, 'left', refused ?? `the engine has it as ${one.state}`);
      else this.#note(one, 'kept', KEPT);
    }
    // A kept container could not be started again without its network.
    const networks =
      there.size === 0 ? await removeThings(this.#engine, 'network', this.#marks) : [];
    if ('kind' in networks) return this.#unknown(networks);
    const { services, volumes: withVolumes } = this.#options;
    const volumes =
      withVolumes && services === null
        ? await removeThings(this.#engine, 'volume', this.#marks)
        : [];
    if ('kind' in volumes) return this.#unknown(volumes);
    const containers = [...this.#outcomes.values()];
    const stop = {
      engine: this.#engine.place?.endpoint ?? null,
      containers,
      networks,
      volumes,
      ...(await this.#waitForPorts(after.value)),
    };
    this.#keepRecordQuietly(after.value, isSomethingLeft(stop));
    const isNothing = containers.length + networks.length + volumes.length === 0;
    return isNothing && this.#record === null ? null : stop;
  }

  /** The ports of a container that is there still, or again, are its own. */
  async #waitForPorts(
    after: readonly EngineContainer[],
  ): Promise<Pick<ContainersStop, 'ports' | 'unknown'>> {
    if (this.#engine.isRemote) return { ports: [], unknown: null };
    const used = new Set(after.flatMap((one) => (isRunning(one) ? one.ports : [])));
    const ports = new Map<Port, string>();
    for (const [text, service] of this.#ports) {
      const port = toPort(text);
      if (port !== null && !used.has(text)) ports.set(port, service);
    }
    const { force, forced } = this.#options;
    try {
      const wait = { force, forced, untilMs: this.#untilMs };
      return { ports: await waitForPorts(this.#host, ports, wait), unknown: null };
    } catch (error) {
      if (!(error instanceof DevctlError)) throw error;
      const unknown = `ports ${[...ports.keys()].join(', ')}: not known, ${error.message}`;
      return { ports: [], unknown };
    }
  }

  /** A record that cannot be written or removed names what is gone: the next stop asks again, and removes it. */
  #keepRecordQuietly(after: readonly EngineContainer[], isLeft: boolean): void {
    try {
      this.#keepRecord(after, isLeft);
    } catch (error) {
      if (!(error instanceof DevctlError)) throw error;
    }
  }

  #keepRecord(after: readonly EngineContainer[], isLeft: boolean): void {
    // The record of another manifest of the folder is not ours to remove.
    const isOurs = this.#record !== null || this.#isDamaged;
    if (after.length === 0 && !isLeft) {
      if (isOurs) removeContainersRecord(this.#folder);
    } else if (this.#record) {
      const containers = after.map(({ id, name, service }) => ({
        id,
        name,
        service: service ?? name,
      }));
      const { schema: _schema, ...record } = this.#record;
      writeContainersRecord(this.#folder, { ...record, state: 'up', containers });
      rememberContainers(this.#folder, after, this.#marks, this.#record);
    }
  }

  /** Without a record nothing was ever started, unless the records are gone with it. */
  #unknown(failure: EngineFailure): Stopped | null {
    const isForgotten = this.#isDamaged || (this.#folder.id === null && failure.kind !== 'missing');
    if (this.#record === null && !isForgotten && this.#outcomes.size === 0) return null;
    const containers = [...this.#outcomes.values()].map((one) =>
      one.outcome === 'left' ? { ...one, why: one.why ?? failure.why } : one,
    );
    return {
      engine: this.#record?.engine.endpoint ?? null,
      containers,
      networks: [],
      volumes: [],
      ports: [],
      unknown: `${this.#unknownThings()}: not known, ${failure.why}`,
    };
  }

  #unknownThings(): string {
    const known = [
      ...(this.#record?.containers ?? []).map(({ id }) => id),
      ...this.#outcomes.keys(),
    ];
    const open = new Set(known.filter((id) => this.#outcomes.get(id)?.outcome !== 'removed')).size;
    if (open > 0) return `${open} container${open === 1 ? '' : 's'}`;
    return known.length === 0 ? 'containers' : 'networks';
  }
}

const KEPT = `a volume that nobody has named holds its data; ${DEVCTL} stop --force removes it`;

const ANOTHER_ENGINE: EngineFailure = {
  kind: 'failed',
  why: 'another engine answers there than the one that ran them',
  hint: '',
};
