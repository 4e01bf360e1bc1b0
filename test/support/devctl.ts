import { join } from 'node:path';
import { execa } from 'execa';
import { cleanEnvironment } from './clean-environment.ts';
import { repositoryRoot } from './paths.ts';
import type { TemporaryProject } from './temporary-project.ts';

export interface DevctlResult {
  /** As a shell tells it: 128 + n when signal n ended it. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface DevctlOptions {
  /** Variables on top of the clean environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where to run it; the project's root if not given. */
  readonly cwd?: string;
  /** Who runs it, where that is somebody else; takes root. */
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

/** Like `devctl`, with another environment or working directory. */
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
  return {
    exitCode: result.exitCode ?? -1,
    stdout: result.stdout,
    stderr: result.stderr,
  };
}

/** Like `devctlWith`, without waiting: execa's subprocess, to be signalled or watched. Does not reject. */
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
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  });
}
