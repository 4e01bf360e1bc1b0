import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const repositoryRoot = fileURLToPath(new URL('../..', import.meta.url));

/** The command that runs a program of `fixtures/`: `fixture('fan', '3')`. */
export function fixture(name: string, ...args: readonly string[]): string[] {
  return [process.execPath, join(repositoryRoot, 'fixtures', `${name}.mjs`), ...args];
}

/** A preload with which a Node program holds the marker file open. */
export const markerPreload = join(repositoryRoot, 'fixtures', 'marker.cjs');
