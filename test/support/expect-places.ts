import { expect } from 'vitest';
import type { Ground, Run } from './places.ts';

/** Stops in both ways in a folder, and checks that no process of these runs ends. */
export async function expectToEndNothing(
  ground: Ground,
  name: string,
  ...runs: readonly Run[]
): Promise<void> {
  const before = runs.map((run) => run.living());
  for (const words of [['stop'], ['stop', '--force']]) {
    const { exitCode, stderr } = await ground.devctl(name, ...words);
    expect(exitCode, stderr).toBe(0);
    expect(runs.map((run) => run.living())).toEqual(before);
  }
}

/** Stops in a folder, and checks that everything of these runs ends, with the proof. */
export async function expectToEnd(
  ground: Ground,
  name: string,
  runs: readonly Run[],
  ...words: readonly string[]
): Promise<void> {
  const { exitCode, stdout, stderr } = await ground.devctl(name, 'stop', ...words);
  expect(exitCode, stdout + stderr).toBe(0);
  expect(runs.flatMap((run) => run.living())).toEqual([]);
}
