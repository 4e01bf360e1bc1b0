import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../../processes/clock.ts';
import { type Identity, sameIdentity } from '../../processes/identity.ts';
import type { ProcessInfo } from '../../processes/snapshot.ts';
import type { Exit } from '../../project/service-record.ts';
import type { LifecycleEvent } from '../../services/lifecycle/events.ts';
import { settleTimeMs } from '../../services/lifecycle/settle.ts';
import { exitInWords, leftBehindInWords, type StateKind } from '../../services/lifecycle/states.ts';
import { probedPorts } from '../../services/probes/probed-ports.ts';
import type { ServiceEntry, ServiceTable, ServiceTableContext } from './entry.ts';

/** The end of a leader that was spawned here. */
interface LeaderEnd {
  readonly run: number;
  readonly identity: Identity;
  readonly exit: Exit;
}

/** Dispatches the end of a leader: `exited`, or `daemonized` where its run goes on and can show that it works. */
export async function reportExit(
  context: ServiceTableContext,
  entry: ServiceEntry,
  { run, identity, exit }: LeaderEnd,
  dispatch: ServiceTable['dispatch'],
): Promise<void> {
  const { name } = entry;
  // After a stop that left it alone, the process was adopted as another run.
  const isSame = (): boolean =>
    'leader' in entry.state &&
    entry.state.leader !== null &&
    sameIdentity(entry.state.leader, identity);
  const left = exit.code === 0 ? await leftAlive(context, entry) : [];
  const { state } = entry;
  const end = { kind: 'exited', run: isSame() ? state.run : run, exit } as const;
  if (left.length === 0 || !isSame()) {
    void dispatch(name, end);
  } else if (entry.service?.ready) {
    const daemon = await standIn(context, entry, left);
    if (daemon === null || !isSame()) void dispatch(name, end);
    else void dispatch(name, follow(entry, daemon));
  } else {
    void dispatch(name, { ...end, left: namesOf(left) });
  }
}

/**
 * Dispatches what has become of a leader that had ended before it could be looked at: the same as `reportExit` does for
 * others, as far as that can be known without its identity.
 */
export async function reportUnseenEnd(
  context: ServiceTableContext,
  entry: ServiceEntry,
  { run, exit }: Omit<LeaderEnd, 'identity'>,
  dispatch: ServiceTable['dispatch'],
): Promise<void> {
  const { name, service, probed } = entry;
  const left = exit.code === 0 && mayLeave(entry) ? await leftOf(context, entry) : [];
  const daemon = service?.ready && left.length > 0 ? await standIn(context, entry, left) : null;
  if (daemon) {
    await dispatch(name, { kind: 'spawned', run, identity: daemon.identity, probed });
    if (entry.state.kind === 'starting' && entry.state.run === run)
      void dispatch(name, follow(entry, daemon));
    return;
  }
  const reason =
    left.length > 0
      ? leftBehindInWords(namesOf(left))
      : `${exitInWords(exit)}${probed ? ' before it was ready' : ''}`;
  const cannotHaveWorked = probed || left.length > 0;
  void dispatch(name, { kind: 'spawnFailed', run, reason, exit, probed: cannotHaveWorked });
}

function namesOf(processes: readonly ProcessInfo[]): string {
  return processes.map((one) => `${one.name} (pid ${one.identity.pid})`).join(', ');
}

/**
 * Puts another process of the run in the place of a daemon that has ended, when one is left. The eldest one, which was
 * taken for the daemon, may have been a helper.
 */
export async function followNext(
  context: ServiceTableContext,
  entry: ServiceEntry,
  event: LifecycleEvent,
): Promise<LifecycleEvent> {
  const { state, record, daemon } = entry;
  if (event.kind !== 'exited' || !daemon || !record || event.run !== state.run) return event;
  if (!MAY_LEAVE.has(state.kind)) return event;
  const left = await context.processesOf(record.runId).catch(() => []);
  const next = await standIn(context, entry, left);
  return next === null ? event : follow(entry, next);
}

function follow(entry: ServiceEntry, { identity }: ProcessInfo): LifecycleEvent {
  entry.daemon = true;
  entry.spawnedHere = false;
  entry.ills.clear();
  return { kind: 'daemonized', run: entry.state.run, identity };
}

/**
 * Chooses the process that stands for a run: one that listens on its ports, else the eldest, which may yet do so.
 *
 * @returns null: the service was ready by its ports, and nobody who is left listens on them
 */
async function standIn(
  { sockets }: ServiceTableContext,
  { service, state, reliedPorts }: ServiceEntry,
  left: readonly ProcessInfo[],
): Promise<ProcessInfo | null> {
  const ports = service ? probedPorts(service) : reliedPorts;
  const holders = ports.length === 0 ? new Set() : await sockets.holders(ports, left);
  const holder = left.find(({ identity }) => holders.has(identity.pid));
  if (holder) return holder;
  const wasServing = ports.length > 0 && (state.kind === 'ready' || state.kind === 'unhealthy');
  return wasServing ? null : (left[0] ?? null);
}

/** The kinds of probes that can show that a daemon works. */
const ASK_DAEMONS: ReadonlySet<string> = new Set(['http', 'tcp', 'ports', 'exec']);

/** How long the last processes of a run may take to end after its command, in ms. */
const LEFT_MS = 250;

/**
 * Looks for what a command that ended with success has left, of a service that this says something about: one with a
 * probe that a daemon can answer, and one without a probe that ended within its settle time.
 *
 * @returns the eldest first
 */
async function leftAlive(
  context: ServiceTableContext,
  entry: ServiceEntry,
): Promise<readonly ProcessInfo[]> {
  const { service, state } = entry;
  if (!service || !MAY_LEAVE.has(state.kind) || !mayLeave(entry)) return [];
  if (!service.ready && monotonicMs() - state.sinceMs > settleTimeMs(service)) return [];
  return leftOf(context, entry);
}

function mayLeave({ service }: ServiceEntry): boolean {
  if (!service || service.oneShot) return false;
  return service.ready === null || ASK_DAEMONS.has(service.ready.check.kind);
}

/** Looks for the living processes of a run whose command has ended, the eldest first. */
async function leftOf(
  { processesOf }: ServiceTableContext,
  { record, probePids }: ServiceEntry,
): Promise<readonly ProcessInfo[]> {
  if (!record) return [];
  await delay(LEFT_MS);
  // The command of a probe is in the control group of the run, too, and leads a process group of its own.
  const left = (await processesOf(record.runId).catch(() => [])).filter(
    ({ pgid }) => !probePids.has(pgid),
  );
  return left.toSorted(
    (one, other) =>
      one.identity.startTicks - other.identity.startTicks || one.identity.pid - other.identity.pid,
  );
}

const MAY_LEAVE: ReadonlySet<StateKind> = new Set(['starting', 'running', 'ready', 'unhealthy']);
