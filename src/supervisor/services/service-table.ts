import { inWords } from '../../errors.ts';
import { lastLines as lastOf } from '../../logs/reader.ts';
import { monotonicMs } from '../../processes/clock.ts';
import { writeLegacyFiles } from '../../project/legacy-files.ts';
import { readRecord, writeRecord } from '../../project/records.ts';
import type { ServiceRecord } from '../../project/service-record.ts';
import type { LifecycleEffect, LifecycleEvent } from '../../services/lifecycle/events.ts';
import { idle, isWatched } from '../../services/lifecycle/states.ts';
import { lifecycle } from '../../services/lifecycle/table.ts';
import { probeLiveness, probeReadiness, spawnService } from './effects.ts';
import type { ServiceEntry, ServiceTable, ServiceTableContext } from './entry.ts';
import { withPinnedLog } from './log-access.ts';
import { nextRecord } from './record.ts';
import { respawn } from './respawn.ts';

export function createServiceTable(context: ServiceTableContext): ServiceTable {
  const entries = new Map<string, ServiceEntry>();

  const entry = (name: string): ServiceEntry => {
    const known = entries.get(name);
    if (known) return known;
    const made: ServiceEntry = {
      name,
      state: idle,
      service: null,
      unwanted: false,
      request: null,
      run: 0,
      record: null,
      logFrom: 0,
      spawnedHere: false,
      probed: false,
      probe: null,
      health: null,
      restart: null,
      queue: Promise.resolve(),
    };
    entries.set(name, made);
    return made;
  };

  const dispatch = (name: string, event: LifecycleEvent): Promise<void> => {
    const target = entry(name);
    target.queue = target.queue.then(() => live(target, event));
    return target.queue;
  };

  const live = async (target: ServiceEntry, event: LifecycleEvent): Promise<void> => {
    const { service } = target;
    const now = { nowMs: monotonicMs(), random: Math.random(), terms: service };
    const step = lifecycle(target.state, event, now);
    if (step.refusal?.kind === 'impossible') {
      context.log(`${target.name}: ${event.kind} while ${target.state.kind}: ${step.refusal.why}`);
    }
    target.state = step.state;
    // Not an effect of the event alone: an adopted service gets its liveness probe only from the start
    // that names it.
    tendHealth(target);
    for (const effect of step.effects) {
      try {
        await carryOut(target, effect);
      } catch (error) {
        const why = inWords(error);
        context.log(`${target.name}: ${effect.kind}: ${why}`);
        // Nothing may be spawned without its intent on disk, and each spawn must be answered.
        const endsSpawn = effect.kind === 'spawn' || effect.kind === 'writeRecord';
        if (!endsSpawn || step.state.kind !== 'spawning') continue;
        const { run } = effect;
        void dispatch(target.name, { kind: 'spawnFailed', run, reason: why });
        return;
      }
    }
  };

  const carryOut = async (target: ServiceEntry, effect: LifecycleEffect): Promise<void> => {
    switch (effect.kind) {
      case 'writeRecord': {
        const wasStopping = target.record?.state === 'stopping' && effect.run === target.run;
        target.record = nextRecord(context, target, effect);
        target.run = effect.run;
        // A stop removed this record after proving the process dead. Do not write it back, and do not
        // restart.
        if ((wasStopping || effect.state === 'backoff') && isRemoved(target)) return;
        writeRecord(context.folder, target.record);
        writeLegacyFiles(context.folder, records());
        return;
      }
      case 'spawn':
        await spawnService(context, target, effect.run, dispatch);
        return;
      case 'startProbe':
        void probeReadiness(context, target, effect.run, dispatch).catch((error: unknown) => {
          const reason = `its probe cannot be carried out: ${inWords(error)}`;
          void dispatch(target.name, { kind: 'probeTimedOut', run: effect.run, reason });
        });
        return;
      case 'stopProbe':
        target.probe?.abort();
        target.probe = null;
        return;
      case 'stopTree':
        void endTree(target, effect.run, effect.command);
        return;
      case 'startPause':
        void pause(target, effect.run, effect.ms);
        return;
      case 'leaveTree':
      case 'stopPause':
        target.restart?.abort();
        target.restart = null;
        return;
      case 'tell': {
        const { from, to, reason } = effect;
        const pid = 'leader' in target.state ? (target.state.leader?.pid ?? null) : null;
        const oneShot = target.service?.oneShot ?? false;
        context.onChange({ type: 'change', service: target.name, from, to, reason, pid, oneShot });
      }
    }
  };

  const tendHealth = (target: ServiceEntry): void => {
    const { name, state: life, health, service } = target;
    const live = isWatched(life) ? (service?.live ?? null) : null;
    if (health && (live === null || health.run !== life.run)) {
      health.controller.abort();
      target.health = null;
    }
    if (live === null || target.health) return;
    const { run } = life;
    const over = new AbortController();
    target.health = { run, controller: over };
    probeLiveness(context, target, { run, live, signal: over.signal }, dispatch).catch(
      (error: unknown) =>
        context.log(`${name}: its liveness probe cannot be carried out: ${inWords(error)}`),
    );
  };

  const isRemoved = ({ name }: ServiceEntry): boolean =>
    readRecord(context.folder, name).kind === 'missing';

  /** Ends the processes of a run. No caller waits for it, because the next event must not have to wait. */
  const endTree = async (target: ServiceEntry, run: number, command: boolean): Promise<void> => {
    target.restart?.abort();
    const over = new AbortController();
    target.restart = over;
    const why = await context
      .stopTree(target.name, { command, signal: over.signal })
      .catch((error: unknown) => inWords(error));
    if (over.signal.aborted) return;
    const { name } = target;
    void dispatch(
      name,
      why === null ? { kind: 'stopped', run } : { kind: 'stuck', run, reason: why },
    );
  };

  const pause = async (target: ServiceEntry, run: number, ms: number): Promise<void> => {
    const over = new AbortController();
    target.restart = over;
    try {
      await respawn(context, target, { run, pauseMs: ms, signal: over.signal }, dispatch);
    } catch (error) {
      const reason = `it cannot be started again: ${inWords(error)}`;
      void dispatch(target.name, { kind: 'stuck', run, reason });
    }
  };

  const records = (): readonly ServiceRecord[] =>
    [...entries.values()].flatMap(({ record, state: life }) =>
      record && life.kind !== 'idle' && life.kind !== 'waiting' ? [record] : [],
    );

  const lastLines: ServiceTable['lastLines'] = async (name, count) => {
    const { record, logFrom } = entry(name);
    if (!record) return [];
    return withPinnedLog(context, record, (log) => lastOf(log, count, logFrom)).catch(() => []);
  };

  return { entries, entry, dispatch, records, lastLines };
}
