import type { Host } from '../../processes/host.ts';
import type { Identity } from '../../processes/identity.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import type { RunContained } from '../../services/launch/stop-command.ts';
import { readProjectState } from '../../tracking/project-state.ts';
import { stopRuns } from './stop-runs.ts';
import { survivorsInWords } from './survivors.ts';

export interface EndServiceRunRequest {
  /** Is there still somebody for its stop command to speak to? */
  readonly command: boolean;
  /** Aborted when somebody else ends it: then nothing more is sent, as if this process had been killed. */
  readonly signal: AbortSignal;
}

/**
 * Ends all that is left of a service's run, before another one takes its place, as `stop` does: until
 * two scans and a closer look find nothing.
 *
 * @returns null when nothing of it is alive; else what is
 * @throws the reason of `signal`, once that is aborted
 */
export async function endServiceRun(
  host: Host,
  folder: ProjectFolder,
  name: string,
  request: EndServiceRunRequest & { readonly self: Identity; readonly runContained: RunContained },
): Promise<string | null> {
  const { self, signal, runContained } = request;
  const state = readProjectState(folder);
  const { history } = await stopRuns(
    {
      host,
      self,
      state,
      watch: () => signal.throwIfAborted(),
      runContained,
    },
    {
      names: [name],
      force: false,
      graceMs: null,
      sweep: null,
      commands: request.command,
      closer: { declared: [], atOnce: false },
    },
  );
  const survivors = survivorsInWords(history, await host.snapshot());
  return survivors && `what is left of it outlives SIGKILL: ${survivors}`;
}
