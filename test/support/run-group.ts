import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { groupMembers, groupsBelow, ownControlGroup, removeTree } from './control-groups.ts';

/** The control group (v2) of one test run. Every process that the run starts is born in it. */
export interface RunGroup {
  /** The pids in it and below it. */
  members(): readonly number[];
  /** The groups below it: each is one that a test has left. */
  groups(): readonly string[];
  /** Moves this process back to where it was, and removes the group with all that is empty below it. */
  leave(): void;
}

/** How often the group is tried to be removed, and the pause between in ms. The exit handler cannot wait otherwise. */
const TRIES = 200;
const PAUSE_MS = 25;

const NAME = /^devctl-test-[0-9a-f]{8}$/;

/**
 * Makes a control group for a test run and moves this process into it, so that the groups which devctl makes in
 * the run are below it. Also removes the groups of runs that were killed, once no process is in them.
 *
 * @returns null where no control group can be made
 */
export function enterRunGroup(run: string): RunGroup | null {
  const home = ownControlGroup();
  if (home === null) return null;
  for (const name of readdirSync(home)) if (NAME.test(name)) removeIfDead(join(home, name));
  const folder = join(home, `devctl-test-${run}`);
  try {
    mkdirSync(folder);
    writeFileSync(join(folder, 'cgroup.procs'), String(process.pid));
  } catch {
    removeTree(folder);
    return null;
  }
  return {
    members: () => groupMembers(folder),
    groups: () => groupsBelow(folder),
    leave() {
      writeFileSync(join(home, 'cgroup.procs'), String(process.pid));
      // A process that was just killed is in its group until it has quite ended, which a busy machine makes long.
      for (let left = TRIES; left > 0; left -= 1) {
        removeTree(folder);
        if (!existsSync(folder)) return;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
      }
    },
  };
}

/** A run that lives has a process in its group: its vitest. */
function removeIfDead(folder: string): void {
  try {
    // cgroup.events of cgroups(7) counts the groups below as well.
    const events = readFileSync(join(folder, 'cgroup.events'), 'utf8');
    if (/^populated 0$/m.test(events)) removeTree(folder);
  } catch {
    // Another run has just removed it.
  }
}
