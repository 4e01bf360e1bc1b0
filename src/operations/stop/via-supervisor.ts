import {
  findSupervisorPatiently,
  livingSupervisors,
  type ReachedSupervisor,
} from '../../client/connect.ts';
import type { SupervisedStopEvent, SupervisedStopRequest } from '../../client/protocol.ts';
import { connectToSupervisor } from '../../client/start-supervisor.ts';
import { takeLockToStop } from '../../lock/for-stop.ts';
import { ownVersion } from '../../package-root.ts';
import type { Host } from '../../processes/host.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import type { StopReport } from '../../stopping/report.ts';

/**
 * Has the supervisor carry out a stop that ends this process too.
 *
 * @returns the report; null when the connection ended before it came, because the supervisor has died
 */
export async function stopViaSupervisor(
  host: Host,
  folder: ProjectFolder,
  request: SupervisedStopRequest,
): Promise<StopReport | null> {
  const { running, socket } = await livingSupervisors(host, folder);
  const found = await findSupervisorPatiently(host, folder, running, socket);
  const fits = found?.hello.version === ownVersion();
  const { client } = fits ? found : await startSupervisor(host, folder, request.force);
  let report: StopReport | null = null;
  await client.stream('/stop', request, (received) => {
    const event = received as SupervisedStopEvent;
    if (event.type === 'report') report = event.report;
  });
  return report;
}

/** Starts a supervisor from within the service that is to be stopped. It has a session of its own, so it survives. */
async function startSupervisor(
  host: Host,
  folder: ProjectFolder,
  force: boolean,
): Promise<ReachedSupervisor> {
  const self = await host.self();
  const lock = await takeLockToStop({ host, folder, self, force, warn: () => {} });
  try {
    const { running, socket } = await livingSupervisors(host, folder);
    return await connectToSupervisor(host, folder, running, socket);
  } finally {
    lock?.release();
  }
}
