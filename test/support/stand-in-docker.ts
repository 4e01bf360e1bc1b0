import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fixture } from './paths.ts';
import type { TemporaryProject } from './temporary-project.ts';

/** A container of the stand-in, as `docker inspect` prints it. */
export interface StandInContainer {
  readonly Id: string;
  readonly Name: string;
  readonly Created: string;
  readonly State: object;
  readonly Config: { readonly Image: string; readonly Labels: Readonly<Record<string, string>> };
  readonly Mounts?: readonly object[];
}

interface StandInState {
  readonly id: string;
  /** Command lines, in their order. */
  readonly asked: readonly string[];
  readonly containers: readonly StandInContainer[];
  readonly networks: readonly object[];
  readonly volumes: readonly object[];
  readonly mode?: 'silent' | 'down' | 'denied' | undefined;
  readonly fails?: string | undefined;
  readonly interrupt?: boolean;
  readonly becomes?: Readonly<Record<string, object>>;
  readonly mounts?: Readonly<Record<string, readonly object[]>>;
}

/** A program called docker (fixtures/docker.mjs) in front of the PATH, with an engine of its own. */
export interface StandInDocker {
  readonly env: Readonly<Record<string, string>>;
  state(): StandInState;
  set(change: Partial<StandInState>): void;
}

const NOTHING: StandInState = {
  id: 'ENGINE',
  asked: [],
  containers: [],
  networks: [],
  volumes: [],
};

export function standInDocker(project: TemporaryProject, name = 'engine'): StandInDocker {
  const file = project.write(`stand-in/${name}.json`, JSON.stringify(NOTHING));
  const program = project.write(
    'stand-in/bin/docker',
    `#!/bin/sh\nexec "${process.execPath}" "${fixture('docker')[1]}" "$@"\n`,
  );
  chmodSync(program, 0o755);
  const state = (): StandInState => JSON.parse(readFileSync(file, 'utf8')) as StandInState;
  return {
    env: {
      PATH: `${dirname(program)}${delimiter}${process.env.PATH ?? ''}`,
      STAND_IN: dirname(file),
      DOCKER_HOST: `unix://${join(project.root, name)}.sock`,
    },
    state,
    set: (change) => writeFileSync(file, JSON.stringify({ ...state(), ...change })),
  };
}
