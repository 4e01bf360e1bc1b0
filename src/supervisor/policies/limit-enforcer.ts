import { lstatSync } from 'node:fs';
import type { LimitsRequest } from '../../client/protocol.ts';
import { inWords } from '../../errors.ts';
import type { Sample } from '../../history/samples.ts';
import { totalOf } from '../../history/usage.ts';
import { removeBreachRecord, writeBreachRecord } from '../../limits/breach-file.ts';
import type { Breach } from '../../limits/evaluate.ts';
import { createLimitMeter, type LimitMeter } from '../../limits/meter.ts';
import { breachInWords, warningInWords } from '../../limits/words.ts';
import type { Limit } from '../../manifest/resolved.ts';
import type { Claim } from '../../ownership/claim.ts';
import type { Identity } from '../../processes/identity.ts';
import type { Snapshot } from '../../processes/snapshot.ts';
import { ticksToMs } from '../../processes/ticks.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import type { ServiceEntry, ServiceTable } from '../services/entry.ts';

export interface LimitEnforcerContext {
  readonly folder: ProjectFolder;
  readonly self: Identity;
  readonly lives: Pick<ServiceTable, 'dispatch' | 'entries'>;
  /** Told of each breach once. */
  readonly tell: (breach: Breach) => void;
  /** Stops everything, as nobody has asked for. */
  readonly stopAll: (manifest: string, why: string) => Promise<void>;
  readonly log: (line: string) => void;
}

/** Keeps services, and all of them together, to what they may use. */
export interface LimitEnforcer {
  /** To be called with each sample, and what it was made of. */
  see(sample: Sample, snapshot: Snapshot, claims: readonly Claim[]): void;
  /** On everything together, as the latest start has it. */
  setProject(limits: LimitsRequest): void;
  /** Is something so near to a limit that ends it that more looks are worth their price? */
  isNear(): boolean;
  close(): void;
}

export function createLimitEnforcer(context: LimitEnforcerContext): LimitEnforcer {
  const { folder, self, lives, log } = context;
  const trees = new Map<string, { readonly run: number; readonly tree: LimitMeter }>();
  const project = createLimitMeter(null);
  let projectLimits: LimitsRequest = { limits: [], manifest: null };
  let stopping = false;
  let written = '';
  let near = false;

  const judgeService = (
    entry: ServiceEntry,
    { sample, snapshot, claims }: Look,
  ): readonly Breach[] | null => {
    const { name, state: life, service, record } = entry;
    const limits = service?.limits ?? [];
    const leader = isUnderWay(entry) && 'leader' in life ? life.leader : null;
    if (limits.length === 0 || leader === null) return null;
    const known = trees.get(name);
    const tree = known?.run === life.run ? known.tree : createLimitMeter(name);
    trees.set(name, { run: life.run, tree });
    const { breaches, fresh } = tree.judge(limits, claims.get(name) ?? [], snapshot, {
      cpuPercent: sample.services[name]?.cpuPercent ?? 0,
      runtimeMs: ticksToMs(Math.max(0, snapshot.nowTicks - leader.startTicks)),
      output: hasIdle(limits) && record ? stateOfLog(record.log) : null,
    });
    for (const breach of fresh) tell(breach);
    const acting = fresh.find(({ action }) => action !== 'warn');
    if (acting && acting.action !== 'warn') {
      const { action } = acting;
      const reason = breachInWords(acting);
      void lives.dispatch(name, { kind: 'limitPassed', run: life.run, reason, action });
    }
    return breaches;
  };

  const judgeProject = (sample: Sample, snapshot: Snapshot, claims: readonly Claim[]) => {
    const { limits, manifest } = projectLimits;
    const { cpuPercent } = totalOf(sample);
    const use = { cpuPercent, runtimeMs: 0, output: null };
    const { breaches, fresh } = project.judge(limits, claims, snapshot, use);
    for (const breach of fresh) tell(breach);
    const acting = fresh.find(({ action }) => action === 'stop');
    if (acting && manifest !== null && !stopping) {
      stopping = true;
      void context
        .stopAll(manifest, `all services together ${breachInWords(acting)}`)
        .catch((error: unknown) => log(`stopping at a limit: ${inWords(error)}`))
        .finally(() => {
          stopping = false;
        });
    }
    return breaches;
  };

  const tell = (breach: Breach): void => {
    const what = breach.action === 'warn' ? '' : ` (${breach.action})`;
    log(`limit: ${warningInWords(breach)}${what}`);
    context.tell(breach);
  };

  /** For `status`, which asks nobody. */
  const keep = (breaches: readonly Breach[]): void => {
    const text = breaches.length > 0 ? JSON.stringify(breaches) : '';
    if (text === written) return;
    try {
      if (breaches.length > 0) writeBreachRecord(folder, { supervisor: self, breaches });
      else removeBreachRecord(folder);
      written = text;
    } catch (error) {
      log(`noting which limits are exceeded: ${inWords(error)}`);
      // Once is enough: with the next change it is tried again.
      written = text;
    }
  };

  return {
    see(sample, snapshot, claims) {
      const look: Look = { sample, snapshot, claims: byService(claims) };
      const found: Breach[] = [];
      for (const entry of lives.entries.values()) {
        const breaches = judgeService(entry, look);
        if (breaches) found.push(...breaches);
        else trees.delete(entry.name);
      }
      found.push(...judgeProject(sample, snapshot, claims));
      near = project.isNear() || [...trees.values()].some(({ tree }) => tree.isNear());
      // What is being acted upon has a reason of its own to show.
      keep(found.filter(({ action }) => action === 'warn'));
    },
    setProject(limits) {
      projectLimits = limits;
    },
    isNear: () => near,
    close() {
      keep([]);
    },
  };
}

interface Look {
  readonly sample: Sample;
  readonly snapshot: Snapshot;
  readonly claims: ReadonlyMap<string, readonly Claim[]>;
}

function byService(claims: readonly Claim[]): ReadonlyMap<string, readonly Claim[]> {
  const found = new Map<string, Claim[]>();
  for (const claim of claims) {
    if (claim.service === null) continue;
    const known = found.get(claim.service);
    if (known) known.push(claim);
    else found.set(claim.service, [claim]);
  }
  return found;
}

function isUnderWay({ state: { kind } }: ServiceEntry): boolean {
  return kind === 'starting' || kind === 'running' || kind === 'ready' || kind === 'unhealthy';
}

function hasIdle(limits: readonly Limit[]): boolean {
  return limits.some(({ kind }) => kind === 'idle');
}

function stateOfLog(path: string): string | null {
  try {
    const { size, mtimeMs } = lstatSync(path);
    return `${size} ${mtimeMs}`;
  } catch {
    return null;
  }
}
