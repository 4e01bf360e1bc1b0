import { serviceCookie } from '../../ownership/cookie.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import type { ServiceRecord } from '../../project/service-record.ts';
import type { Contain } from './launch.ts';
import {
  type CommandEnd,
  type Environment,
  runCommandToEnd,
  withoutCookie,
} from './run-command.ts';

/** A stop command that was run where the processes that it leaves behind can be found. */
export interface ContainedCommand {
  /** Null when the service has no stop command. */
  readonly end: CommandEnd | null;
  /** True when a subreaper or the control group of the run contained all that it started, from its birth on. */
  readonly held: boolean;
}

/**
 * Runs the stop command of this service below a supervisor, or with `isHook` its hook for `stopped`; null where no
 * supervisor could be asked.
 */
export type RunContained = (
  service: string,
  env: Environment,
  over: AbortSignal,
  isHook?: boolean,
) => Promise<ContainedCommand | null>;

export interface CommandPlace {
  /** The whole environment but the service's cookie, which replaces any other cookie. */
  readonly env: Environment;
  /** When this is aborted, the whole group of the command is killed. */
  readonly over: AbortSignal;
  /** Contains the command from its birth on; missing where the command needs no containment. */
  readonly contain?: Contain | null;
}

/**
 * Runs the stop command of a service, with its output in the service's log, until it ends. When `over`
 * is aborted before, its whole group is killed.
 *
 * The command has the service's cookie, so the next stop finds it even if we die meanwhile.
 *
 * @returns its end; null when the service has no stop command. Never rejects.
 */
export async function runStopCommand(
  folder: ProjectFolder,
  record: ServiceRecord,
  place: CommandPlace,
): Promise<CommandEnd | null> {
  const { command } = record.stop;
  return command === null ? null : runOfRun(folder, record, command, place);
}

/** Runs the hook of a service that has been stopped, as `runStopCommand` does. Its record says which command it is. */
export async function runStoppedHook(
  folder: ProjectFolder,
  record: ServiceRecord,
  place: CommandPlace,
): Promise<CommandEnd | null> {
  const { stopped } = record.stop;
  return stopped === undefined ? null : runOfRun(folder, record, stopped, place);
}

/** Runs a command with the mark of a run, in the folder of its service. */
function runOfRun(
  folder: ProjectFolder,
  { service, runId, cwd, log }: ServiceRecord,
  command: string | readonly string[],
  { env, over, contain }: CommandPlace,
): Promise<CommandEnd> {
  const marked = { ...withoutCookie(env), ...serviceCookie(folder, service, runId) };
  return runCommandToEnd(command, { cwd, env: marked, log, over, ...(contain ? { contain } : {}) });
}

/**
 * Words the problem of a stop command; null when it did its work in time.
 *
 * @param late true when it took longer than the grace period
 */
export function commandProblem(service: string, end: CommandEnd, late: boolean): string | null {
  const its = `${service}: its stop command`;
  if (end.kind === 'failed') return `${its} could not be run: ${end.why}`;
  const { code, signal } = end;
  if (late) return `${its} took longer than the grace period${signal ? `: ${signal}` : ''}`;
  if (signal) return `${its} was ended by ${signal}`;
  return code === 0 ? null : `${its} exited with code ${code}`;
}
