import { DevctlError } from '../../errors.ts';
import { livesIn } from '../../processes/snapshot.ts';
import { type StopContext, stopRuns } from './stop-runs.ts';

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
  const snapshot = await context.host.snapshot();
  const survivors = history
    .entries()
    .map(({ claim }) => claim.process)
    .filter(({ identity }) => livesIn(snapshot, identity));
  if (survivors.length === 0) return;
  const who = survivors.map(({ identity, name }) => `${name} (pid ${identity.pid})`).join(', ');
  throw new DevctlError('survivors', `still alive after SIGKILL, left over from before: ${who}`, {
    hint: 'nothing was started; what it takes to end them: devctl stop',
  });
}
