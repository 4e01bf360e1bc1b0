import type { Host } from '../processes/host.ts';
import type { ProcessInfo } from '../processes/snapshot.ts';
import { isStarvedOfCpu } from '../processes/starvation.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { socketPaths, whyNotOurs } from '../project/socket-path.ts';
import { lookAtProject } from '../tracking/look.ts';
import { connectTo, type SupervisorClient } from './client.ts';
import type { Hello } from './protocol.ts';

/** How long a supervisor has to answer. */
export const HELLO_MS = 1_000;
/** The same for one that has only not been let run: ended, it would take the exit codes of its services with it. */
const STARVED_MS = 15_000;

/** The supervisors of a project that can be asked. */
export interface Living {
  /** The supervisors of this project that live. */
  readonly running: readonly ProcessInfo[];
  /** The path of the socket, as the record of the supervisor says. */
  readonly socket: string | null;
}

/** Looks for the supervisors of a project. */
export async function livingSupervisors(host: Host, folder: ProjectFolder): Promise<Living> {
  const { state, latest } = await lookAtProject(host, folder);
  return { running: latest.supervisors, socket: state.supervisor?.socket ?? null };
}

/** A supervisor that answers, and what it said of itself. */
export interface Reached {
  readonly client: SupervisorClient;
  readonly hello: Hello;
}

/**
 * The first supervisor of this project that answers on one of the sockets it may have, and is one of
 * those that run. What else answers there is not spoken to: it would be told the environment of services,
 * and be believed when it says that nothing is left.
 */
export async function findSupervisor(
  folder: ProjectFolder,
  running: readonly ProcessInfo[],
  recordedSocket: string | null,
  timeoutMs = HELLO_MS,
): Promise<Reached | null> {
  const recorded = recordedSocket !== null && whyNotOurs(recordedSocket) === null;
  const paths = new Set([...(recorded ? [recordedSocket] : []), ...socketPaths(folder)]);
  for (const path of paths) {
    const client = connectTo(path);
    const hello = await client.hello(timeoutMs);
    const isOne = running.some(({ identity }) => identity.pid === hello?.pid);
    if (hello?.projectId === folder.projectId && isOne) return { client, hello };
  }
  return null;
}

/** As `findSupervisor`, for who would do without one that does not answer. */
export async function findPatiently(
  host: Host,
  folder: ProjectFolder,
  running: readonly ProcessInfo[],
  recordedSocket: string | null,
): Promise<Reached | null> {
  const before = await host.snapshot();
  const deadline = host.nowMs() + STARVED_MS;
  for (;;) {
    const askedMs = host.nowMs();
    const found = await findSupervisor(folder, running, recordedSocket);
    if (found || host.nowMs() >= deadline) return found;
    // Nobody listens, or somebody else has answered.
    if (host.nowMs() - askedMs < HELLO_MS) return null;
    const now = await host.snapshot();
    if (!running.some(({ identity }) => isStarvedOfCpu(identity, before, now))) return null;
  }
}
