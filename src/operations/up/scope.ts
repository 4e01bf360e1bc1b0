import type { Host } from '../../processes/host.ts';
import { livesIn } from '../../processes/snapshot.ts';
import type { OpenProject } from '../../project/open-project.ts';
import { readRecords } from '../../project/records.ts';
import { sweepSettingsOf } from '../stop/sweep-rules.ts';

/** Where nothing else runs, the supervisor ends as well; the sweep is for a stop of everything alone. */
export function endScope(
  project: OpenProject,
  ours: readonly string[] | null,
): { scope: readonly string[] | null; sweep: ReturnType<typeof sweepSettingsOf> } {
  const sweep = sweepSettingsOf(project, false);
  if (ours === null) return { scope: null, sweep };
  const { records, problems } = readRecords(project.folder);
  const isAll = problems.length === 0 && records.every(({ service }) => ours.includes(service));
  return { scope: isAll ? null : ours, sweep: { ...sweep, scope: 'off' } };
}

/** The services whose leader is alive. */
export async function runningNames(
  host: Host,
  { folder }: OpenProject,
): Promise<ReadonlySet<string>> {
  const { records } = readRecords(folder);
  if (records.length === 0) return new Set();
  const snapshot = await host.snapshot();
  const alive = records.filter(({ leader }) => leader && livesIn(snapshot, leader));
  return new Set(alive.map(({ service }) => service));
}
