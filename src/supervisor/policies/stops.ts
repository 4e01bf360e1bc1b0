/*
 * The files of this folder, which stops services and the supervisor itself:
 *
 *   stops           carries out stops, and stands down for those of commands
 *   lease-keeper    stops everything when the last lease is over
 *   limit-enforcer  ends, restarts or warns of services that exceed a limit
 *   hooks           runs the commands that the manifest names for events
 *   ready-watch     tells that a service is not well whose port is closed
 *   place-watch     follows a project that is moved, and stops one that is removed
 *   place           decides whether it was moved or removed
 */
import type { SupervisedStopRequest } from '../../client/protocol.ts';
import { DevctlError } from '../../errors.ts';
import type { StopOptions } from '../../operations/stop/options.ts';
import { stopProject } from '../../operations/stop/stop-project.ts';
import { unattendedStop } from '../../operations/stop/unattended.ts';
import type { Host } from '../../processes/host.ts';
import type { MovableFolder } from '../../project/place/movable-folder.ts';
import type { StateKind } from '../../services/lifecycle/states.ts';
import type { StopReport } from '../../stopping/report.ts';
import type { Witness } from '../../tracking/witness.ts';
import { resumeServices, standDownServices } from '../services/adopt.ts';
import type { Children } from '../services/children.ts';
import type { ServiceTable } from '../services/entry.ts';
import type { StartSession } from '../services/start-session.ts';

/** The stops that concern a supervisor: those that commands carry out, and its own. */
export interface Stops {
  /**
   * Does some work, and meanwhile leaves these services (null: all) alone. Looks after them again
   * afterwards, whatever becomes of the work. A start of one of them that is under way is abandoned.
   *
   * @param why the reason that a start which is under way names, where no user asked for the stop
   */
  whileStoodDown<T>(
    names: readonly string[] | null,
    work: () => Promise<T>,
    why?: string,
  ): Promise<T>;
  /** Carries out a stop in this process. */
  stopInProcess(request: SupervisedStopRequest, why?: string): Promise<StopReport>;
  /** Ends the supervisor if the stop has left nothing to supervise. */
  endAfter(request: SupervisedStopRequest, report: StopReport): void;
}

interface StopsContext extends Pick<Children, 'hasChildren' | 'runContained'> {
  readonly host: Host;
  readonly folder: MovableFolder;
  readonly services: ServiceTable;
  readonly witness: Witness;
  /** The starts that are under way. */
  readonly starts: ReadonlySet<StartSession>;
  /** Called before a stop of these services; null: of everything. */
  readonly onStop: (names: readonly string[] | null) => void;
  /** Called when everything may have been stopped. */
  readonly onStoppedAll: () => void;
  readonly log: (line: string) => void;
  readonly end: () => void;
}

export function createStops(context: StopsContext): Stops {
  const { host, folder, services, witness, starts, hasChildren, runContained } = context;
  let standingDown = 0;
  let resuming: Promise<unknown> = Promise.resolve();

  const whileStoodDown: Stops['whileStoodDown'] = async (names, work, why) => {
    standingDown += 1;
    context.onStop(names);
    try {
      await resuming;
      for (const session of starts) if (session.concerns(names)) session.abandon(why);
      await standDownServices(services, names);
      await witness.setStoodDown(true);
      return await work();
    } finally {
      standingDown -= 1;
      if (names === null) context.onStoppedAll();
      // A forced stop may have come during another stop, which is still at work.
      if (standingDown === 0) {
        resuming = resumeServices(host, services, folder).catch((error: unknown) => {
          const why = error instanceof Error ? error.stack : error;
          context.log(`taking over again what runs: ${why}`);
        });
        await resuming;
        await witness.setStoodDown(standingDown > 0);
      }
    }
  };
  return {
    whileStoodDown,
    stopInProcess(request, why) {
      const options = {
        ...unattendedStop(request),
        hasChildren,
        runContained,
        ...(why === undefined ? {} : { why }),
      };
      const work = () => stopWhereItIs(host, folder, options);
      return whileStoodDown(request.names, work, why);
    },
    endAfter({ names }, { survivors }) {
      const isDone =
        names === null && survivors.length === 0 && starts.size === 0 && !hasLeader(services);
      if (isDone) context.end();
    },
  };
}

/** Time that the watch of the place may need to follow a move once the stop has released the lock, in ms. */
const FOLLOW_MS = 10_000;
const FOLLOW_POLL_MS = 100;

/** Stops, and once more at the new place when the project was moved meanwhile. */
async function stopWhereItIs(
  host: Host,
  folder: MovableFolder,
  options: StopOptions,
): Promise<StopReport> {
  const { root } = folder;
  try {
    return await stopProject(host, folder.forStop(), options);
  } catch (error) {
    if (!(error instanceof DevctlError && error.code === 'folder-moved')) throw error;
    const deadline = host.nowMs() + FOLLOW_MS;
    while (folder.root === root && host.nowMs() < deadline) await host.delay(FOLLOW_POLL_MS);
    if (folder.root === root) throw error;
    return stopWhereItIs(host, folder, options);
  }
}

/** States of a service without a leader that will have one in a moment. */
const AT_WORK: ReadonlySet<StateKind> = new Set(['spawning', 'clearing', 'backoff']);

/** True when a service has a process of its own, or will have one in a moment. */
export function hasLeader(services: ServiceTable): boolean {
  return [...services.entries.values()].some(
    ({ state }) => ('leader' in state && state.leader !== null) || AT_WORK.has(state.kind),
  );
}
