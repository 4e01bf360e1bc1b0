import { setTimeout as delay } from 'node:timers/promises';
import { type ContainersDownOptions, stopContainers } from '../../containers/down.ts';
import { readContainersRecord } from '../../containers/record.ts';
import type { ContainersStop } from '../../containers/report.ts';
import { DevctlError } from '../../errors.ts';
import { takeLockToStop } from '../../lock/for-stop.ts';
import { DEVCTL } from '../../own-command.ts';
import type { Claim } from '../../ownership/claim.ts';
import type { Host } from '../../processes/host.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import { lookAtProject } from '../../tracking/look.ts';

/**
 * Takes down containers alone, under the project lock.
 *
 * @throws DevctlError 'locked', 'survivors', 'usage'
 */
export async function stopContainersAlone(
  host: Host,
  folder: ProjectFolder,
  options: ContainersDownOptions & { readonly warn: (line: string) => void },
): Promise<ContainersStop | null> {
  const { force, warn } = options;
  const lock = await takeLockToStop({ host, folder, self: await host.self(), force, warn });
  try {
    const read = readContainersRecord(folder);
    if (read.kind === 'record' && read.record.state === 'intent')
      await endComposeAtWork(host, folder);
    return await stopContainers(host, folder, options);
  } finally {
    lock?.release();
  }
}

/** Time that compose has to end after a signal, in ms. */
const END_MS = 2_000;
const END_POLL_MS = 50;

/** Ends compose and docker that a killed `start` has left at work: they would bring up containers after this stop. */
async function endComposeAtWork(host: Host, folder: ProjectFolder): Promise<void> {
  const atWork = async (): Promise<readonly Claim[]> =>
    (await lookAtProject(host, folder)).claims.filter(isOfNoRun);
  let left = await atWork();
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    for (const { process } of left) await host.signal(process.identity, signal);
    const untilMs = host.nowMs() + END_MS;
    while (left.length > 0 && host.nowMs() < untilMs) {
      await delay(END_POLL_MS);
      left = await atWork();
    }
  }
  const [first] = left;
  if (first) {
    throw new DevctlError(
      'survivors',
      `compose is still at work after SIGKILL: pid ${first.process.identity.pid}`,
      { hint: `${DEVCTL} stop --containers, once it has ended` },
    );
  }
}

/** A program that works for the project and is of no service: it carries the mark without a run. */
function isOfNoRun({ service, runId, evidence }: Claim): boolean {
  return service === null && runId === null && evidence.some(({ kind }) => kind === 'cookie');
}
