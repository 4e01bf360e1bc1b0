import { constants } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { cleanEnvironment } from './clean-environment.ts';
import { repositoryRoot } from './paths.ts';
import type { TemporaryProject } from './temporary-project.ts';

export interface DevctlResult {
  /** The exit code; 128 + n for a command that signal n ended, as in a shell. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface DevctlOptions {
  /** Variables on top of the clean environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** The working directory; the root of the project by default. */
  readonly cwd?: string;
  /** The user that runs it, if not our own. Only root can do that. */
  readonly uid?: number;
}

/** Longer than any command takes on a busy machine, and shorter than a test may take, in milliseconds. */
const TIMEOUT_MS = 150_000;

/** Runs `devctl …args` in the project's folder to its end, without a terminal and with stdin at its end. */
export function devctl(
  project: TemporaryProject,
  ...args: readonly string[]
): Promise<DevctlResult> {
  return devctlWith(project, {}, ...args);
}

/** Does the same as `devctl` in another environment or working directory. */
export async function devctlWith(
  project: TemporaryProject,
  options: DevctlOptions,
  ...args: readonly string[]
): Promise<DevctlResult> {
  const result = await startDevctl(project, options, ...args);
  if (result.timedOut) {
    const ran = `devctl ${args.join(' ')}`;
    throw new Error(`${ran} was still running after ${TIMEOUT_MS / 1000} s:\n${result.stderr}`);
  }
  const { signal } = result;
  const exitCode = result.exitCode ?? (signal && 128 + constants.signals[signal]);
  if (exitCode === undefined) throw new Error(`devctl could not be started: ${result.message}`);
  return {
    exitCode,
    stdout: result.stdout,
    stderr: result.stderr,
  };
}

/** Does the same as `devctlWith` without waiting. Returns the subprocess of execa, which does not reject. */
export function startDevctl(
  project: TemporaryProject,
  options: DevctlOptions,
  ...args: readonly string[]
) {
  return execa(process.execPath, [join(repositoryRoot, 'bin', 'devctl.js'), ...args], {
    cwd: options.cwd ?? project.root,
    env: { ...cleanEnvironment(), ...project.env, ...options.env },
    extendEnv: false,
    reject: false,
    stdin: 'ignore',
    timeout: TIMEOUT_MS,
    // Else execa kills devctl 5 s after a signal of the test, in the midst of its proof on a busy machine.
    forceKillAfterDelay: false,
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  });
}
