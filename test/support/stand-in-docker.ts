import { chmodSync, copyFileSync, mkdirSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { repositoryRoot } from './paths.ts';
import { answerOf, type StandInState } from './stand-in-engine.ts';
import type { TemporaryProject } from './temporary-project.ts';

export type { StandInContainer } from './stand-in-engine.ts';

/** A program called docker (fixtures/docker.pl) in front of the PATH, with an engine of its own in this process. */
export interface StandInDocker {
  readonly env: Readonly<Record<string, string>>;
  /** The engine as it is now. */
  state(): StandInState;
  set(change: Partial<StandInState>): void;
  /** Called when containers have been removed, before the docker program hears of it. */
  onRemoved: () => void | Promise<void>;
}

export async function standInDocker(project: TemporaryProject): Promise<StandInDocker> {
  const program = project.file('stand-in/bin/docker');
  mkdirSync(dirname(program), { recursive: true });
  copyFileSync(join(repositoryRoot, 'fixtures', 'docker.pl'), program);
  chmodSync(program, 0o755);
  const state: StandInState = {
    id: `ENGINE-${Math.random()}`,
    asked: [],
    containers: [],
    networks: [],
    volumes: [],
  };
  const server = createServer(
    { allowHalfOpen: true },
    (socket) => void answer(socket, state, () => docker.onRemoved()),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('it listens at a port');
  const docker: StandInDocker = {
    env: {
      PATH: `${dirname(program)}${delimiter}${process.env.PATH ?? ''}`,
      DOCKER_HOST: `tcp://127.0.0.1:${address.port}`,
    },
    state: () => structuredClone(state),
    set: (change) => void Object.assign(state, structuredClone(change)),
    onRemoved: () => {},
  };
  return docker;
}

/** Answers one docker program, as fixtures/docker.pl reads it. A silent engine keeps it waiting. */
async function answer(
  socket: Socket,
  state: StandInState,
  onRemoved: () => void | Promise<void>,
): Promise<void> {
  // A program that was killed has nothing to hear.
  socket.on('error', () => {}).unref();
  const words: Buffer[] = [];
  socket.on('data', (data: Buffer) => words.push(data));
  await new Promise((resolve) => socket.once('end', resolve));
  const args = Buffer.concat(words).toString().split('\0');
  const before = state.containers.length;
  const { code, stdout, stderr } = answerOf(state, args);
  if (state.containers.length < before) await onRemoved();
  const [slow, ms] = state.slow ?? ['', 0];
  if (slow !== '' && args.join(' ').includes(slow)) await delay(ms);
  for (const [stream, text] of [stdout, stderr].entries())
    if (text !== '') socket.write(`${stream + 1} ${Buffer.byteLength(text)}\n${text}`);
  if (code !== null) socket.end(`0 ${code}\n`);
}
