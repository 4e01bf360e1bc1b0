import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { endProcesses } from './end-processes.ts';
import { openOracle } from './oracle.ts';
import { RUN_VARIABLE, runFolder } from './run-folder.ts';
import { describeSeen, type SeenProcess } from './seen-process.ts';

/** How long what is just exiting may take, in milliseconds. */
const GRACE_MS = 5_000;

/**
 * vitest's globalSetup: marks everything that the run will start, and at the end looks who is left.
 *
 * @returns the teardown, which ends every leftover and then fails the run by naming them.
 */
export default function setup(): () => Promise<void> {
  const run = randomBytes(4).toString('hex');
  const folder = runFolder(run);
  process.env[RUN_VARIABLE] = run;
  const oracle = openOracle({ folders: [folder], environment: [`${RUN_VARIABLE}=${run}`] });
  // vitest's own workers and vite's helpers are children of this process; tests live below those.
  const leftovers = () => oracle.everything().filter((one) => one.ppid !== process.pid);

  return async () => {
    const left = await waitForNone(leftovers);
    const ended = left.length > 0 ? await endProcesses(leftovers) : [];
    rmSync(folder, { recursive: true, force: true });
    if (ended.length === 0) return;
    // vitest only logs what a teardown throws.
    process.exitCode = 1;
    const lines = ended.map(describeSeen).join('\n');
    throw new Error(`The tests left ${ended.length} processes running (ended now):\n${lines}`);
  };
}

async function waitForNone(look: () => SeenProcess[]): Promise<SeenProcess[]> {
  const end = performance.now() + GRACE_MS;
  let left = look();
  while (left.length > 0 && performance.now() < end) {
    await setTimeout(100);
    left = look();
  }
  return left;
}
