import { setTimeout as delay } from 'node:timers/promises';
import { errnoOf, inWords } from '../../errors.ts';
import { openLogSource } from '../../logs/source.ts';
import type {
  LivenessProbe,
  ProbeCheck,
  ReadinessProbe,
  ResolvedService,
} from '../../manifest/resolved.ts';
import { timeInWords } from '../../manifest/units.ts';
import { COOKIE_VARIABLES, inheritedEnvironment, serviceCookie } from '../../ownership/cookie.ts';
import { monotonicMs } from '../../processes/clock.ts';
import type { ProcessInfo } from '../../processes/snapshot.ts';
import type { Exit, ServiceRecord } from '../../project/service-record.ts';
import { defaultVariables } from '../../services/launch/default-variables.ts';
import {
  type Contain,
  type Launch,
  type LaunchedTerminal,
  launch,
} from '../../services/launch/launch.ts';
import { terminalEnvironment } from '../../services/launch/terminal.ts';
import { exitInWords } from '../../services/lifecycle/states.ts';
import { watchHealth } from '../../services/probes/liveness.ts';
import { openProbe } from '../../services/probes/open.ts';
import { pauseBetweenAttempts } from '../../services/probes/pause.ts';
import type { Probe } from '../../services/probes/probe.ts';
import { probedPorts } from '../../services/probes/probed-ports.ts';
import { waitUntilReady } from '../../services/probes/readiness.ts';
import type { Ill, ServiceEntry, ServiceTable, ServiceTableContext } from './entry.ts';
import { reportExit, reportLostTerminal, reportUnseenEnd } from './exits.ts';
import { withPinnedLog } from './log-access.ts';

type Dispatch = ServiceTable['dispatch'];

/** How long Node may take to report an exit that has happened already. */
const EXIT_MS = 1_000;

/** Spawns a service. Dispatches `spawned` or `spawnFailed`, and later `exited`. */
export async function spawnService(
  context: ServiceTableContext,
  entry: ServiceEntry,
  run: number,
  dispatch: Dispatch,
): Promise<void> {
  const { name, service, record } = entry;
  if (!service || !record) throw new Error(`${name} has nothing to spawn`);
  entry.listenedBefore = await context.sockets.keysOn([...service.ports, ...probedPorts(service)]);
  entry.reliedPorts = [];
  entry.ills.clear();
  entry.spawnedAtMs = Date.now();
  entry.daemon = false;
  const launched = await launchService(context, entry, service, record);
  if (launched.kind === 'failed') {
    void dispatch(name, { kind: 'spawnFailed', run, reason: launched.reason });
    return;
  }
  if (record.cgroup) {
    if (launched.uncontained) context.log(`${name}: no control group: ${launched.uncontained}`);
    entry.record = { ...record, cgroup: { ...record.cgroup, held: !launched.uncontained } };
  }
  entry.spawnedHere = true;
  entry.probed = service.ready !== null;
  const leader = await readLeader(context, launched);
  if ('reason' in leader) {
    const { reason, exit } = leader;
    if (exit) void reportUnseenEnd(context, entry, { run, exit }, dispatch);
    else void dispatch(name, { kind: 'spawnFailed', run, reason });
    return;
  }
  const { identity } = leader;
  const { terminal } = launched;
  entry.lastWords = terminal?.holder.ended ?? null;
  if (terminal) {
    await recordTerminal(context, entry, terminal);
    for (const part of ['session', 'holder'] as const) {
      const { pid, ended } = terminal[part];
      void ended.then((exit) => reportLostTerminal(entry, { run, part, pid, exit }, dispatch));
    }
  }
  void dispatch(name, { kind: 'spawned', run, identity, probed: entry.probed });
  void launched.exited.then((exit) =>
    reportExit(context, entry, { run, identity, exit, terminal }, dispatch),
  );
}

/** Adds the terminal of a run to its record, which is written with the leader. */
async function recordTerminal(
  { table }: ServiceTableContext,
  entry: ServiceEntry,
  { path, session, holder }: LaunchedTerminal,
): Promise<void> {
  const [leading, holding] = await Promise.all(
    [session, holder].map(({ pid }) => table.read(pid).catch(() => null)),
  );
  // Missing: they have ended already, after the service.
  if (!leading || !holding || !entry.record) return;
  const terminal = { path, session: leading.identity, holder: holding.identity };
  entry.record = { ...entry.record, terminal };
}

function launchService(
  context: ServiceTableContext,
  entry: ServiceEntry,
  service: ResolvedService,
  record: ServiceRecord,
): Promise<Launch> {
  const { mkfifo } = context;
  const required = entry.request?.containment === 'cgroup';
  const contain = containment(context, entry, record.runId, required);
  return withPinnedLog(context, record, async (log) => {
    // This may fail, so it comes before the spawn: afterwards there is a process to report.
    const base = log.positionAt(0);
    const whole = environmentOf(context, entry, record.runId);
    const env = service.tty ? terminalEnvironment(whole, service.env) : whole;
    const onTerminal = entry.request?.onTerminal ?? false;
    const launched = await launch(service, {
      env: { ...env, ...defaultVariables(service, env, onTerminal && !service.tty) },
      logFile: record.log,
      stdinPath: record.stdin,
      ...(mkfifo ? { makeFifo: mkfifo } : {}),
      ...(contain ? { contain } : {}),
    });
    if (launched.kind === 'launched') entry.logFrom = base + launched.logOffset;
    return launched;
  });
}

