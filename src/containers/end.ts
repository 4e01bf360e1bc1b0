import { setTimeout as delay } from 'node:timers/promises';
import { stopWaves } from '../manifest/dependency-order.ts';
import type { Engine, EngineFailure } from './engine.ts';
import type { EngineContainer } from './inspect.ts';
import type { RecordedComposeService } from './record.ts';

/** The way in which containers are asked to end. */
export interface EndOptions {
  /** Their compose services, by the record. */
  readonly services: readonly RecordedComposeService[];
  /** Replaces the grace period of each container, in ms; null: its own. */
  readonly graceMs: number | null;
  /** Becomes true when the user asks a second time: then the engine kills them. */
  readonly forced: () => boolean;
}

/** The grace period of an engine whose container has none of its own, in ms. */
const ENGINE_GRACE_MS = 10_000;

/** Time that an engine has beyond a grace period, in ms. */
const BEYOND_GRACE_MS = 10_000;

/**
 * Asks containers to end, each after those that depend on it, and each with its own grace period.
 *
 * @returns the last thing that the engine refused
 */
export async function endContainers(
  engine: Engine,
  containers: readonly EngineContainer[],
  options: EndOptions,
): Promise<EngineFailure | null> {
  let failure: EngineFailure | null = null;
  for (const wave of wavesOf(containers, options.services))
    failure = (await endWave(engine, wave.filter(isRunning), options)) ?? failure;
  return failure;
}

export function isRunning({ state }: EngineContainer): boolean {
  return state !== 'exited' && state !== 'created' && state !== 'dead';
}

function wavesOf(
  containers: readonly EngineContainer[],
  services: EndOptions['services'],
): readonly (readonly EngineContainer[])[] {
  const graph = new Map(services.map(({ name, dependsOn }) => [name, dependsOn]));
  const names = containers.map(({ service, name }) => service ?? name);
  return stopWaves(names, graph).map((wave) =>
    containers.filter(({ service, name }) => wave.includes(service ?? name)),
  );
}

/** Asks containers to end, all at once. The engine kills each after its grace period. */
async function endWave(
  engine: Engine,
  containers: readonly EngineContainer[],
  options: EndOptions,
): Promise<EngineFailure | null> {
  if (containers.length === 0) return null;
  let isOver = false;
  const stops = Promise.all(
    containers.map((container) => {
      const graceMs = graceOf(container, options);
      const time = graceMs === null ? [] : ['-t', String(Math.ceil(graceMs / 1000))];
      const limitMs =
        (graceMs ?? (container.stopTimeoutS ?? ENGINE_GRACE_MS / 1000) * 1000) + BEYOND_GRACE_MS;
      return engine.act(['stop', ...time, container.id], { limitMs });
    }),
  ).finally(() => {
    isOver = true;
  });
  // A second Ctrl-C means: now.
  void killWhenForced(engine, containers, options.forced, () => isOver);
  const failures = (await stops).flatMap((answer) =>
    answer.kind === 'failure' ? [answer.failure] : [],
  );
  return failures.at(-1) ?? null;
}

async function killWhenForced(
  engine: Engine,
  containers: readonly EngineContainer[],
  forced: () => boolean,
  isOver: () => boolean,
): Promise<void> {
  while (!isOver()) {
    if (forced()) {
      await engine.act(['kill', ...containers.map(({ id }) => id)]);
      return;
    }
    await delay(100);
  }
}

function graceOf({ service }: EngineContainer, { services, graceMs }: EndOptions): number | null {
  const recorded = services.find(({ name }) => name === service);
  return graceMs ?? recorded?.graceMs ?? null;
}
