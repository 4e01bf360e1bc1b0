import { constants } from 'node:os';
import { setTimeout as pass } from 'node:timers/promises';
import type { ServiceChange, SupervisorEvent } from '../../client/protocol.ts';
import { isAlive } from '../../lock/holder.ts';
import { acquireLock } from '../../lock/lock.ts';
import type { ResolvedManifest } from '../../manifest/resolved.ts';
import { monotonicMs } from '../../processes/clock.ts';
import type { Host } from '../../processes/host.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import { readRecord } from '../../project/records.ts';
import type { Exit } from '../../project/service-record.ts';
import type { StateKind } from '../../services/lifecycle/states.ts';
import type { StartResult } from '../start/start.ts';
import { dedupeChanges } from './once.ts';
import type { UpOptions } from './options.ts';
import { type UpVerdict, upEnded } from './verdict.ts';

interface UpWatchContext {
  readonly host: Host;
  readonly folder: ProjectFolder;
  readonly manifest: ResolvedManifest;
  readonly options: UpOptions;
}

/** What an `up` has heard of its services, and whether that ends it. */
export interface UpWatch {
  /** News of the supervisor. */
  hear(event: SupervisorEvent): void;
  /** News of a start: of a change that both tell, its listener hears once. */
  hearStart(change: ServiceChange): void;
  /** How they are by what a start says. */
  noteStarted(services: StartResult['services']): void;
  /** The same of the start that it began with, which is over. */
  noteBegun(services: StartResult['services']): void;
  /** Resolves when no other command is at work, and what that has brought about is heard. */
  whenIdle(): Promise<void>;
  /** Ends it, unless something has before. */
  conclude(verdict: UpVerdict): void;
  /** Null as long as nothing ends it. */
  verdict(): UpVerdict | null;
  readonly ended: Promise<void>;
}

/** Another command that is at work (a restart, say) is waited for before anything is concluded. */
const LOCK_WAIT_MS = 120_000;
const NEWS_MS = 500;

export function watchUp({ host, folder, manifest, options }: UpWatchContext): UpWatch {
  const { names } = options;
  const kinds = new Map<string, StateKind>();
  const exits = new Map<string, Exit | null>();
  const spawnedAt = new Map<string, number>();
  const tellOnce = dedupeChanges(options.listen);
  let begun = false;
  let verdict: UpVerdict | null = null;
  let concluded = (): void => {};
  const ended = new Promise<void>((resolve) => {
    concluded = resolve;
  });
  const conclude = (found: UpVerdict): void => {
    verdict ??= found;
    concluded();
  };
  void options.asked.then(conclude);

  const verdictNow = (): UpVerdict | null => {
    const services = [...kinds].map(([name, kind]) => ({
      name,
      kind,
      exit: exits.get(name) ?? null,
      oneShot: manifest.services[name]?.oneShot ?? false,
    }));
    return upEnded(services, options, begun, signalNumber);
  };
  const isAllStopped = (): boolean => [...kinds.values()].every((kind) => kind === 'idle');
  const judge = (): void => {
    // Its own stop is no news.
    if (verdict) return;
    const found = verdictNow();
    if (!found) return;
    // A restart takes services down as well; what it has brought up by then goes on.
    const isNamedStopped = kinds.get(options.exitCodeFrom ?? '') === 'idle';
    if (begun && (isNamedStopped || isAllStopped())) void whenIdle().then(judgeAgain);
    else conclude(found);
  };
  const judgeAgain = (): void => {
    const found = verdictNow();
    if (isAllStopped()) conclude({ why: 'everything was stopped by another devctl', code: 0 });
    else if (found) conclude(found);
  };
  const whenIdle = async (): Promise<void> => {
    const identity = await host.self();
    const lock = await acquireLock(folder, {
      identity,
      command: 'up',
      isAlive: (holder) => isAlive(host, holder),
      waitMs: LOCK_WAIT_MS,
    });
    if (lock.kind === 'held') lock.release();
    await pass(NEWS_MS);
  };

  const hearChange = (change: ServiceChange): void => {
    const { service, to } = change;
    if (!names.includes(service)) return;
    // Those that end come in the order in which they do.
    kinds.delete(service);
    kinds.set(service, to);
    const record = readRecord(folder, service);
    exits.set(service, record.kind === 'record' ? record.record.exit : null);
    const now = monotonicMs();
    if (to === 'spawning') spawnedAt.set(service, now);
    tellOnce('hold', { ...change, afterMs: Math.round(now - (spawnedAt.get(service) ?? now)) });
    judge();
  };
  /** Of what ran before nothing was heard; of the rest, what was heard may be younger than the result. */
  const noteStarted = (services: StartResult['services']): void => {
    for (const { name, state } of services) if (!kinds.has(name)) kinds.set(name, state);
    judge();
  };
  return {
    hear(event) {
      if (event.type === 'change') hearChange(event);
      else if (event.breach.service === null || names.includes(event.breach.service))
        options.breached(event.breach);
    },
    hearStart: (change) => tellOnce('start', change),
    noteStarted,
    noteBegun(services) {
      begun = true;
      noteStarted(services);
    },
    whenIdle,
    conclude,
    verdict: () => verdict,
    ended,
  };
}

function signalNumber(name: string): number {
  const numbers: Readonly<Record<string, number>> = constants.signals;
  return numbers[name] ?? 0;
}
