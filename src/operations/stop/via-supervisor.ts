import { findPatiently, livingSupervisors, type Reached } from '../../client/connect.ts';
import type { SupervisedStopEvent, SupervisedStopRequest } from '../../client/protocol.ts';
import { connectToSupervisor } from '../../client/start-supervisor.ts';
import { takeLockToStop } from '../../lock/for-stop.ts';
import { ownVersion } from '../../package-root.ts';
import type { Host } from '../../processes/host.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import type { StopReport } from '../../stopping/report.ts';

/**
 * Has the supervisor stop everything, this process included.
 *
 * @returns the report; null when the connection ended before it, because this process was one of
 *   those to end or the supervisor has died
 */
export async function stopViaSupervisor(
  host: Host,
  folder: ProjectFolder,
  request: SupervisedStopRequest,
): Promise<StopReport | null> {
  const { running, socket } = await livingSupervisors(host, folder);
  const found = await findPatiently(host, folder, running, socket);
  const fits = found?.hello.version === ownVersion();
  const { client } = fits ? found : await beginSupervisor(host, folder, request.force);
  let report: StopReport | null = null;
  await client.stream('/stop', request, (event) => {
    const { type, report: told } = event as SupervisedStopEvent;
    if (type === 'report') report = told;
  });
  return report;
}

/** It can only be begun here, within the service that is to be stopped; it outlives that. */
async function beginSupervisor(
  host: Host,
  folder: ProjectFolder,
  force: boolean,
): Promise<Reached> {
  const self = await host.self();
  const lock = await takeLockToStop({ host, folder, self, force, warn: () => {} });
  try {
    const { running, socket } = await livingSupervisors(host, folder);
    return await connectToSupervisor(host, folder, running, socket);
  } finally {
    lock?.release();
  }
}
