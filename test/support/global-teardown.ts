import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { endAtOnce, endProcesses } from './end-processes.ts';
import { openOracle } from './oracle.ts';
import { readProcess } from './read-processes.ts';
import { RUN_VARIABLE, runFolder } from './run-folder.ts';
import { enterRunGroup } from './run-group.ts';
import { describeSeen, type SeenProcess } from './seen-process.ts';

/** How long processes that are just exiting may take, in milliseconds. */
const GRACE_MS = Number(process.env.DEVCTL_TEST_TEARDOWN_MS ?? 5_000);

/**
 * vitest's globalSetup: marks every process that the run will start, and looks at the end for what is left.
 *
 * A run that is interrupted (SIGINT, SIGTERM, SIGHUP) ends all that it has started as well, before vitest exits.
 *
 * @returns the teardown, which ends what is left and then fails the run by naming it.
 */
export default function setup(): () => Promise<void> {
  const run = randomBytes(4).toString('hex');
  const folder = runFolder(run);
  process.env[RUN_VARIABLE] = run;
  // The registry and the compiled code of this run, not those of the user.
  process.env.XDG_STATE_HOME = join(folder, 'state');
  process.env.XDG_CACHE_HOME = join(folder, 'cache');
  const group = enterRunGroup(run);
  const oracle = openOracle({ folders: [folder], environment: [`${RUN_VARIABLE}=${run}`] });
  const everything = (): SeenProcess[] => {
    const known = oracle.everything();
    const pids = new Set([process.pid, ...known.map(({ pid }) => pid)]);
    const others = group?.members().filter((pid) => !pids.has(pid)) ?? [];
    return [...known, ...others.flatMap((pid) => readProcess(pid) ?? [])];
  };
  // vitest's own workers and vite's helpers are children of this process. The processes of tests are below those.
  const leftovers = () => everything().filter(({ ppid }) => ppid !== process.pid);
  const tidy = (): void => {
    rmSync(folder, { recursive: true, force: true });
    group?.leave();
  };

  const onExit = (): void => {
    // The workers first of all, because they would go on starting processes.
    endAtOnce(everything);
    tidy();
  };
  // vitest ends on SIGINT and SIGTERM by process.exit(), without a teardown.
  process.once('exit', onExit);
  process.once('SIGHUP', exitOnHangup);

  return async () => {
    const left = await waitForNone(leftovers);
    const ended = left.length > 0 ? await endProcesses(leftovers) : [];
    const groups = group?.groups() ?? [];
    process.off('exit', onExit);
    process.off('SIGHUP', exitOnHangup);
    tidy();
    const complaints = [
      ...told(
        `The tests left ${ended.length} processes running (ended now)`,
        ended.map(describeSeen),
      ),
      ...told(`The tests left ${groups.length} control groups (removed now)`, groups),
    ];
    if (complaints.length === 0) return;
    // vitest only logs the error of a teardown.
    process.exitCode = 1;
    throw new Error(complaints.join('\n'));
  };
}

function exitOnHangup(): void {
  process.exit(129);
}

function told(heading: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [`${heading}:\n${lines.join('\n')}`];
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
