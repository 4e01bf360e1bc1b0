import type { SupervisedStopRequest } from '../../client/protocol.ts';
import { stopProject } from '../../operations/stop/stop-project.ts';
import { unwatchedStop } from '../../operations/stop/unattended.ts';
import type { Host } from '../../processes/host.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import type { LifeKind } from '../../services/lifecycle/states.ts';
import type { StopReport } from '../../stopping/report.ts';
import type { Witness } from '../../tracking/witness.ts';
import { resume, standDown } from '../services/adopt.ts';
import type { Holding } from '../services/children.ts';
import type { Lives } from '../services/entry.ts';
import type { Starting } from '../services/start-session.ts';

/** The stops that concern a supervisor: those that others carry out, and its own. */
export interface OwnStops {
  /** Leaves these services (null: everything) alone meanwhile. Whatever becomes of the work: afterwards they are watched again. */
  whileStoodDown<T>(names: readonly string[] | null, work: () => Promise<T>): Promise<T>;
  /** Carries one out. */
  stopHere(request: SupervisedStopRequest, why?: string): Promise<StopReport>;
  /** Ends the supervisor when the stop has left nothing to supervise. */
  endAfter(request: SupervisedStopRequest, report: StopReport): void;
}

interface OwnStopsContext extends Pick<Holding, 'hasChildren' | 'runHeld'> {
  readonly host: Host;
  readonly folder: ProjectFolder;
  readonly lives: Lives;
  readonly witness: Witness;
  /** Those that are under way. */
  readonly starts: ReadonlySet<Starting>;
  /** Told when all may have been stopped by somebody else. */
  readonly stoppedAll: () => void;
  readonly log: (line: string) => void;
  readonly end: () => void;
}

export function createOwnStops(context: OwnStopsContext): OwnStops {
  const { host, folder, lives, witness, starts, hasChildren, runHeld } = context;
  let standingDown = 0;
  let resuming: Promise<unknown> = Promise.resolve();

  const whileStoodDown: OwnStops['whileStoodDown'] = async (names, work) => {
    standingDown += 1;
    try {
      await resuming;
      for (const starting of starts) starting.abandon();
      await standDown(lives, names);
      await witness.setStoodDown(true);
      return await work();
    } finally {
      standingDown -= 1;
      if (names === null) context.stoppedAll();
      // A forced stop may have broken in on another one, which is not done yet.
      if (standingDown === 0) {
        resuming = resume(host, lives, folder).catch((error: unknown) => {
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
    stopHere(request, why) {
      return whileStoodDown(request.names, () =>
        stopProject(host, folder, {
          ...unwatchedStop(request),
          hasChildren,
          runHeld,
          ...(why === undefined ? {} : { why }),
        }),
      );
    },
    endAfter({ names }, { survivors }) {
      const isDone =
        names === null && survivors.length === 0 && starts.size === 0 && !hasLeader(lives);
      if (isDone) context.end();
    },
  };
}

/** Without a leader now, but not for long. */
const AT_WORK: ReadonlySet<LifeKind> = new Set(['spawning', 'clearing', 'backoff']);

/** Has any of them a process of its own, or will it have one in a moment? */
export function hasLeader(lives: Lives): boolean {
  return [...lives.entries.values()].some(
    ({ life: { kind }, life }) => ('leader' in life && life.leader !== null) || AT_WORK.has(kind),
  );
}
