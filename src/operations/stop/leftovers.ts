import { DevctlError } from '../../errors.ts';
import { DEVCTL } from '../../own-command.ts';
import type { Claim, Spared } from '../../ownership/claim.ts';
import { describeCommand } from '../../processes/describe.ts';
import type { Snapshot } from '../../processes/snapshot.ts';
import { type ProjectState, UNATTRIBUTED } from '../../tracking/project-state.ts';
import { doubtsInWords } from './left-alone.ts';
import { type StopContext, stopRuns } from './stop-runs.ts';
import { survivorsInWords } from './survivors.ts';

/**
 * Ends the processes that earlier runs left behind, before a new run begins. The stop commands of the old records do
 * not run, because the process that they speak to is gone, or its place is about to be taken by another.
 *
 * @param names units of the stop: services, or `UNATTRIBUTED`
 * @throws DevctlError 'survivors' when a process outlived the stop; its record stays
 */
export async function endLeftovers(
  context: StopContext,
  names: readonly string[],
  warn: (line: string) => void,
): Promise<void> {
  const records = context.state.records.map((record) => ({
    ...record,
    stop: { ...record.stop, command: null },
  }));
  const { history, problems, owned } = await stopRuns(
    { ...context, state: { ...context.state, records } },
    {
      names,
      force: false,
      graceMs: null,
      sweep: null,
      deepScan: { declared: [], atOnce: false, outputsOnly: true },
    },
  );
  for (const problem of problems) warn(problem);
  const survivors = survivorsInWords(history, await context.host.snapshot());
  if (survivors !== null) {
    throw leftOver(`still alive after SIGKILL, left over from before: ${survivors}`);
  }
  requireNoDoubts(owned.latest().spared, context.state, names);
}

const MOST_NAMED = 3;
const LONGEST_COMMAND = 60;

/**
 * Says how many processes `endLeftovers` is about to end, and which: `2 processes left over of earlier runs of web: node a.js
 * (pid 12), sh b (pid 13)`.
 *
 * @param names as in `endLeftovers`
 */
export function leftoversInWords(
  claims: readonly Claim[],
  names: readonly string[],
  snapshot: Snapshot,
): string {
  const ending = claims.filter(({ service }) => names.includes(service ?? UNATTRIBUTED));
  const services = names.filter((name) => name !== UNATTRIBUTED);
  const of = services.length === 0 ? '' : ` of ${services.join(', ')}`;
  const named = ending.slice(0, MOST_NAMED).map(({ process }) => {
    const command = describeCommand(snapshot, process);
    const isLong = command.length > LONGEST_COMMAND;
    const shown = isLong ? `${command.slice(0, LONGEST_COMMAND - 1)}…` : command;
    return `${shown} (pid ${process.identity.pid})`;
  });
  const more = ending.length - named.length;
  const last = more > 0 ? ` and ${more} more` : '';
  const count = `${ending.length} ${ending.length === 1 ? 'process' : 'processes'}`;
  return `${count} left over of earlier runs${of}: ${named.join(', ')}${last}`;
}

/**
 * Requires that no process is in doubt that may be of these services, because a new run must not begin beside the rest
 * of an old one.
 *
 * @param names as in `endLeftovers`
 * @throws DevctlError 'survivors'
 */
export function requireNoDoubts(
  spared: readonly Spared[],
  state: ProjectState,
  names: readonly string[],
): void {
  const doubts = doubtsInWords(spared, state, names);
  if (doubts !== null)
    throw leftOver(`may be left over from before, and was left alone: ${doubts}`);
}

function leftOver(message: string): DevctlError {
  return new DevctlError('survivors', message, {
    hint: `nothing was started; what it takes to end them: ${DEVCTL} stop`,
  });
}
