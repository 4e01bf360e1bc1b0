import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { noteChild } from '../../processes/own-children.ts';

/** A child, or why there is none. */
export interface Spawned {
  /** Null where it was refused at once. */
  readonly child: ChildProcess | null;
  /** Resolves with the error when there is no process; never resolves otherwise. */
  readonly failure: Promise<unknown>;
}

/**
 * Spawns with Node's own means, for what is resident: execa keeps 8 MB, and what it adds is not wanted here.
 * Never throws. spawn(2) itself may fail at once (E2BIG) or by an event (ENOENT); here it is the same.
 */
export function spawnChild(file: string, args: readonly string[], options: SpawnOptions): Spawned {
  try {
    const child = noteChild(spawn(file, args, options));
    return { child, failure: new Promise((resolve) => child.on('error', resolve)) };
  } catch (error) {
    return { child: null, failure: Promise.resolve(error) };
  }
}
