import { availableParallelism } from 'node:os';
import type { Claim } from '../ownership/claim.ts';
import { identityKey } from '../processes/identity.ts';
import { livesIn, type ProcessInfo, type Snapshot } from '../processes/snapshot.ts';
import type { Sample } from './samples.ts';
import { SAMPLE_MS } from './samples.ts';
import { type CountedProcess, type CountedScan, isMoving, takeSample } from './usage.ts';
import type { HistoryWriter } from './writer.ts';

/** Takes a sample of what services use from the looks that the witness has anyway. */
export interface Sampler {
  /**
   * @param claims of all processes that are ours in this snapshot
   * @returns null where it is too early for another sample, or there is nothing to tell
   */
  onScan(snapshot: Snapshot, claims: readonly Claim[]): Sample | null;
  /** Did services use more in the last sample than they do when nothing happens? */
  isMoving(): boolean;
  hasSubscribers(): boolean;
  /** Hears each sample from now on, until the answer is called. */
  subscribe(listen: (sample: Sample) => void): () => void;
}

/** Two looks that are a little too close must not halve the rate. */
const TOLERANCE_MS = 100;

export function createSampler(chronicle: Pick<HistoryWriter, 'sample'>): Sampler {
  const listeners = new Set<(sample: Sample) => void>();
  const cores = availableParallelism();
  let before: { readonly look: CountedScan; readonly takenAtMs: number } | null = null;
  let latest: Sample | null = null;
  let moving = false;

  return {
    onScan(snapshot, claims) {
      const { takenAtMs, nowTicks } = snapshot;
      const passedMs = before ? takenAtMs - before.takenAtMs : Number.POSITIVE_INFINITY;
      if (passedMs < SAMPLE_MS - TOLERANCE_MS) return null;
      const known = before?.look.processes ?? [];
      const processes = [...count(claims), ...zombiesOf(known, snapshot)];
      // With nothing there, and nothing there before, there is nothing to tell.
      if (processes.length === 0 && known.length === 0) return null;
      const look = { atMs: Date.now(), nowTicks, processes };
      const sample = takeSample(before?.look ?? null, look, cores);
      moving = isMoving(latest, sample);
      before = { look, takenAtMs };
      latest = sample;
      chronicle.sample(sample, passedMs);
      for (const listen of listeners) listen(sample);
      return sample;
    },
    isMoving: () => moving,
    hasSubscribers: () => listeners.size > 0,
    subscribe(listen) {
      listeners.add(listen);
      return () => listeners.delete(listen);
    },
  };
}

function count(claims: readonly Claim[]): readonly CountedProcess[] {
  return claims.flatMap(({ service, process }) =>
    service === null ? [] : [toCounted(service, process, false)],
  );
}

/** What of those that were there before is dead, and not waited for yet. */
function zombiesOf(
  known: readonly CountedProcess[],
  snapshot: Snapshot,
): readonly CountedProcess[] {
  return known.flatMap(({ key, pid, service }) => {
    const found = snapshot.byPid.get(pid);
    const isIt = found !== undefined && identityKey(found.identity) === key;
    return isIt && !livesIn(snapshot, found.identity) ? [toCounted(service, found, true)] : [];
  });
}

function toCounted(service: string, process: ProcessInfo, gone: boolean): CountedProcess {
  const { identity, ppid, cpuTicks, childTicks = 0, rssBytes } = process;
  return {
    key: identityKey(identity),
    service,
    pid: identity.pid,
    ppid,
    startTicks: identity.startTicks,
    cpuTicks: cpuTicks + childTicks,
    rssBytes,
    gone,
  };
}
