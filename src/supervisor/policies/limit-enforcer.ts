import { lstatSync } from 'node:fs';
import type { LimitsRequest } from '../../client/protocol.ts';
import { inWords } from '../../errors.ts';
import type { Sample } from '../../history/samples.ts';
import { totalOf } from '../../history/usage.ts';
import type { Breach } from '../../limits/breach.ts';
import { removeBreachRecord, writeBreachRecord } from '../../limits/breach-file.ts';
import { createLimitMeter, type LimitMeter } from '../../limits/meter.ts';
import { breachInWords, warningInWords } from '../../limits/words.ts';
import type { Limit } from '../../manifest/resolved.ts';
import type { Claim } from '../../ownership/claim.ts';
import type { Identity } from '../../processes/identity.ts';
import type { Snapshot } from '../../processes/snapshot.ts';
import { ticksToMs } from '../../processes/ticks.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import { rebasePath } from '../../project/place/rebase-path.ts';
import type { ServiceEntry, ServiceTable } from '../services/entry.ts';

export interface LimitEnforcerContext {
  readonly folder: ProjectFolder;
  readonly self: Identity;
  readonly services: Pick<ServiceTable, 'dispatch' | 'entries'>;
  /** Called once for each breach. */
  readonly onBreach: (breach: Breach) => void;
  /** Stops everything, without a command that asked for it. */
  readonly stopAll: (manifest: string, why: string) => Promise<void>;
  readonly log: (line: string) => void;
}

/**
 * Ends or restarts services that exceed their limits, and stops all of them when they exceed the
 * project's.
 */
export interface LimitEnforcer {
  /** Call it with each sample, and with what the sample was made of. */
  onSample(sample: Sample, snapshot: Snapshot, claims: readonly Claim[]): void;
  /** Sets the limits on all services together, as the latest start has them. */
  setProject(limits: LimitsRequest): void;
  /** Follows a move of the project folder. */
  relocate(from: string, to: string): void;
  /** True when a service is so near to a limit that ends it that more scans are worth their price. */
  isNear(): boolean;
  close(): void;
}

export function createLimitEnforcer(context: LimitEnforcerContext): LimitEnforcer {
  return new Enforcer(context);
}

class Enforcer implements LimitEnforcer {
  readonly #context: LimitEnforcerContext;
  /** By service. A new run gets a new meter. */
  readonly #meters = new Map<string, { readonly run: number; readonly meter: LimitMeter }>();
  readonly #projectMeter = createLimitMeter(null);
  #projectLimits: LimitsRequest = { limits: [], manifest: null };
  #stoppingAll = false;
  /** The breaches on disk, as JSON; empty when there are none. */
  #written = '';
  #near = false;

  constructor(context: LimitEnforcerContext) {
    this.#context = context;
  }

  onSample(sample: Sample, snapshot: Snapshot, claims: readonly Claim[]): void {
    const scan: SampledScan = { sample, snapshot, claims: byService(claims) };
    const found: Breach[] = [];
    for (const entry of this.#context.services.entries.values()) {
      const breaches = this.#judgeService(entry, scan);
      if (breaches) found.push(...breaches);
      else this.#meters.delete(entry.name);
    }
    found.push(...this.#judgeProject(sample, snapshot, claims));
    this.#near =
      this.#projectMeter.isNear() || [...this.#meters.values()].some(({ meter }) => meter.isNear());
    // A service that is being ended or restarted shows that as its reason.
    this.#writeBreaches(found.filter(({ action }) => action === 'warn'));
  }

  setProject(limits: LimitsRequest): void {
    this.#projectLimits = limits;
  }

  relocate(from: string, to: string): void {
    const { limits, manifest } = this.#projectLimits;
    this.#projectLimits = { limits, manifest: manifest && rebasePath(manifest, from, to) };
  }

  isNear(): boolean {
    return this.#near;
  }

  close(): void {
    this.#writeBreaches([]);
  }

  /** @returns the exceeded limits; null when there is nothing to measure */
  #judgeService(
    entry: ServiceEntry,
    { sample, snapshot, claims }: SampledScan,
  ): readonly Breach[] | null {
    const { name, state, service, record } = entry;
    const limits = service?.limits ?? [];
    const leader = isUnderWay(entry) && 'leader' in state ? state.leader : null;
    if (limits.length === 0 || leader === null) return null;
    const meter = this.#meterOf(name, state.run);
    const { breaches, fresh } = meter.measure(limits, claims.get(name) ?? [], snapshot, {
      cpuPercent: sample.services[name]?.cpuPercent ?? 0,
      runtimeMs: ticksToMs(Math.max(0, snapshot.nowTicks - leader.startTicks)),
      output: hasIdle(limits) && record ? stateOfLog(record.log) : null,
    });
    for (const breach of fresh) this.#report(breach);
    const acting = fresh.find(({ action }) => action !== 'warn');
    if (acting && acting.action !== 'warn') {
      const { action } = acting;
      const reason = breachInWords(acting);
      const event = { kind: 'limitPassed', run: state.run, reason, action } as const;
      void this.#context.services.dispatch(name, event);
    }
    return breaches;
  }

  #meterOf(name: string, run: number): LimitMeter {
    const known = this.#meters.get(name);
    const meter = known?.run === run ? known.meter : createLimitMeter(name);
    this.#meters.set(name, { run, meter });
    return meter;
  }

  #judgeProject(sample: Sample, snapshot: Snapshot, claims: readonly Claim[]): readonly Breach[] {
    const { limits, manifest } = this.#projectLimits;
    const { cpuPercent } = totalOf(sample);
    const use = { cpuPercent, runtimeMs: 0, output: null };
    const { breaches, fresh } = this.#projectMeter.measure(limits, claims, snapshot, use);
    for (const breach of fresh) this.#report(breach);
    const acting = fresh.find(({ action }) => action === 'stop');
    if (acting && manifest !== null && !this.#stoppingAll) this.#stopAll(manifest, acting);
    return breaches;
  }

  #stopAll(manifest: string, breach: Breach): void {
    this.#stoppingAll = true;
    void this.#context
      .stopAll(manifest, `all services together ${breachInWords(breach)}`)
      .catch((error: unknown) => this.#context.log(`stopping at a limit: ${inWords(error)}`))
      .finally(() => {
        this.#stoppingAll = false;
      });
  }

  #report(breach: Breach): void {
    const action = breach.action === 'warn' ? '' : ` (${breach.action})`;
    this.#context.log(`limit: ${warningInWords(breach)}${action}`);
    this.#context.onBreach(breach);
  }

  /** Writes the exceeded limits to disk for `status`, which does not ask the supervisor. */
  #writeBreaches(breaches: readonly Breach[]): void {
    const { folder, self, log } = this.#context;
    const text = breaches.length > 0 ? JSON.stringify(breaches) : '';
    if (text === this.#written) return;
    try {
      if (breaches.length > 0) writeBreachRecord(folder, { supervisor: self, breaches });
      else removeBreachRecord(folder);
    } catch (error) {
      log(`noting which limits are exceeded: ${inWords(error)}`);
    }
    // Also after an error: one line in the log is enough, and the next change is another attempt.
    this.#written = text;
  }
}

/** A sample, and the scan that it was made of. */
interface SampledScan {
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
