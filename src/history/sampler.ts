import { availableParallelism } from 'node:os';
import type { Claim } from '../ownership/claim.ts';
import { identityKey } from '../processes/identity.ts';
import { livesIn, type ProcessInfo, type Snapshot } from '../processes/snapshot.ts';
import type { Sample } from './samples.ts';
import { SAMPLE_MS } from './samples.ts';
import { type CountedProcess, type CountedScan, isMoving, takeSample } from './usage.ts';
import type { HistoryWriter } from './writer.ts';

/** Takes samples of what services use, from the scans that the witness makes anyway. */
export interface Sampler {
  /**
   * Takes a sample from a scan.
   *
   * @param claims of all processes that are ours in this snapshot
   * @returns null when it is too early for another sample, or there are no processes
   */
  onScan(snapshot: Snapshot, claims: readonly Claim[]): Sample | null;
  /** Tells whether the use of services has changed in the last sample. */
  isMoving(): boolean;
  hasSubscribers(): boolean;
  /**
   * Calls `onSample` with each sample from now on.
   *
   * @returns ends the subscription
   */
  subscribe(onSample: (sample: Sample) => void): () => void;
}

/** Time by which two scans may be too close, so that a scan a little too early does not halve the rate. */
const TOLERANCE_MS = 100;

/** Creates a sampler that writes its samples to the history. */
export function createSampler(writer: Pick<HistoryWriter, 'sample'>): Sampler {
  const listeners = new Set<(sample: Sample) => void>();
  const cores = availableParallelism();
  let before: { readonly scan: CountedScan; readonly takenAtMs: number } | null = null;
  let latest: Sample | null = null;
  let moving = false;

  return {
    onScan(snapshot, claims) {
      const { takenAtMs, nowTicks } = snapshot;
      const passedMs = before ? takenAtMs - before.takenAtMs : Number.POSITIVE_INFINITY;
      if (passedMs < SAMPLE_MS - TOLERANCE_MS) return null;
      const known = before?.scan.processes ?? [];
      const processes = [...count(claims), ...zombiesOf(known, snapshot)];
      // Without processes now and before, a sample would say nothing.
      if (processes.length === 0 && known.length === 0) return null;
      const scan = { atMs: Date.now(), nowTicks, processes };
      const sample = takeSample(before?.scan ?? null, scan, cores);
      moving = isMoving(latest, sample);
      before = { scan, takenAtMs };
      latest = sample;
      writer.sample(sample, passedMs);
      for (const onSample of listeners) onSample(sample);
      return sample;
    },
    isMoving: () => moving,
    hasSubscribers: () => listeners.size > 0,
    subscribe(onSample) {
      listeners.add(onSample);
      return () => listeners.delete(onSample);
    },
  };
}

function count(claims: readonly Claim[]): readonly CountedProcess[] {
  return claims.flatMap(({ service, process }) =>
    service === null ? [] : [toCounted(service, process, false)],
  );
}

/** Finds the processes of the scan before that are dead, and that no parent has waited for yet. */
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
