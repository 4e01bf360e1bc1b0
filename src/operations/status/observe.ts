import { type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';
import { createSampler } from '../../history/sampler.ts';
import type { Sample } from '../../history/samples.ts';
import { warningInWords } from '../../limits/words.ts';
import type { ManifestQuery } from '../../manifest/locate.ts';
import type { Host } from '../../processes/host.ts';
import { identityKey } from '../../processes/identity.ts';
import { msToTicks } from '../../processes/ticks.ts';
import { openProject, reopened } from '../../project/open-project.ts';
import { lookAtProject, type ProjectLook } from '../../tracking/look.ts';
import { type StatusReport, statusOf } from './status.ts';
import { type ServiceTree, treesOf } from './tree.ts';

/** What somebody who watches a project is shown, from one look. */
export interface Observation {
  readonly status: StatusReport;
  readonly trees: readonly ServiceTree[];
  readonly sample: Sample;
  /** Is the sample a new one? A look that a change has called for takes none: too little time has passed. */
  readonly sampled: boolean;
  /** Of each process, in percent of one core, since the sample before. */
  readonly cpuByPid: ReadonlyMap<number, number>;
  /** The limits that are exceeded: by whom, or by most of what is beyond that of the project; and in words. */
  readonly exceeded: readonly { readonly of: string | null; readonly text: string }[];
}

export interface Observing {
  /** Looks at once: something has changed that somebody waits for. */
  wake(): void;
  stop(): void;
  /** Rejects when one look after the other fails. */
  readonly done: Promise<void>;
}

const LOOK_MS = 1_000;
/** Ticks are 10 ms: over less than this the share of the processor is chance. */
const SAMPLE_MS = 900;
/** Changes come in showers. */
const GATHER_MS = 100;
/** In a row; then it is no emergency that passes. */
const MOST_FAILURES = 10;
/** Whoever watches must not slow down what he watches: at most this part of the time is spent on looking … */
const MOST_SHARE = 0.05;
/** … unless looking takes very long: what is shown must not be old. */
const LONGEST_REST_MS = 4_000;

/**
 * Looks at a project once a second, and soon after its records have changed. Needs no supervisor, and keeps
 * none from ending: it asks the process table, as `status` does.
 */
export function observeProject(
  host: Pick<Host, 'snapshot' | 'self' | 'nowMs'>,
  query: ManifestQuery,
  hear: (observation: Observation) => void,
): Observing {
  let stopping = false;
  let woken: 'no' | 'soon' | 'now' = 'no';
  let wakeUp = (): void => {};
  let watcher: FSWatcher | undefined;
  let project = openProject(query);
  let usage: Usage | null = null;
  let sample: Sample | null = null;
  let failures = 0;
  let latest: Sample = { atMs: 0, services: {} };
  const sampler = createSampler({ sample: () => {} });
  sampler.watch((taken) => {
    sample = taken;
  });

  const wake = (how: 'soon' | 'now'): void => {
    if (woken !== 'now') woken = how;
    wakeUp();
  };
  const watchRecords = (): void => {
    if (watcher) return;
    try {
      watcher = watch(join(project.folder.pidsDir, 'services'), () => wake('soon'));
      watcher.on('error', () => {
        watcher?.close();
        watcher = undefined;
      });
    } catch {
      // Not there yet, or no watches left: then a change shows with the next look.
    }
  };
  /** @param cut what ends it early */
  const pass = (ms: number, cut: readonly (typeof woken)[]): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      wakeUp = () => {
        if (!stopping && !cut.includes(woken)) return;
        clearTimeout(timer);
        resolve();
      };
      wakeUp();
    });

  /** In an emergency a look may fail for want of files or memory, and the next one succeed. */
  const attempt = async (): Promise<ProjectLook | null> => {
    try {
      const look = await lookAtProject(host, project.folder);
      failures = 0;
      return look;
    } catch (error) {
      failures += 1;
      if (failures >= MOST_FAILURES) throw error;
      return null;
    }
  };

  const observe = async (): Promise<void> => {
    while (!stopping) {
      const beganMs = host.nowMs();
      woken = 'no';
      watchRecords();
      project = reopened(query) ?? project;
      const look = await attempt();
      if (look === null) {
        await pass(LOOK_MS, []);
        continue;
      }
      sample = null;
      sampler.see(look.snapshot, look.claims);
      const isDue = usage === null || look.snapshot.takenAtMs - usage.takenAtMs >= SAMPLE_MS;
      if (isDue) usage = usageOf(look, usage);
      if (stopping) return;
      latest = sample ?? (isDue ? { atMs: Date.now(), services: {} } : latest);
      const status = statusOf(look, project, null);
      hear({
        status,
        trees: treesOf(look, null).services,
        sample: { ...latest, atMs: Date.now() },
        sampled: isDue,
        cpuByPid: usage?.cpuByPid ?? new Map(),
        exceeded: status.breaches.map((breach) => ({
          of: breach.service ?? breach.branch?.service ?? null,
          text: warningInWords(breach),
        })),
      });
      const tookMs = host.nowMs() - beganMs;
      const restMs = Math.min(LONGEST_REST_MS, Math.max(GATHER_MS, tookMs / MOST_SHARE));
      await pass(restMs, ['now']);
      await pass(Math.max(0, LOOK_MS - restMs - tookMs), ['soon', 'now']);
    }
  };

  const done = observe().finally(() => watcher?.close());
  return {
    done,
    wake: () => wake('now'),
    stop() {
      stopping = true;
      wakeUp();
    },
  };
}

interface Usage {
  /** Monotonic. */
  readonly takenAtMs: number;
  /** Of each process by its identity. */
  readonly cpuTicks: ReadonlyMap<string, number>;
  readonly cpuByPid: ReadonlyMap<number, number>;
}

/** What each process has used since the look before; a new one all that it ever used. */
function usageOf({ claims, snapshot }: ProjectLook, before: Usage | null): Usage {
  const { takenAtMs } = snapshot;
  const cpuTicks = new Map<string, number>();
  const cpuByPid = new Map<number, number>();
  const passedTicks = Math.max(1, msToTicks(takenAtMs - (before?.takenAtMs ?? 0)));
  for (const { process } of claims) {
    const key = identityKey(process.identity);
    cpuTicks.set(key, process.cpuTicks);
    // What was used before the first look is nobody's present.
    const used = before ? process.cpuTicks - (before.cpuTicks.get(key) ?? 0) : 0;
    cpuByPid.set(process.identity.pid, (100 * Math.max(0, used)) / passedTicks);
  }
  return { takenAtMs, cpuTicks, cpuByPid };
}
