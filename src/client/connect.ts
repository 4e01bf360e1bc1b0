import type { Host } from '../processes/host.ts';
import type { ProcessInfo } from '../processes/snapshot.ts';
import { isStarvedOfCpu } from '../processes/starvation.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { socketPaths, whyUnsafeSocket } from '../project/socket-path.ts';
import { lookAtProject } from '../tracking/look.ts';
import { connectTo, type SupervisorClient } from './client.ts';
import type { Hello } from './protocol.ts';

/** The time that a supervisor has to answer a short request, in ms. */
export const ANSWER_MS = 1_000;
/**
 * The same for a supervisor that the kernel gives no CPU time. To end it would lose the exit codes of its services.
 */
const STARVED_ANSWER_MS = 15_000;

/** The living supervisors of a project, and where they may be reached. */
export interface LivingSupervisors {
  readonly running: readonly ProcessInfo[];
  /** The path of the socket in the supervisor's record. */
  readonly socket: string | null;
}

/** Looks for the living supervisors of a project. */
export async function livingSupervisors(
  host: Host,
  folder: ProjectFolder,
): Promise<LivingSupervisors> {
  const { state, latest } = await lookAtProject(host, folder);
  return { running: latest.supervisors, socket: state.supervisor?.socket ?? null };
}

/** A supervisor that has answered. */
export interface ReachedSupervisor {
  readonly client: SupervisorClient;
  readonly hello: Hello;
}

/**
 * Finds the first supervisor of this project that answers on one of its possible sockets.
 *
 * The process that answers must be one of `running`. Another process would learn the environment of services, and we
 * would believe it when it says that nothing is left.
 */
export async function findSupervisor(
  folder: ProjectFolder,
  running: readonly ProcessInfo[],
  recordedSocket: string | null,
  timeoutMs = ANSWER_MS,
): Promise<ReachedSupervisor | null> {
  const recorded = recordedSocket !== null && whyUnsafeSocket(recordedSocket) === null;
  const paths = new Set([...(recorded ? [recordedSocket] : []), ...socketPaths(folder)]);
  for (const path of paths) {
    const client = connectTo(path);
    const hello = await client.hello(timeoutMs);
    const isRunning = running.some(({ identity }) => identity.pid === hello?.pid);
    if (hello && folder.marks.includes(hello.projectId) && isRunning) return { client, hello };
  }
  return null;
}

/**
 * Does the same as `findSupervisor`, and goes on asking while a supervisor gets no CPU time. For callers that would
 * otherwise end or replace it.
 */
export async function findSupervisorPatiently(
  host: Host,
  folder: ProjectFolder,
  running: readonly ProcessInfo[],
  recordedSocket: string | null,
): Promise<ReachedSupervisor | null> {
  const before = await host.snapshot();
  const deadline = host.nowMs() + STARVED_ANSWER_MS;
  for (;;) {
    const askedMs = host.nowMs();
    const found = await findSupervisor(folder, running, recordedSocket);
    if (found || host.nowMs() >= deadline) return found;
    // No process listens, or another process has answered.
    if (host.nowMs() - askedMs < ANSWER_MS) return null;
    const now = await host.snapshot();
    if (!running.some(({ identity }) => isStarvedOfCpu(identity, before, now))) return null;
  }
}
