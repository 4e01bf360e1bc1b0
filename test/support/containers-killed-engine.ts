import { basename } from 'node:path';
import {
  containerPoints,
  type Kill,
  type KilledScene,
  type KillOutcome,
  killAtEach,
  openKilledScene,
} from './containers-killed.ts';
import { type DockerEngine, IMAGE } from './docker-engine.ts';
import { describePoint, type FaultPoint } from './fault-points.ts';
import { service } from './services.ts';
import { temporaryProject } from './temporary-project.ts';

/** Any text: of all moments only those whose description has it. */
const WHICH = process.env.DEVCTL_TEST_FAULTS ?? '';
/** A stop waits more than it works. */
const LANES = 3;

/** Two containers that are up at once, and end at once. */
const COMPOSE = `
version: "3.8"
services:
  db: {image: ${IMAGE}, init: true, command: [sleep, "100000"], stop_grace_period: 1s}
  cache: {image: ${IMAGE}, init: true, command: [sleep, "100000"], stop_grace_period: 1s, depends_on: [db]}
`;

const QUESTION = /^spawn docker (info|ps|inspect|context inspect|(network|volume) (ls|inspect)) @/;

/**
 * Leaves out what is the same for the engine and on disk as another point: a kill while the engine answers a question, or
 * between two questions. With the stand-in they all are met.
 */
function withoutQuestions(points: readonly FaultPoint[]): readonly FaultPoint[] {
  return points.filter(({ key, edge }, index) => {
    const before = points[index - 1]?.key ?? '';
    return !QUESTION.test(key) || (edge === 'before' && !QUESTION.test(before));
  });
}

/** Starts a container of somebody else, in a network of its own, and returns a description of both as they are now. */
function startTheirs({ docker }: DockerEngine): () => string {
  docker('network', 'create', 'theirs_default');
  const label = ['--label', 'com.docker.compose.project=theirs'];
  const where = ['--name', 'theirs_db_1', '--network', 'theirs_default'];
  docker('run', '-d', '--init', ...where, ...label, IMAGE, 'sleep', '100000');
  const container = '{{.Id}} {{.State.Pid}} {{.State.StartedAt}} {{.RestartCount}}';
  return () =>
    docker('inspect', '-f', container, 'theirs_db_1') +
    docker('network', 'inspect', '-f', '{{.Id}} {{len .Containers}}', 'theirs_default');
}

async function openScene(engine: DockerEngine, theirs: () => string): Promise<KilledScene> {
  const web = service('sleeper', [], { dependsOn: ['db'] });
  // To look for compose takes two boots of Python, and asks the engine nothing.
  const manifest = { services: { web }, containers: { command: 'docker-compose' } };
  const project = await temporaryProject(manifest, { 'compose.yaml': COMPOSE });
  const name = basename(project.root).toLowerCase();
  const filter = ['-q', '--filter', `label=com.docker.compose.project=${name}`];
  const words = (...args: readonly string[]) =>
    engine
      .docker(...args)
      .split('\n')
      .filter(Boolean);
  const before = theirs();
  const ground = {
    env: engine.env,
    left: () => [...words('ps', '-a', ...filter), ...words('network', 'ls', ...filter)],
    isTheirsUntouched: () => theirs() === before,
  };
  return openKilledScene(project, ground, 'alone');
}

/** Kills devctl wherever it speaks with this engine. Afterwards the engine has nothing of it. */
export async function killWithEngine(
  engine: DockerEngine,
): Promise<KillOutcome & { readonly kills: readonly Kill[] }> {
  const theirs = startTheirs(engine);
  const scenes = await Promise.all(Array.from({ length: LANES }, () => openScene(engine, theirs)));
  try {
    const [first] = scenes;
    if (!first) throw new Error('there is a lane');
    const all = await containerPoints(first, ['start', 'stop', 'alone', 'force']);
    const points = withoutQuestions(all.filter(({ phase }) => phase !== 'alone'));
    for (const phase of ['start', 'stop', 'force']) {
      const count = points.filter((point) => point.phase === phase).length;
      if (count < 9) throw new Error(`only ${count} points of ${phase}`);
    }
    const kills = [
      ...points.map((point) => ({ point, after: ['stop'] })),
      // Here the most is at work.
      ...points
        .filter(({ key }) => key.startsWith('spawn docker-compose'))
        .map((point) => ({ point, after: ['stop', '--force'] })),
    ].filter(({ point }) => describePoint(point).includes(WHICH));
    return { ...(await killAtEach(scenes, kills)), kills };
  } finally {
    for (const { project } of scenes) await project[Symbol.asyncDispose]();
    engine.docker('rm', '-f', 'theirs_db_1');
    engine.docker('network', 'rm', 'theirs_default');
  }
}
