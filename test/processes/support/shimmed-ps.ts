import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/**
 * Puts a shell script in the place of `ps` until the test is over.
 *
 * @param prelude what the script does before it runs the real one
 * @returns the environment in which it is found
 */
export async function shimmedPs(prelude: string): Promise<NodeJS.ProcessEnv> {
  const folder = await mkdtemp(join(tmpdir(), 'devctl-ps-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const script = `#!/bin/sh\n${prelude}\nPATH="$REAL_PATH" exec ps "$@"\n`;
  await writeFile(join(folder, 'ps'), script, { mode: 0o755 });
  return { PATH: `${folder}:${process.env.PATH}`, REAL_PATH: process.env.PATH };
}

/** A `ps` that knows no process groups: what is left is pid, parent and name. */
export function barePs(): Promise<NodeJS.ProcessEnv> {
  return shimmedPs('case "$*" in *pgid=*) echo "ps: pgid: keyword not found" >&2; exit 1;; esac');
}