type Spawned = Extract<Launch, { kind: 'launched' }>;

/** Reads the identity of a leader; where there is none to read, says why, and how the leader ended. */
async function readLeader(
  { table }: ServiceTableContext,
  launched: Spawned,
): Promise<
  Pick<ProcessInfo, 'identity'> | { readonly reason: string; readonly exit?: Exit | null }
> {
  try {
    // Not a turn of the event loop has passed since the spawn, so a process that ended at once is still
    // there as a zombie.
    const leader = await table.read(launched.pid);
    if (leader) return leader;
  } catch (error) {
    const ended = await endUnread(launched);
    return { reason: `it started, but could not be looked at (${inWords(error)}), ${ended}` };
  }
  // On a platform where another program (ps) reads the table, Node has reaped a process that ended at
  // once before the answer came.
  const exit = await exitWithin(EXIT_MS, launched);
  return { reason: 'it was gone before it could be looked at', exit };
}

/** @returns null when Node has not reported the exit by then */
function exitWithin(ms: number, { exited }: Spawned): Promise<Exit | null> {
  return Promise.race([exited, delay(ms, null, { ref: false })]);
}

/**
 * Ends the session of a process whose identity could not be read, so that no other way could end it
 * safely. Its number cannot belong to another process, because it is an unreaped child of ours until
 * Node reports its exit.
 *
 * @returns the outcome, for the reason
 */
async function endUnread(launched: Spawned): Promise<string> {
  const { pid, exited } = launched;
  try {
    // Fails when Node has reaped the process already: then its group may be anybody's.
    process.kill(pid, 0);
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') return `and could not be ended (${inWords(error)})`;
    return `and ${exitInWords(await exited)}`;
  }
  const exit = await exitWithin(EXIT_MS, launched);
  return exit ? 'so it was ended' : `so it was sent SIGKILL, and has not ended yet (pid ${pid})`;
}

/**
 * Returns how to spawn inside the run's control group; null when the run is to have none.
 *
 * @throws Error when it must have one, and there are none
 */
function containment(
  { groups, whyNoGroups }: ServiceTableContext,
  { request }: ServiceEntry,
  runId: string,
  required: boolean,
): Contain | null {
  if (required && !groups) throw new Error(`it cannot have a control group: ${whyNoGroups}`);
  if (!groups || request?.containment === 'none') return null;
  return (spawn) => groups.spawnInside(runId, required, spawn);
}

/**
 * Builds the environment of a service: the caller's variables, the manifest's on top, and our cookie in
 * place of any other.
 */
function environmentOf(
  { folder }: ServiceTableContext,
  { name, service, request }: ServiceEntry,
  runId: string,
): Record<string, string> {
  const env: Record<string, string> = {
    ...inheritedEnvironment(request?.env ?? {}),
    ...service?.env,
  };
  for (const variable of COOKIE_VARIABLES) delete env[variable];
  return { ...env, ...serviceCookie(folder, name, runId) };
}

/** Pause between two attempts for a service whose time to become ready is over, in ms. */
const LATE_INTERVAL_MS = 2_000;

/**
 * Waits until a service is ready or its time is up, and dispatches the outcome. Rejects when the probe
 * cannot be carried out.
 *
 * @param late its time is up already, so it is asked for as long as it lives
 */
export async function probeReadiness(
  context: ServiceTableContext,
  entry: ServiceEntry,
  { run, late }: { readonly run: number; readonly late: boolean },
  dispatch: Dispatch,
): Promise<void> {
  const { service, record } = entry;
  // Of an adopted service nobody knows its probe before the next start names it.
  if (!record || !service) return;
  if (!service.ready) {
    // The manifest had a probe when the service was started, and has none now: treat it as one without.
    void dispatch(entry.name, { kind: 'probeSucceeded', run });
    return;
  }
  const controller = new AbortController();
  entry.probe = controller;
  const { ready } = service;
  const opened = await openFor(context, entry, ready.check, entry.logFrom);
  const timing = late
    ? { ...ready, timeoutMs: Number.POSITIVE_INFINITY, intervalMs: LATE_INTERVAL_MS }
    : ready;
  void noticeOtherPorts(context, entry, { run, ready, signal: controller.signal }, dispatch);
  const onAnswer = late ? undefined : tellAnswers(entry.name, run, dispatch);
  const answer = await waitUntilReady(opened, timing, controller.signal, onAnswer);
  if (answer.kind === 'ready') {
    entry.reliedPorts = await listenedPorts(context, entry, service);
    void dispatch(entry.name, { kind: 'probeSucceeded', run });
  }
  if (answer.kind === 'timed-out') {
    const reason = `not ready after ${timeInWords(ready.timeoutMs)}: ${answer.lastReason}`;
    void dispatch(entry.name, { kind: 'probeTimedOut', run, reason });
  }
}

