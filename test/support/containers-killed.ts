import { existsSync, readFileSync, rmSync } from 'node:fs';
import { expect } from 'vitest';
import { type DevctlResult, devctlWith } from './devctl.ts';
import {
  describePoint,
  type Effect,
  type FaultPoint,
  type Faults,
  faultPoints,
  openFaults,
} from './fault-points.ts';
import { supervisorsOf } from './services.ts';
import type { TemporaryProject } from './temporary-project.ts';
import { until } from './until.ts';

/** 'alone': a start of the containers alone. 'inside': a stop from within a service, which the supervisor carries out. */
export type Phase = 'start' | 'alone' | 'stop' | 'force' | 'inside';

const WORDS: Readonly<Record<Phase, readonly string[]>> = {
  start: ['start'],
  alone: ['start', '--containers'],
  stop: ['stop'],
  force: ['stop', '--force'],
  inside: ['stop'],
};

/** The engine of a scene. */
export interface KilledEngine {
  readonly env: Readonly<Record<string, string>>;
  /** Names what the engine has of the project: containers and networks. */
  left(): readonly string[];
  /** True while the things of somebody else on the engine are as they were. */
  isTheirsUntouched(): boolean;
}

/** A project with the service `web`, which needs the container `db`, and its engine. */
export interface KilledScene {
  readonly project: TemporaryProject;
  readonly engine: KilledEngine;
  readonly faults: Faults;
  /** The start before a forced stop. */
  readonly beforeForce: Phase;
}

/** A kill, and the command that must leave nothing after it. */
export interface Kill {
  readonly point: FaultPoint;
  readonly after: readonly string[];
}

export interface KillOutcome {
  readonly failures: readonly string[];
  /** Descriptions of points that no attempt has met. */
  readonly missed: readonly string[];
}

export function openKilledScene(
  project: TemporaryProject,
  engine: KilledEngine,
  beforeForce: Phase = 'start',
): KilledScene {
  return { project, engine, faults: openFaults(project), beforeForce };
}

/** Finds the points that concern containers: questions to the engine, compose, and what is written down. */
export async function containerPoints(
  scene: KilledScene,
  phases: readonly Phase[],
): Promise<readonly FaultPoint[]> {
  for (const phase of phases) {
    scene.faults.record(phase);
    const { exitCode, stderr } = await whileUnanswered(() => run(scene, phase));
    if (phase !== 'inside') expect(exitCode, stderr).toBe(0);
    else await until(() => scene.project.oracle.everything().length === 0);
    scene.faults.disarm();
  }
  const isOfContainers = ({ label }: Effect) => /docker|containers|compose/.test(label);
  const effects = scene.faults.effects().filter(isOfContainers);
  for (const phase of phases)
    expect(effects.filter((one) => one.phase === phase).length, phase).toBeGreaterThan(5);
  return faultPoints(effects, { all: false, variations: [] });
}

/** Kills devctl at each point, in several scenes at once. */
export async function killAtEach(
  scenes: readonly KilledScene[],
  kills: readonly Kill[],
): Promise<KillOutcome> {
  const outcome = { failures: [] as string[], missed: [] as string[] };
  const rest = [...kills];
  const lane = async (scene: KilledScene): Promise<void> => {
    for (let kill = rest.shift(); kill; kill = rest.shift()) {
      const name = `${describePoint(kill.point)}, then ${kill.after.join(' ')}`;
      let complaints: readonly string[] | null = null;
      for (let attempt = 0; attempt < ATTEMPTS && complaints === null; attempt += 1)
        complaints = await suffer(scene, kill).catch((error: unknown) => [String(error)]);
      if (complaints === null) outcome.missed.push(name);
      else if (complaints.length > 0)
        outcome.failures.push(`${name}\n  ${complaints.join('\n  ')}`);
      await until(() => scene.project.oracle.everything().length === 0);
    }
  };
  await Promise.all(scenes.map(lane));
  return outcome;
}

/** Timing decides how often the engine is asked, so that a moment comes in few runs only. */
const ATTEMPTS = 2;

/** @returns null where the point was not met */
async function suffer(
  scene: KilledScene,
  { point, after }: Kill,
): Promise<readonly string[] | null> {
  const { project, engine, faults } = scene;
  if (point.phase !== 'start') {
    const before = point.phase === 'force' ? scene.beforeForce : 'start';
    const start = await whileUnanswered(() => run(scene, before));
    if (start.exitCode !== 0) return [`the start before exits ${start.exitCode}: ${start.stderr}`];
  }
  // The name of the compose project is written once.
  if (point.key.includes('containers-name'))
    rmSync(project.file('.pids/containers-name.json'), { force: true });
  faults.arm(point);
  await run(scene, point.phase as Phase);
  // The supervisor may have some last effects after the command has ended.
  if (point.role === 'supervisor')
    await until(() => faults.hasStruck() || supervisorsOf(project).length === 0);
  faults.disarm();
  const hasStruck = faults.hasStruck();
  const stop = await whileUnanswered(() => devctlWith(project, { env: engine.env }, ...after));
  if (!hasStruck) return null;
  const left = engine.left();
  const processes = project.oracle.everything();
  return [
    ...(stop.exitCode === 0 ? [] : [`it exits ${stop.exitCode}: ${stop.stdout}${stop.stderr}`]),
    ...(left.length === 0 ? [] : [`left on the engine: ${left.join(' ')}`]),
    ...(processes.length === 0 ? [] : [`left: ${processes.map(({ argv }) => argv.join(' '))}`]),
    ...(engine.isTheirsUntouched() ? [] : ['theirs was touched']),
    ...(existsSync(project.file('.pids/containers.json')) ? ['the record is left'] : []),
  ];
}

/** Runs a command again where the engine needs more than its 3 s for the first answer, as on a busy machine. */
async function whileUnanswered(command: () => Promise<DevctlResult>): Promise<DevctlResult> {
  let result = await command();
  for (
    let again = 0;
    again < 3 && /does not answer/.test(result.stdout + result.stderr);
    again += 1
  )
    result = await command();
  return result;
}

function run({ project, engine, faults }: KilledScene, phase: Phase): Promise<DevctlResult> {
  const within = phase === 'inside' ? cookieOf(project) : {};
  return devctlWith(project, { env: { ...engine.env, ...within, ...faults.env } }, ...WORDS[phase]);
}

/** The variables that make a command one from within a service: the supervisor carries out its stop. */
function cookieOf(project: TemporaryProject): Readonly<Record<string, string>> {
  const { runId } = JSON.parse(readFileSync(project.file('.pids/services/web.json'), 'utf8'));
  const { environment = [] } =
    project.oracle.processes().find((one) => one.environment.includes(`DEVCTL_RUN=${runId}`)) ?? {};
  const own = environment.filter((entry) => /^(TURBO_)?DEVCTL_/.test(entry));
  return Object.fromEntries(own.map((entry) => entry.split(/=(.*)/s).slice(0, 2)));
}
