import type { Host } from '../../processes/host.ts';
import type { Identity } from '../../processes/identity.ts';
import type { Native } from '../../processes/native/native.ts';
import { isGone } from '../../processes/snapshot.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import { readRecords } from '../../project/records.ts';
import type { Contain } from '../../services/launch/launch.ts';
import { type RunContained, runStopCommand } from '../../services/launch/stop-command.ts';
import type { RunGroups } from '../../tracking/run-groups.ts';

/** What a supervisor does for a stop, whoever carries it out, because everything is below it. */
export interface Children {
  /** Has it any child left? Null where it cannot tell. */
  hasChildren(): Promise<boolean | null>;
  /** Is nothing alive below it? Only where it can tell for certain. */
  isAlone(): Promise<boolean>;
  /** Runs the stop command of a service where it holds what that leaves. */
  readonly runContained: RunContained;
}

interface HoldingContext {
  readonly host: Pick<Host, 'snapshot' | 'nowMs' | 'delay'>;
  readonly self: Identity;
  readonly folder: ProjectFolder;
  /** The native calls, where they made this process a subreaper. */
  readonly native: Pick<Native, 'hasChildren'> | null;
  readonly groups: RunGroups | null;
  readonly reap: () => Promise<void>;
}

/** How often the dead are reaped before what is left counts as alive. */
const MOST_REAPS = 3;
/** On a busy machine Node takes its time to hear of the end of what it has spawned. */
const NEWS_MS = 1_000;
const LOOK_MS = 50;

export function createChildren(context: HoldingContext): Children {
  const { host, folder, self, native, groups, reap } = context;
  const hasChildren = async (): Promise<boolean | null> => {
    if (!native) return null;
    let children: boolean | null = null;
    // What has died since the reaper looked is a child as well: on a busy machine there is always one more.
    for (let tries = 0; children !== false && tries < MOST_REAPS; tries += 1) {
      await reap();
      children = native.hasChildren();
    }
    return children;
  };
  return {
    hasChildren,
    async isAlone() {
      const deadline = host.nowMs() + NEWS_MS;
      do {
        const children = await hasChildren();
        if (children !== true) return children === false;
        const { byParent } = await host.snapshot();
        if (byParent.get(self.pid)?.some((child) => !isGone(child))) return false;
        await host.delay(LOOK_MS);
      } while (host.nowMs() < deadline);
      return false;
    },
    async runContained(service, env, over) {
      const record = readRecords(folder).records.find((one) => one.service === service);
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
      const end = await runStopCommand(folder, record, place);
      return { end, held: native !== null || inGroup };
    },
  };
}
