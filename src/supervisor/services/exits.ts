import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../../processes/clock.ts';
import { type Identity, sameIdentity } from '../../processes/identity.ts';
import type { ProcessInfo } from '../../processes/snapshot.ts';
import type { Exit } from '../../project/service-record.ts';
import type { LaunchedTerminal } from '../../services/launch/launch.ts';
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
  readonly terminal: LaunchedTerminal | null;
}

/**
 * How long an end is not told yet, in ms: so long the holder of its terminal takes to write its last words to the log.
 * Where a descendant has the terminal open, it goes on.
 */
const LAST_WORDS_MS = 50;
/** The same for a hang-up, which may come of the end of the holder. That is the reason then. */
const HANG_UP_MS = 250;

/** Dispatches the end of a leader: `exited`, or `daemonized` where its run goes on and can show that it works. */
export async function reportExit(
  context: ServiceTableContext,
  entry: ServiceEntry,
  { run, identity, exit, terminal }: LeaderEnd,
  dispatch: ServiceTable['dispatch'],
): Promise<void> {
  const { name } = entry;
  if (terminal) {
    const ms = exit.signal === 'SIGHUP' ? HANG_UP_MS : LAST_WORDS_MS;
    await Promise.race([terminal.session.ended, delay(ms, null, { ref: false })]);
  }
  // After a stop that left it alone, the process was adopted as another run.
  const isSame = (): boolean =>
    'leader' in entry.state &&
    entry.state.leader !== null &&
    sameIdentity(entry.state.leader, identity);
  const left = exit.code === 0 ? await leftAlive(context, entry) : [];
  const held = exit.code === 0 ? null : await heldBefore(context, entry);
  const { state } = entry;
  const end = {
    kind: 'exited',
    run: isSame() ? state.run : run,
    exit,
    ...(held === null ? {} : { held }),
  } as const;
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

/** Says who holds a port of a service that was not ready yet, since before its start: it may have failed of that. */
async function heldBefore(
  { sockets }: ServiceTableContext,
  entry: ServiceEntry,
): Promise<string | null> {
  const { service, state, listenedBefore } = entry;
  if (!service || state.kind !== 'starting' || listenedBefore.size === 0) return null;
  return sockets.heldBefore([...service.ports, ...probedPorts(service)], entry);
}

/** Dispatches the end of a process that keeps the terminal of a service that is alive. After it, it ends with code 0. */
export function reportLostTerminal(
  { name }: Pick<ServiceEntry, 'name'>,
  part: {
    readonly run: number;
    readonly part: 'session' | 'holder';
    readonly pid: number;
    readonly exit: Exit;
  },
  dispatch: ServiceTable['dispatch'],
): void {
  const { run, pid, exit } = part;
  if (exit.code === 0) return;
  const what =
    part.part === 'holder' ? "its terminal's holder" : "the leader of its terminal's session";
  const how = exit.signal === null ? exitInWords(exit) : `was ${exitInWords(exit)}`;
  void dispatch(name, { kind: 'terminalLost', run, reason: `${what} (pid ${pid}) ${how}` });
}

/** The processes of a run that its service has started: without those that keep its terminal. */
function ofService(
  { record }: Pick<ServiceEntry, 'record'>,
  processes: readonly ProcessInfo[],
): readonly ProcessInfo[] {
  const { terminal } = record ?? {};
  if (!terminal) return processes;
  return processes.filter(
    ({ sid, identity }) => sid !== terminal.holder.pid && !sameIdentity(identity, terminal.session),
  );
}

/**
 * Dispatches what has become of a leader that had ended before it could be looked at: the same as `reportExit` does for
 * others, as far as that can be known without its identity.
 */
export async function reportUnseenEnd(
  context: ServiceTableContext,
  entry: ServiceEntry,
  { run, exit }: Pick<LeaderEnd, 'run' | 'exit'>,
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
  const next = await standIn(context, entry, ofService(entry, left));
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
  entry: ServiceEntry,
): Promise<readonly ProcessInfo[]> {
  const { record, probePids } = entry;
  if (!record) return [];
  await delay(LEFT_MS);
  // The command of a probe is in the control group of the run, too, and leads a process group of its own.
  const all = await processesOf(record.runId).catch(() => []);
  const left = ofService(entry, all).filter(({ pgid }) => !probePids.has(pgid));
  return left.toSorted(
    (one, other) =>
      one.identity.startTicks - other.identity.startTicks || one.identity.pid - other.identity.pid,
  );
}

const MAY_LEAVE: ReadonlySet<StateKind> = new Set(['starting', 'running', 'ready', 'unhealthy']);