/** The least time between two answers of a probe that are told, in ms. */
const ANSWER_MS = 1_000;

/** Tells the answers of a readiness probe as they change. */
function tellAnswers(name: string, run: number, dispatch: Dispatch): (reason: string) => void {
  let told: string | null = null;
  let toldAtMs = monotonicMs();
  return (what) => {
    if (what === told || monotonicMs() - toldAtMs < ANSWER_MS) return;
    told = what;
    toldAtMs = monotonicMs();
    void dispatch(name, { kind: 'noticed', run, what, isAnswer: true });
  };
}

/** How long a service may take to listen on its ports before it is told that it listens on others, in ms. */
const ELSEWHERE_MS = 3_000;

/** Tells, once, that a service which is not ready yet listens on other ports than those that it is asked on. */
async function noticeOtherPorts(
  { sockets }: ServiceTableContext,
  entry: ServiceEntry,
  { run, ready, signal }: { run: number; ready: ReadinessProbe; signal: AbortSignal },
  dispatch: Dispatch,
): Promise<void> {
  const wanted = probedPorts({ ready, live: null });
  if (wanted.length === 0 || !(await pauseBetweenAttempts(ELSEWHERE_MS, signal))) return;
  const owned = (await sockets.portsOf(entry)) ?? [];
  const missing = wanted.filter((port) => !owned.includes(port));
  const others = owned.filter((port) => !wanted.includes(port));
  if (missing.length === 0 || others.length === 0) return;
  const what = `${entry.name} listens on ${others.join(', ')}, not on ${missing.join(', ')}; if it may: "ports": [${others.join(', ')}]`;
  void dispatch(entry.name, { kind: 'noticed', run, what, isAnswer: false });
}

/** Returns the ports that its readiness speaks of and that are seen to be listened on: they can be watched. */
async function listenedPorts(
  { sockets }: ServiceTableContext,
  entry: ServiceEntry,
  { ready }: ResolvedService,
): Promise<readonly number[]> {
  const ports = probedPorts({ ready, live: null });
  const held = ports.length === 0 ? [] : ((await sockets.held(ports, entry)) ?? []);
  return ports.filter((port) => held.some((socket) => socket.port === port));
}

/** A probe that is repeated while a run is up. */
export interface RepeatedProbe {
  readonly ill: Ill;
  readonly run: number;
  readonly live: LivenessProbe;
  readonly signal: AbortSignal;
}

/**
 * Runs a repeated probe of a service and dispatches when its health is lost or regained. Rejects when
 * the probe cannot be carried out.
 */
export async function probeHealth(
  context: ServiceTableContext,
  entry: ServiceEntry,
  { ill, run, live, signal }: RepeatedProbe,
  dispatch: Dispatch,
): Promise<void> {
  if (!entry.record) return;
  // Only lines that are written from now on count as a heartbeat.
  const end = await withPinnedLog(context, entry.record, (log) => log.extent()?.to ?? 0);
  const opened = await openFor(context, entry, live.check, end);
  const wasWell = entry.state.kind !== 'unhealthy';
  const listener = {
    lost: (reason: string) =>
      reportIll(entry, { ill, run, reason: `its ${ill} probe ${reason}` }, dispatch),
    regained: () => reportWell(entry, { ill, run }, dispatch),
  };
  await watchHealth(opened, live, signal, listener, wasWell);
}

/** Tells that a run is not well. Only its liveness probe may restart it. */
export function reportIll(
  entry: ServiceEntry,
  { ill, run, reason }: { readonly ill: Ill; readonly run: number; readonly reason: string },
  dispatch: Dispatch,
): void {
  entry.ills.add(ill);
  const restarts = ill === 'liveness';
  void dispatch(entry.name, { kind: 'healthLost', run, reason, restarts });
}

/** Tells that a run is well again, when nothing else is wrong with it. */
export function reportWell(
  entry: ServiceEntry,
  { ill, run }: { readonly ill: Ill; readonly run: number },
  dispatch: Dispatch,
): void {
  entry.ills.delete(ill);
  if (entry.ills.size === 0) void dispatch(entry.name, { kind: 'healthRegained', run });
}

async function openFor(
  context: ServiceTableContext,
  entry: ServiceEntry,
  check: ProbeCheck,
  logFrom: number,
): Promise<Probe> {
  const { service, record } = entry;
  if (!service || !record) throw new Error(`${entry.name} has no run`);
  // The record says that the control group contains the whole run, so the probe's processes must be in
  // it, too.
  const isContained = record.cgroup?.held && context.groups !== null;
  const contain = isContained ? containment(context, entry, record.runId, true) : null;
  return openProbe(check, {
    cwd: service.cwd,
    env: environmentOf(context, entry, record.runId),
    log: openLogSource(context.folder, entry.name, record.log),
    logFrom,
    spawnedAtMs: entry.spawnedAtMs,
    sockets: context.sockets.forRun(entry),
    onProgram: (pid) => {
      entry.probePids.add(pid);
      return () => entry.probePids.delete(pid);
    },
    ...(contain ? { contain } : {}),
  });
}
