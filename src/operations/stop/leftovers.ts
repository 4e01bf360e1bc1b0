import { DevctlError } from '../../errors.ts';
import { DEVCTL } from '../../own-command.ts';
import type { Spared } from '../../ownership/claim.ts';
import type { ProjectState } from '../../tracking/project-state.ts';
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
