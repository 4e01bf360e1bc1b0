import type { Host } from '../../processes/host.ts';
import type { Identity } from '../../processes/identity.ts';
import type { Native } from '../../processes/native/native.ts';
import { isGone } from '../../processes/snapshot.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import { readRecords } from '../../project/records.ts';
import type { Contain } from '../../services/launch/launch.ts';
import {
  type RunContained,
  runStopCommand,
  runStoppedHook,
} from '../../services/launch/stop-command.ts';
import type { Reaper } from '../../tracking/reaper.ts';
import type { RunGroups } from '../../tracking/run-groups.ts';

/** The work that only the supervisor can do for a stop, because it is the parent of every process. */
export interface Children {
  /** True when it has any child left; null when it cannot tell. */
  hasChildren(): Promise<boolean | null>;
  /** True when nothing below it is alive; false when it cannot tell for certain. */
  isAlone(): Promise<boolean>;
  /**
   * Runs the stop command of a service, or the hook for its end, where the supervisor contains the processes that the command
   * leaves.
   */
  readonly runContained: RunContained;
}

interface ChildrenContext {
  readonly host: Pick<Host, 'snapshot' | 'nowMs' | 'delay'>;
  readonly self: Identity;
  readonly folder: ProjectFolder;
  /** The native calls, if they made this process a subreaper; else null. */
  readonly native: Pick<Native, 'hasChildren'> | null;
  readonly groups: RunGroups | null;
  /** Null where `native` is. */
  readonly reaper: Pick<Reaper, 'reapNow'> | null;
}

/** How often to ask before a child that is left counts as alive: a process that has just been killed needs a moment. */
const MOST_TRIES = 3;
/** How long to wait for Node to reap its own children, which takes a while on a busy machine. */
const REAP_MS = 1_000;
const POLL_MS = 20;

export function createChildren(context: ChildrenContext): Children {
  const { host, folder, self, native, reaper, groups } = context;
  const hasChildren = async (): Promise<boolean | null> => {
    if (!native) return null;
    for (let tries = 1; ; tries += 1) {
      await reaper?.reapNow();
      const children = native.hasChildren();
      if (children !== true || tries === MOST_TRIES) return children;
      await host.delay(POLL_MS);
    }
  };
  return {
    hasChildren,
    async isAlone() {
      const deadline = host.nowMs() + REAP_MS;
      do {
        const children = await hasChildren();
        if (children !== true) return children === false;
        const { byParent } = await host.snapshot();
        if (byParent.get(self.pid)?.some((child) => !isGone(child))) return false;
        await host.delay(POLL_MS);
      } while (host.nowMs() < deadline);
      return false;
    },
    async runContained(service, env, over, isHook = false) {
      const record = readRecords(folder).records.find((known) => known.service === service);
      if (!record) return { end: null, held: false };
      let inGroup = false;
      const contain: Contain = (spawn) => {
        const { child, why } = groups?.spawnInside(record.runId, false, spawn) ?? {
          child: spawn(),
          why: 'there are no groups',
        };
        inGroup = why === null;
        return { child, why };
      };
      const place = { env, over, contain: record.cgroup?.held ? contain : null };
      const run = isHook ? runStoppedHook : runStopCommand;
      const end = await run(folder, record, place);
      return { end, held: native !== null || inGroup };
    },
  };
}
