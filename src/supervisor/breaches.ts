import { readBreachRecord } from '../limits/breach-file.ts';
import type { Breach } from '../limits/evaluate.ts';
import type { LimitKind } from '../manifest/resolved.ts';
import { livesIn, type Snapshot } from '../processes/snapshot.ts';
import { asObject, isCount, isText } from '../project/field-checks.ts';
import type { ProjectFolder } from '../project/folder.ts';

/** The limits that are exceeded at this time, as the supervisor sees it; none where there is no supervisor. */
export function currentBreaches(folder: ProjectFolder, snapshot: Snapshot): readonly Breach[] {
  const record = readBreachRecord(folder);
  if (!record || !livesIn(snapshot, record.supervisor)) return [];
  return record.breaches.filter(isBreach);
}

const KINDS: readonly string[] = [
  'processes',
  'memory',
  'cpu',
  'runtime',
  'idle',
] satisfies LimitKind[];

function isBreach(value: unknown): value is Breach {
  const { service, limit, value: used, allowed, branch, atMs } = asObject(value) ?? {};
  const isNumber = [used, allowed].every((one) => typeof one === 'number' && one >= 0);
  const { command, pid, processes, memoryBytes } = asObject(branch) ?? {};
  const isBranch = isText(command) && [pid, processes, memoryBytes].every(isCount);
  return (
    (service === null || isText(service)) &&
    isText(limit) &&
    KINDS.includes(limit) &&
    isNumber &&
    (branch === null || isBranch) &&
    isCount(atMs)
  );
}
