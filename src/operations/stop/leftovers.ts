import { DevctlError } from '../../errors.ts';
import { type StopContext, stopRuns } from './stop-runs.ts';
import { survivorsInWords } from './survivors.ts';

/**
 * Ends what earlier runs left behind, before anything is started in its place. The old records' stop
 * commands are not run: what they speak to is gone, or is about to be somebody else's.
 *
 * @param names  units: services, or `UNATTRIBUTED`
 * @throws DevctlError 'survivors' when anything outlived it; its record stays
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
