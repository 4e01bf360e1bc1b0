import { setTimeout } from 'node:timers/promises';
import { errnoOf, inWords } from '../../errors.ts';
import { openLogSource } from '../../logs/source.ts';
import type { LivenessProbe, ProbeCheck } from '../../manifest/resolved.ts';
import { COOKIE_VARIABLES, serviceCookie } from '../../ownership/cookie.ts';
import { sameIdentity } from '../../processes/identity.ts';
import type { ProcessInfo } from '../../processes/snapshot.ts';
import { type Contain, type Launch, launch } from '../../services/launch/launch.ts';
import { exitInWords } from '../../services/lifecycle/states.ts';
import { watchHealth } from '../../services/probes/liveness.ts';
import { openProbe } from '../../services/probes/open.ts';
import type { Probe } from '../../services/probes/probe.ts';
import { waitUntilReady } from '../../services/probes/readiness.ts';
import type { ServiceEntry, ServiceTable, ServiceTableContext } from './entry.ts';
import { withLog } from './log-access.ts';

type Dispatch = ServiceTable['dispatch'];

/** How long Node may take to report an exit that has happened already. */
const EXIT_MS = 1_000;

/** Spawns a service. Dispatches `spawned` or `spawnFailed`, and later `exited`. */
export async function spawnService(
  context: ServiceTableContext,
  target: ServiceEntry,
  run: number,
  dispatch: Dispatch,
): Promise<void> {
  const { service, record } = target;
  if (!service || !record) throw new Error(`${target.name} has nothing to spawn`);
  const { mkfifo } = context;
  const required = target.request?.containment === 'cgroup';
  const contain = containment(context, target, record.runId, required);
  const launched = await withLog(context, record, async (log) => {
    // This may fail, so it comes before the spawn: afterwards there is a process to report.
    const base = log.positionAt(0);
    const made = await launch(service, {
      env: environmentOf(context, target, record.runId),
      logFile: record.log,
      stdinPath: record.stdin,
      ...(mkfifo ? { makeFifo: mkfifo } : {}),
      ...(contain ? { contain } : {}),
    });
    if (made.kind === 'launched') target.logFrom = base + made.logOffset;
    return made;
  });
  if (launched.kind === 'failed') {
    void dispatch(target.name, { kind: 'spawnFailed', run, reason: launched.reason });
    return;
  }
  if (record.cgroup) {
    if (launched.uncontained)
      context.log(`${target.name}: no control group: ${launched.uncontained}`);
    target.record = { ...record, cgroup: { ...record.cgroup, held: !launched.uncontained } };
  }
  target.spawnedHere = true;
  target.probed = service.ready !== null;
  let leader: ProcessInfo | null = null;
  try {
    // Not a turn of the event loop has passed since the spawn, so a process that ended at once is still
    // there as a zombie.
    leader = await context.table.read(launched.pid);
  } catch (error) {
    const ended = await endUnread(launched);
    const reason = `it started, but could not be looked at (${inWords(error)}), ${ended}`;
    void dispatch(target.name, { kind: 'spawnFailed', run, reason });
    return;
  }
  if (!leader) {
    // On a platform where another program (ps) reads the table, Node has reaped a process that ended at
    // once before the answer came.
    const exit = await Promise.race([launched.exited, setTimeout(EXIT_MS, null, { ref: false })]);
    const reason = `${exit ? exitInWords(exit) : 'it was gone'} before it could be looked at`;
    const { probed } = target;
    const ended = exit ? { exit, probed } : {};
    void dispatch(target.name, { kind: 'spawnFailed', run, reason, ...ended });
    return;
  }
  const { identity } = leader;
  void dispatch(target.name, { kind: 'spawned', run, identity, probed: target.probed });
  void launched.exited.then((exit) => {
    const { state: life } = target;
    // After a stop that left it alone, the process was adopted as another run.
    const isSame = 'leader' in life && life.leader && sameIdentity(life.leader, identity);
    void dispatch(target.name, { kind: 'exited', run: isSame ? life.run : run, exit });
  });
}

