import type { Host } from '../../processes/host.ts';
import type { Identity } from '../../processes/identity.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import type { RunContained } from '../../services/launch/stop-command.ts';
import { readProjectState } from '../../tracking/project-state.ts';
import { stopRuns } from './stop-runs.ts';
import { survivorsInWords } from './survivors.ts';

export interface EndServiceRunRequest {
  /** True while the leader lives, so that the stop command has a process to speak to. */
  readonly command: boolean;
  /** Aborted when another command takes over: then nothing more is sent, as if this process had been killed. */
  readonly signal: AbortSignal;
}

/**
 * Ends the rest of a service's run before the next run begins. Like `stop`, it goes on until two scans and a deep scan
 * find nothing.
 *
 * @returns null when no process of the run is alive; otherwise the survivors in words
 * @throws the reason of `signal` once that is aborted
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
      onScan: () => signal.throwIfAborted(),
      runContained,
    },
    {
      names: [name],
      force: false,
      graceMs: null,
      sweep: null,
      commands: request.command,
      deepScan: { declared: [], atOnce: false },
    },
  );
  const survivors = survivorsInWords(history, await host.snapshot());
  return survivors && `what is left of it outlives SIGKILL: ${survivors}`;
}
