import { type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';
import type { ContainersStatus } from '../../containers/report.ts';
import { createSampler } from '../../history/sampler.ts';
import type { Sample } from '../../history/samples.ts';
import { warningInWords } from '../../limits/words.ts';
import type { ManifestQuery } from '../../manifest/locate.ts';
import type { Host } from '../../processes/host.ts';
import { identityKey } from '../../processes/identity.ts';
import { msToTicks } from '../../processes/ticks.ts';
import { openProject, reopenProject } from '../../project/open-project.ts';
import { lookAtProject, type ProjectLook } from '../../tracking/look.ts';
import { listeningSockets } from './listening.ts';
import type { StatusReport } from './report.ts';
import { readContainers, statusOf, withContainers } from './status.ts';
import { type ServiceTree, treesOf } from './tree.ts';
import { openUrlReader, type UrlReader } from './urls.ts';

/** All that the monitor shows, from one look at the project. */
export interface Observation {
  readonly status: StatusReport;
  readonly trees: readonly ServiceTree[];
  readonly sample: Sample;
  /** True when the sample is a new one. A look soon after the last sample, at a change, takes none. */
  readonly sampled: boolean;
  /** The CPU time of each process since the sample before, in percent of one core. */
  readonly cpuByPid: ReadonlyMap<number, number>;
  /**
   * The limits that are exceeded, in words. `of` is the service: of a limit of the project, the service that most of
   * the excess belongs to.
   */
  readonly exceeded: readonly { readonly of: string | null; readonly text: string }[];
}

export interface Observing {
  /** Looks again as soon as possible, because the user waits for a change. */
  wake(): void;
  stop(): void;
  /** Rejects when too many looks in a row have failed. */
  readonly done: Promise<void>;
}

/** The time from one look to the next, in ms. */
const LOOK_EVERY_MS = 1_000;
/** The time from one question about containers to the next, in ms: each takes two processes. */
const CONTAINERS_EVERY_MS = 5_000;
/** The least time between two samples, in ms. CPU time is counted in ticks of 10 ms, which is too coarse for less. */
const SAMPLE_EVERY_MS = 900;
/** The least pause after a look, in ms, because changes of records come in bursts. */
const SHORTEST_LOOK_PAUSE_MS = 100;
/** The number of failed looks in a row after which the observation gives up. */
const MOST_FAILURES = 10;
/** The largest share of the time that is spent on looks, so that the observer does not slow the services down. */
const MOST_SHARE = 0.05;
/** The longest pause that this share may cause, in ms, so that the monitor does not show old data. */
const LONGEST_LOOK_PAUSE_MS = 4_000;

/**
 * Looks at a project once a second, and soon after its records have changed. Like `status`, it asks the process table:
 * it needs no supervisor and keeps none from ending.
 */
export function observeProject(
  host: ObserverHost,
  query: ManifestQuery,
  onObservation: (observation: Observation) => void,
): Observing {
  return new ProjectObserver(host, query, onObservation);
}

type ObserverHost = Pick<Host, 'snapshot' | 'self' | 'nowMs'>;

/** How urgently the next look is wanted: 'soon' after a change of the records, 'now' by the user. */
type Wake = 'no' | 'soon' | 'now';

class ProjectObserver implements Observing {
  readonly done: Promise<void>;
  readonly #host: ObserverHost;
  readonly #query: ManifestQuery;
  readonly #onObservation: (observation: Observation) => void;
  readonly #readUrls: UrlReader;
  readonly #sampler = createSampler({ sample: () => {} });
  #project: ReturnType<typeof openProject>;
  #stopping = false;
  #wanted: Wake = 'no';
  #onWake = (): void => {};
  #watcher: FSWatcher | undefined;
  #failures = 0;
  #usage: Usage | null = null;
  #sample: Sample = { atMs: 0, services: {} };
  #containers: ContainersStatus | null = null;
  #nextContainersMs = 0;

  constructor(
    host: ObserverHost,
    query: ManifestQuery,
    onObservation: (observation: Observation) => void,
  ) {
    this.#host = host;
    this.#query = query;
    this.#onObservation = onObservation;
    this.#project = openProject(query);
    this.#readUrls = openUrlReader(this.#project.folder);
    this.done = this.#observe().finally(() => this.#watcher?.close());
  }

  wake(): void {
    this.#wakeUp('now');
  }

  stop(): void {
    this.#stopping = true;
    this.#onWake();
  }

  async #observe(): Promise<void> {
    while (!this.#stopping) {
      const beganMs = this.#host.nowMs();
      this.#wanted = 'no';
      this.#watchRecords();
      this.#project = reopenProject(this.#query) ?? this.#project;
      const look = await this.#look();
      if (look === null) {
        await this.#pause(LOOK_EVERY_MS, []);
        continue;
      }
      const sampled = this.#takeSample(look);
      const observation = await this.#observation(look, sampled);
      if (this.#stopping) return;
      this.#onObservation(observation);
      const tookMs = this.#host.nowMs() - beganMs;
      const restMs = Math.min(
        LONGEST_LOOK_PAUSE_MS,
        Math.max(SHORTEST_LOOK_PAUSE_MS, tookMs / MOST_SHARE),
      );
      await this.#pause(restMs, ['now']);
      await this.#pause(Math.max(0, LOOK_EVERY_MS - restMs - tookMs), ['soon', 'now']);
    }
  }

  /**
   * @returns null for a failed look. In an emergency a look may fail for want of files or memory, and the next succeed
   * @throws the error of the look after too many failures in a row
   */
  async #look(): Promise<ProjectLook | null> {
    try {
      const look = await lookAtProject(this.#host, this.#project.folder);
      this.#failures = 0;
      return look;
    } catch (error) {
      this.#failures += 1;
      if (this.#failures >= MOST_FAILURES) throw error;
      return null;
    }
  }

  /** @returns true when the look is late enough for a new sample */
  #takeSample(look: ProjectLook): boolean {
    const sample = this.#sampler.onScan(look.snapshot, look.claims);
    const before = this.#usage;
    const isDue = before === null || look.snapshot.takenAtMs - before.takenAtMs >= SAMPLE_EVERY_MS;
    if (isDue) this.#usage = usageOf(look, before);
    // Without a process there is no sample, which is the same as an empty one.
    if (sample) this.#sample = sample;
    else if (isDue) this.#sample = { atMs: Date.now(), services: {} };
    return isDue;
  }

  async #observation(look: ProjectLook, sampled: boolean): Promise<Observation> {
    this.#askForContainers();
    const seen = statusOf(look, this.#project, null, await listeningSockets(look), this.#readUrls);
    const status = withContainers(seen, this.#containers);
    return {
      status,
      trees: treesOf(look, null).services,
      sample: { ...this.#sample, atMs: Date.now() },
      sampled,
      cpuByPid: this.#usage?.cpuByPid ?? new Map(),
      exceeded: status.breaches.map((breach) => ({
        of: breach.service ?? breach.branch?.service ?? null,
        text: warningInWords(breach),
      })),
    };
  }

  /** Asks beside the looks, which never wait for an engine. */
  #askForContainers(): void {
    if (this.#host.nowMs() < this.#nextContainersMs) return;
    this.#nextContainersMs = Number.POSITIVE_INFINITY;
    void readContainers(this.#project)
      .then((containers) => {
        this.#containers = containers;
      })
      .catch(() => {})
      .finally(() => {
        this.#nextContainersMs = this.#host.nowMs() + CONTAINERS_EVERY_MS;
      });
  }

  #watchRecords(): void {
    if (this.#watcher) return;
    try {
      const records = join(this.#project.folder.pidsDir, 'services');
      this.#watcher = watch(records, () => this.#wakeUp('soon'));
      this.#watcher.on('error', () => {
        this.#watcher?.close();
        this.#watcher = undefined;
      });
    } catch {
      // The folder is not there yet, or the system has no watches left. The next look shows a change.
    }
  }

  #wakeUp(how: 'soon' | 'now'): void {
    if (this.#wanted !== 'now') this.#wanted = how;
    this.#onWake();
  }

  /** @param endedBy the wakes that end the pause early */
  #pause(ms: number, endedBy: readonly Wake[]): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#onWake = () => {
        if (!this.#stopping && !endedBy.includes(this.#wanted)) return;
        clearTimeout(timer);
        resolve();
      };
      this.#onWake();
    });
  }
}

/** The CPU time of every process at one sample. */
interface Usage {
  /** Monotonic. */
  readonly takenAtMs: number;
  /** By the identity of each process. */
  readonly cpuTicks: ReadonlyMap<string, number>;
  /** In percent of one core, since the sample before. */
  readonly cpuByPid: ReadonlyMap<number, number>;
}

/** Counts the CPU time since the sample before. A process that is new since then counts with all of its CPU time. */
function usageOf({ claims, snapshot }: ProjectLook, before: Usage | null): Usage {
  const { takenAtMs } = snapshot;
  const cpuTicks = new Map<string, number>();
  const cpuByPid = new Map<number, number>();
  const passedTicks = Math.max(1, msToTicks(takenAtMs - (before?.takenAtMs ?? 0)));
  for (const { process } of claims) {
    const key = identityKey(process.identity);
    cpuTicks.set(key, process.cpuTicks);
    // At the first sample nothing counts, because it is not known when the CPU time was used.
    const used = before ? process.cpuTicks - (before.cpuTicks.get(key) ?? 0) : 0;
    cpuByPid.set(process.identity.pid, (100 * Math.max(0, used)) / passedTicks);
  }
  return { takenAtMs, cpuTicks, cpuByPid };
}
