import { DevctlError } from '../../errors.ts';
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
  const { history, problems } = await stopRuns(
    { ...context, state: { ...context.state, records } },
    { names, force: false, graceMs: null, sweep: null },
  );
  for (const problem of problems) warn(problem);
  const survivors = survivorsInWords(history, await context.host.snapshot());
  if (survivors === null) return;
  const message = `still alive after SIGKILL, left over from before: ${survivors}`;
  throw new DevctlError('survivors', message, {
    hint: 'nothing was started; what it takes to end them: devctl stop',
  });
}
