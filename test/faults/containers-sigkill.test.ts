import { existsSync, readFileSync, rmSync } from 'node:fs';
import * as fc from 'fast-check';
import { expect } from 'vitest';
import { type DevctlResult, devctlWith } from '../support/devctl.ts';
import {
  describePoint,
  type Effect,
  type FaultPoint,
  type Faults,
  faultPoints,
  openFaults,
} from '../support/fault-points.ts';
import { service, supervisorsOf } from '../support/services.ts';
import { bothTest, isFull } from '../support/sets.ts';
import {
  type StandInContainer,
  type StandInDocker,
  standInDocker,
} from '../support/stand-in-docker.ts';
import { type TemporaryProject, temporaryProject } from '../support/temporary-project.ts';
import { until } from '../support/until.ts';

/** Any text: of all moments only those whose description has it. */
const WHICH = process.env.DEVCTL_TEST_FAULTS ?? '';
/** The seed of the sample that `npm test` takes; a failure shows it. */
const SEED = Number(process.env.DEVCTL_TEST_SEED ?? Date.now() % 100_000);
const SAMPLE = 2;
/** A stop waits more than it works. */
const LANES = 3;

/** A container of somebody else on the same engine. */
const THEIRS: StandInContainer = {
  Id: 'b'.repeat(64),
  Name: '/theirs_db_1',
  Created: '2026-01-01T00:00:00Z',
  State: { Status: 'running' },
  Config: {
    Image: 'x',
    Labels: { 'com.docker.compose.project': 'theirs', 'com.docker.compose.service': 'db' },
  },
};

type Phase = 'start' | 'stop' | 'force' | 'inside';

/** The commands from which moments are taken, in an order in which each finds what it needs. */
const PHASES: readonly Phase[] = isFull
  ? ['start', 'stop', 'start', 'force', 'start', 'inside']
  : ['start', 'stop'];

interface Scene {
  readonly project: TemporaryProject;
  readonly docker: StandInDocker;
  readonly faults: Faults;
}

async function openScene(): Promise<Scene> {
  const web = service('sleeper', [], { dependsOn: ['db'] });
  const compose = 'services:\n  db: {image: x}\n  cache: {image: x, depends_on: [db]}\n';
  const manifest = { services: { web }, containers: {} };
  const project = await temporaryProject(manifest, { 'compose.yaml': compose });
  const docker = await standInDocker(project);
  docker.set({ containers: [THEIRS] });
  return { project, docker, faults: openFaults(project) };
}

function run({ project, docker, faults }: Scene, phase: Phase): Promise<DevctlResult> {
  const words = phase === 'start' ? ['start'] : phase === 'force' ? ['stop', '--force'] : ['stop'];
  const within = phase === 'inside' ? cookieOf(project) : {};
  return devctlWith(project, { env: { ...docker.env, ...within, ...faults.env } }, ...words);
}

/** The variables that make a command one from within a service: the supervisor carries out its stop. */
function cookieOf(project: TemporaryProject): Readonly<Record<string, string>> {
  const { runId } = JSON.parse(readFileSync(project.file('.pids/services/web.json'), 'utf8'));
  const { environment = [] } =
    project.oracle.processes().find((one) => one.environment.includes(`DEVCTL_RUN=${runId}`)) ?? {};
  const own = environment.filter((entry) => /^(TURBO_)?DEVCTL_/.test(entry));
  return Object.fromEntries(own.map((entry) => entry.split(/=(.*)/s).slice(0, 2)));
}

/** Records what concerns containers: questions to the engine, compose, and what is written down. */
async function recordEffects(scene: Scene): Promise<readonly Effect[]> {
  for (const phase of PHASES) {
    scene.faults.record(phase);
    const { exitCode, stderr } = await run(scene, phase);
    if (phase !== 'inside') expect(exitCode, stderr).toBe(0);
    else await until(() => scene.project.oracle.everything().length === 0);
    scene.faults.disarm();
  }
  return scene.faults.effects().filter(({ label }) => /docker|containers|compose/.test(label));
}

/** Has devctl killed at a point; one stop must leave nothing of ours, and what is not ours. */
async function suffer(scene: Scene, point: FaultPoint): Promise<readonly string[] | null> {
  const { project, docker, faults } = scene;
  if (point.phase !== 'start') {
    const start = await run(scene, 'start');
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
  const stop = await devctlWith(project, { env: docker.env }, 'stop');
  if (!hasStruck) return null;
  const { containers, networks } = docker.state();
  const left = [...containers.slice(1), ...networks];
  const processes = project.oracle.everything();
  return [
    ...(stop.exitCode === 0 ? [] : [`stop exits ${stop.exitCode}: ${stop.stdout}${stop.stderr}`]),
    ...(left.length === 0 ? [] : [`left on the engine: ${JSON.stringify(left)}`]),
    ...(processes.length === 0 ? [] : [`left: ${processes.map(({ argv }) => argv.join(' '))}`]),
    ...(JSON.stringify(containers[0]) === JSON.stringify(THEIRS) ? [] : ['theirs was touched']),
    ...(existsSync(project.file('.pids/containers.json')) ? ['the record is left'] : []),
  ];
}

function chosenFrom(points: readonly FaultPoint[]): readonly FaultPoint[] {
  if (isFull) return points.filter((point) => describePoint(point).includes(WHICH));
  const subset = fc.shuffledSubarray([...points], { minLength: SAMPLE, maxLength: SAMPLE });
  return fc.sample(subset, { seed: SEED, numRuns: 1 })[0] ?? [];
}

interface Outcome {
  readonly failures: string[];
  missed: number;
}

/** Takes points off the list until it is empty. */
async function runLane(scene: Scene, points: FaultPoint[], outcome: Outcome): Promise<void> {
  for (let point = points.shift(); point; point = points.shift()) {
    const complaints = await suffer(scene, point);
    if (complaints === null) outcome.missed += 1;
    else if (complaints.length > 0)
      outcome.failures.push(`${describePoint(point)}\n  ${complaints.join('\n  ')}`);
    await until(() => scene.project.oracle.everything().length === 0);
  }
}

bothTest(
  'devctl is killed wherever it speaks with a container engine: one stop leaves nothing of ours, and all that is not',
  { timeout: 1_800_000 },
  async () => {
    const scenes = await Promise.all(Array.from({ length: isFull ? LANES : 1 }, openScene));
    try {
      const [first] = scenes;
      if (!first) return;
      const effects = await recordEffects(first);
      for (const phase of PHASES)
        expect(effects.filter((one) => one.phase === phase).length, phase).toBeGreaterThan(5);
      const points = [...chosenFrom(faultPoints(effects, { all: false, variations: [] }))];
      const most = Math.ceil(points.length / 3);
      const outcome: Outcome = { failures: [], missed: 0 };
      await Promise.all(scenes.map((scene) => runLane(scene, points, outcome)));
      expect(outcome.failures.join('\n\n'), `DEVCTL_TEST_SEED=${SEED}`).toBe('');
      expect(outcome.missed).toBeLessThanOrEqual(most);
    } finally {
      for (const { project } of scenes) await project[Symbol.asyncDispose]();
    }
  },
);