/**
 * Ends the session of a process whose identity could not be read, so that no other way could end it
 * safely. Its number cannot belong to another process, because it is an unreaped child of ours until
 * Node reports its exit.
 *
 * @returns the outcome, for the reason
 */
async function endUnread({ pid, exited }: Extract<Launch, { kind: 'launched' }>): Promise<string> {
  try {
    // Fails when Node has reaped the process already: then its group may be anybody's.
    process.kill(pid, 0);
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') return `and could not be ended (${inWords(error)})`;
    return `and ${exitInWords(await exited)}`;
  }
  const exit = await Promise.race([exited, setTimeout(EXIT_MS, null, { ref: false })]);
  return exit ? 'so it was ended' : `so it was sent SIGKILL, and has not ended yet (pid ${pid})`;
}

/**
 * Returns how to spawn inside the run's control group; null when the run is to have none.
 *
 * @throws Error when it must have one, and there are none
 */
function containment(
  { groups, groupless }: ServiceTableContext,
  { request }: ServiceEntry,
  runId: string,
  required: boolean,
): Contain | null {
  if (required && !groups) throw new Error(`it cannot have a control group: ${groupless}`);
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
  const env: Record<string, string> = { ...request?.env, ...service?.env };
  for (const variable of COOKIE_VARIABLES) delete env[variable];
  return { ...env, ...serviceCookie(folder.projectId, name, runId) };
}

/**
 * Waits until a service is ready or its time is up, and dispatches the outcome. Rejects when the probe
 * cannot be carried out.
 */
export async function probeService(
  context: ServiceTableContext,
  target: ServiceEntry,
  run: number,
  dispatch: Dispatch,
): Promise<void> {
  const { service, record } = target;
  if (!record) return;
  if (!service?.ready) {
    // Its manifest had a probe when it was started, and has none now: it counts as one without.
    void dispatch(target.name, { kind: 'probeSucceeded', run });
    return;
  }
  const over = new AbortController();
  target.probe = over;
  const { ready } = service;
  const opened = await openFor(context, target, ready.check, target.logFrom);
  const answer = await waitUntilReady(opened, ready, over.signal);
  if (answer.kind === 'ready') void dispatch(target.name, { kind: 'probeSucceeded', run });
  if (answer.kind === 'timed-out') {
    const reason = `not ready after ${ready.timeoutMs} ms: ${answer.lastReason}`;
    void dispatch(target.name, { kind: 'probeTimedOut', run, reason });
  }
}

/**
 * Runs the liveness probe of a service and dispatches when its health is lost or regained. Rejects when
 * the probe cannot be carried out.
 */
export async function watchService(
  context: ServiceTableContext,
  target: ServiceEntry,
  { run, live, signal }: { run: number; live: LivenessProbe; signal: AbortSignal },
  dispatch: Dispatch,
): Promise<void> {
  if (!target.record) return;
  // Only lines that are written from now on count as a heartbeat.
  const end = await withLog(context, target.record, (log) => log.extent()?.to ?? 0);
  const opened = await openFor(context, target, live.check, end);
  await watchHealth(opened, live, signal, {
    lost: (reason) => void dispatch(target.name, { kind: 'healthLost', run, reason }),
    regained: () => void dispatch(target.name, { kind: 'healthRegained', run }),
  });
}

async function openFor(
  context: ServiceTableContext,
  target: ServiceEntry,
  check: ProbeCheck,
  logFrom: number,
): Promise<Probe> {
  const { service, record } = target;
  if (!service || !record) throw new Error(`${target.name} has no run`);
  // The record says that the control group contains the whole run, so the probe's processes must be in
  // it, too.
  const held = record.cgroup?.held && context.groups !== null;
  const contain = held ? containment(context, target, record.runId, true) : null;
  return openProbe(check, {
    cwd: service.cwd,
    env: environmentOf(context, target, record.runId),
    log: openLogSource(context.folder, target.name, record.log),
    logFrom,
    ...(contain ? { contain } : {}),
  });
}
