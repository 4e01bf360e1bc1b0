import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import type { Host } from '../../processes/host.ts';
import type { Identity } from '../../processes/identity.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import { readRecord } from '../../project/records.ts';
import type { RunContained } from '../../services/launch/stop-command.ts';
import { trackClaims } from '../../tracking/claim-tracker.ts';
import { type ProjectState, readProjectState } from '../../tracking/project-state.ts';
import { isProvedByGroup } from '../../tracking/run-groups.ts';
import { doubtsInWords } from './left-alone.ts';
import { stopRuns } from './stop-runs.ts';
import { survivorsInWords } from './survivors.ts';

export interface EndServiceRunRequest {
  /** True while the leader lives, so that the stop command has a process to speak to. */
  readonly command: boolean;
  /** Aborted when another command takes over: then nothing more is sent, as if this process had been killed. */
  readonly signal: AbortSignal;
}

interface RunEnderContext {
  readonly host: Host;
  readonly folder: ProjectFolder;
  readonly self: Identity;
  readonly runContained: RunContained;
}

/** A run whose leader has ended and of which something may be left. */
interface DueRun {
  readonly name: string;
  readonly signal: AbortSignal;
  resolve(why: string | null): void;
  reject(error: unknown): void;
}

/**
 * Makes the function that ends the rest of a service's run before the next run begins. An empty control group is proof
 * enough. Without one it goes on until two scans and a deep scan find nothing, like `stop`; runs that are due together
 * share these scans, because services that crash again and again would cost several scans each.
 *
 * @returns a function that resolves with null when no process of the run is alive, otherwise with the survivors in
 *   words. It rejects with the reason of `signal` once that is aborted
 */
export function createRunEnder(
  context: RunEnderContext,
): (name: string, request: EndServiceRunRequest) => Promise<string | null> {
  const due: DueRun[] = [];
  let isLooking = false;
  const look = async (): Promise<void> => {
    isLooking = true;
    // Exits that Node tells in one turn of the event loop are due together.
    await turnOfTheLoop();
    while (due.length > 0) due.push(...(await endTogether(context, due.splice(0))));
    isLooking = false;
  };
  return async (name, { command, signal }) => {
    signal.throwIfAborted();
    if (command) return endAlone(context, { name, signal }, command);
    const read = readRecord(context.folder, name);
    if (read.kind === 'record' && isProvedByGroup(read.record, context.folder)) return null;
    return new Promise((resolve, reject) => {
      due.push({ name, signal, resolve, reject });
      if (!isLooking) void look();
    });
  };
}

/**
 * Ends runs whose leaders have ended. Nothing lives of most of them, so one look tells them from the others.
 *
 * @returns the runs that are due again, because another command took over one of them in the middle
 */
async function endTogether(
  context: RunEnderContext,
  runs: readonly DueRun[],
): Promise<readonly DueRun[]> {
  try {
    const { host, folder, self } = context;
    const state = readProjectState(folder);
    const tracker = trackClaims({ state, self, names: new Set(), keepsCommands: false });
    const claims = [...tracker.claim(await host.snapshot()).values()];
    const left = runs.filter(({ name }) => claims.some(({ service }) => service === name));
    // Each with its own grace period, for which no other run waits.
    for (const run of left) endAlone(context, run, false).then(run.resolve, run.reject);
    const ended = runs.filter((run) => !left.includes(run));
    return ended.length === 0 ? [] : await proveTogether(context, state, ended);
  } catch (error) {
    for (const run of runs) run.reject(error);
    return [];
  }
}

async function proveTogether(
  context: RunEnderContext,
  state: ProjectState,
  runs: readonly DueRun[],
): Promise<readonly DueRun[]> {
  try {
    const why = await endRuns(context, state, runs, false);
    for (const run of runs) run.resolve(why(run.name));
    return [];
  } catch (error) {
    const isTakenOver = runs.some(({ signal }) => signal.aborted);
    for (const { signal, reject } of runs) if (!isTakenOver || signal.aborted) reject(error);
    return isTakenOver ? runs.filter(({ signal }) => !signal.aborted) : [];
  }
}

async function endAlone(
  context: RunEnderContext,
  run: Pick<DueRun, 'name' | 'signal'>,
  command: boolean,
): Promise<string | null> {
  const why = await endRuns(context, readProjectState(context.folder), [run], command);
  return why(run.name);
}

/** @returns tells for a service what is left of its run; null: nothing */
async function endRuns(
  { host, self, runContained }: RunEnderContext,
  state: ProjectState,
  runs: readonly Pick<DueRun, 'name' | 'signal'>[],
  command: boolean,
): Promise<(name: string) => string | null> {
  const onScan = (): void => {
    for (const { signal } of runs) signal.throwIfAborted();
  };
  const { history, owned } = await stopRuns(
    { host, self, state, onScan, runContained },
    {
      names: runs.map(({ name }) => name),
      force: false,
      graceMs: null,
      sweep: null,
      commands: command,
      deepScan: { declared: [], atOnce: false },
    },
  );
  const snapshot = history.entries().length === 0 ? null : await host.snapshot();
  return (name) => {
    const survivors = snapshot && survivorsInWords(history, snapshot, name);
    if (survivors) return `what is left of it outlives SIGKILL: ${survivors}`;
    const doubts = doubtsInWords(owned.latest().spared, state, [name]);
    return doubts && `it may have left a process, which was left alone: ${doubts}`;
  };
}
