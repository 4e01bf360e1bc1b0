import * as fc from 'fast-check';
import { expect } from 'vitest';
import {
  containerPoints,
  type KilledScene,
  killAtEach,
  openKilledScene,
  type Phase,
} from '../support/containers-killed.ts';
import { describePoint, type FaultPoint } from '../support/fault-points.ts';
import { service } from '../support/services.ts';
import { bothTest, isFull } from '../support/sets.ts';
import { type StandInContainer, standInDocker } from '../support/stand-in-docker.ts';
import { temporaryProject } from '../support/temporary-project.ts';

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

/** The commands from which moments are taken, in an order in which each finds what it needs. */
const PHASES: readonly Phase[] = isFull
  ? ['start', 'stop', 'start', 'force', 'start', 'inside']
  : ['start', 'stop'];

async function openScene(): Promise<KilledScene> {
  const web = service('sleeper', [], { dependsOn: ['db'] });
  const compose = 'services:\n  db: {image: x}\n  cache: {image: x, depends_on: [db]}\n';
  const manifest = { services: { web }, containers: {} };
  const project = await temporaryProject(manifest, { 'compose.yaml': compose });
  const docker = await standInDocker(project);
  docker.set({ containers: [THEIRS] });
  return openKilledScene(project, {
    env: docker.env,
    left() {
      const { containers, networks } = docker.state();
      return [...containers.slice(1), ...networks].map(({ Name }) => Name);
    },
    isTheirsUntouched: () =>
      JSON.stringify(docker.state().containers[0]) === JSON.stringify(THEIRS),
  });
}

function chosenFrom(points: readonly FaultPoint[]): readonly FaultPoint[] {
  if (isFull) return points.filter((point) => describePoint(point).includes(WHICH));
  const subset = fc.shuffledSubarray([...points], { minLength: SAMPLE, maxLength: SAMPLE });
  return fc.sample(subset, { seed: SEED, numRuns: 1 })[0] ?? [];
}

bothTest(
  'devctl is killed wherever it speaks with a container engine: one stop leaves nothing of ours, and all that is not',
  { timeout: 1_800_000 },
  async () => {
    const scenes = await Promise.all(Array.from({ length: isFull ? LANES : 1 }, openScene));
    try {
      const [first] = scenes;
      if (!first) return;
      const points = chosenFrom(await containerPoints(first, PHASES));
      const kills = points.map((point) => ({ point, after: ['stop'] }));
      const { failures, missed } = await killAtEach(scenes, kills);
      expect(failures.join('\n\n'), `DEVCTL_TEST_SEED=${SEED}`).toBe('');
      expect(missed.length, missed.join('\n')).toBeLessThanOrEqual(Math.ceil(points.length / 3));
    } finally {
      for (const { project } of scenes) await project[Symbol.asyncDispose]();
    }
  },
);
