import { ownVersion } from '../../package-root.ts';
import { openFilesLimit, processLimits } from '../../processes/linux/process-limits.ts';
import { loadNative } from '../../processes/native/native.ts';
import type { Snapshot } from '../../processes/snapshot.ts';
import type { OpenProject } from '../../project/open-project.ts';
import { openRunGroups } from '../../tracking/run-groups.ts';
import { type DoctorFinding, finder } from './finding.ts';

/**
 * Checks by which means this machine can contain services. Makes a control group and removes it, to see whether that is
 * possible.
 */
export async function checkMachine({ folder }: OpenProject): Promise<readonly DoctorFinding[]> {
  const find = finder('machine');
  const native = await loadNative();
  const subreaper = native.available ? native.becomeSubreaper() : { held: false, why: native.why };
  const groups = openRunGroups(folder, () => {});
  const why = 'why' in groups ? groups.why : null;
  const koffi = /koffi does not load/.test(subreaper.why ?? '') ? 'npm install koffi' : null;
  const alone = !subreaper.held && why !== null;
  const pidfd = native.available ? native.whyNoPidfd : native.why;
  return [
    find('ok', `devctl ${ownVersion()}, Node ${process.versions.node}, ${process.platform}`),
    subreaper.held
      ? find('ok', 'subreaper: what a service leaves behind stays below its supervisor')
      : find('warning', `no subreaper: ${subreaper.why}`, koffi),
    why === null
      ? find('ok', 'control groups: each run is born in one of its own')
      : find(alone ? 'warning' : 'ok', `no control groups: ${why}`),
    pidfd === null
      ? find('ok', 'pidfds: no signal can hit the next owner of a number')
      : find('ok', `no pidfds, identities are checked before each signal: ${pidfd}`),
    ...(alone
      ? [find('warning', 'with neither, every proof is best effort (docs/limits.md)', koffi)]
      : []),
  ];
}

/** The share of a limit from which on it counts as nearly reached. */
const CLOSE = 0.8;
/** The limit of open files below which it counts as small. */
const FEW_FILES = 1024;

/** Checks how close this machine is to its limits of processes and open files. */
export function checkLimits(snapshot: Snapshot): readonly DoctorFinding[] {
  const find = finder('limits');
  const files = openFilesLimit();
  const found = processLimits(snapshot).map(({ used, limit, by }) => {
    const message = `processes and threads: ${used} of ${limit} (${by})`;
    if (used < CLOSE * limit) return find('ok', message);
    return find('warning', message, by === 'RLIMIT_NPROC' ? `ulimit -u ${4 * limit}` : null);
  });
  const few = files !== null && files < FEW_FILES;
  return [
    ...(found.length > 0 ? found : [find('ok', 'processes: no limit that can be seen')]),
    ...(few ? [find('warning', `open files: only ${files}`, `ulimit -n ${FEW_FILES}`)] : []),
  ];
}
