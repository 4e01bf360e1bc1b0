import type { ChildProcess } from 'node:child_process';
import type { Options } from 'execa';
import { noteChild } from './own-children.ts';

/** The child of a spawn, or the promise of the error because of which there is none. */
export type Spawned =
  | { readonly child: ChildProcess; readonly pid: number }
  | { readonly child: null; readonly failure: Promise<unknown> };

export interface SpawnPlace {
  /** Absolute path. */
  readonly cwd: string;
  /** The whole environment of the child: nothing of ours is added. */
  readonly env: NodeJS.ProcessEnv;
  readonly stdio: readonly [StdioEntry, StdioEntry, StdioEntry, ...StdioEntry[]];
}

/** A number stands for a descriptor of ours. */
type StdioEntry = 'ignore' | 'inherit' | 'pipe' | number;

/** Starts a program as the leader of a session of its own. Never throws. */
export type SpawnChild = (file: string, args: readonly string[], place: SpawnPlace) => Spawned;

/** The end of a program that printed to us. */
export interface ProgramEnd {
  readonly pid: number | undefined;
  /** Undefined where a signal ended the program, or where it could not be run. */
  readonly exitCode: number | undefined;
  /** Why the program could not be run, or was cut off because it printed too much; else undefined. */
  readonly error: unknown;
  /** As latin1: one character a byte, so nothing is lost or guessed. Empty where nothing ran. */
  readonly stdout: string;
  readonly stderr: string;
}

/** Options of every spawn, because execa's defaults would add our environment, throw, and trim the output. */
const PLAIN = {
  extendEnv: false,
  reject: false,
  stripFinalNewline: false,
  // NODE_DEBUG=execa would print command lines, which may hold secrets.
  verbose: 'none',
} as const;

/** Options for a child that outlives us: execa reads nothing from it and never ends it. */
const DETACHED = {
  ...PLAIN,
  detached: true,
  buffer: false,
  cleanup: false,
  forceKillAfterDelay: false,
} as const;

/** Largest output of a tool: `lsof` on a large machine may need more than execa's default of 100 MB. */
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;

/** Options for a tool. It needs no folder of its own, and ours may have been removed. */
const PRINTING = { ...PLAIN, cwd: '/', encoding: 'latin1', maxBuffer: MAX_OUTPUT_BYTES } as const;

type Execa = Pick<typeof import('execa'), 'execa' | 'execaSync'>;

let loading: Promise<Execa> | undefined;
let loaded: Execa | undefined;

/**
 * Loads execa, with the first spawn only: that takes 15 ms, and most commands spawn nothing.
 *
 * @returns a synchronous function, because a service is born while its parent stands in the control group of the run:
 *   call this before the parent enters the group
 */
export async function loadSpawn(): Promise<SpawnChild> {
  const execa = await load();
  return (file, args, place) => spawnWith(execa, file, args, place);
}

async function load(): Promise<Execa> {
  loading ??= import('execa');
  loaded = await loading;
  return loaded;
}

/** The one place where the supervisor makes a child that it keeps. */
function spawnWith(
  { execa }: Execa,
  file: string,
  args: readonly string[],
  { cwd, env, stdio }: SpawnPlace,
): Spawned {
  try {
    // execa takes any descriptor; its types end at 9.
    const options = { ...DETACHED, cwd, env, stdio: stdio as Options['stdio'] };
    const child = execa(file, args, options);
    noteChild(child);
    const { pid } = child;
    // Never returned bare: execa's child is also a promise of its end, which an `await` would wait for.
    if (pid !== undefined) return { child, pid };
    return { child: null, failure: failureOf(child) };
  } catch (error) {
    // Arguments that execa itself refuses, such as a text with a NUL.
    return { child: null, failure: Promise.resolve(error) };
  }
}

/**
 * Resolves with the system's refusal. Node emits most of them (ENOENT), and execa catches those that Node throws (E2BIG).
 * Where our own folder has been removed, execa fails to word the error and its promise rejects.
 */
function failureOf(child: Child): Promise<unknown> {
  return new Promise((resolve) => {
    child.once('error', resolve);
    child.then(({ cause }) => resolve(cause), resolve);
  });
}

type Child = Pick<ChildProcess, 'once' | 'pid'> & PromiseLike<Result>;

/** As execa has it, which leaves out what it does not know. */
interface Result {
  readonly exitCode?: number;
  readonly cause?: unknown;
  readonly stdout?: string | undefined;
  readonly stderr?: string | undefined;
}

/** Runs a program to its end and keeps its output. */
export async function runToEnd(
  file: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<ProgramEnd> {
  const { execa } = await load();
  const child = execa(file, args, { ...PRINTING, cleanup: false, env, stdin: 'ignore' });
  noteChild(child);
  if (child.pid === undefined) return endOf({ cause: await failureOf(child) });
  return { ...endOf(await child), pid: child.pid };
}

/**
 * Runs a program to its end without a turn of the event loop.
 *
 * @throws Error where `runToEnd` has not been called before, because execa cannot be loaded at once
 */
export function runToEndSync(
  file: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): ProgramEnd {
  if (!loaded) throw new Error(`execa is not loaded yet, so ${file} cannot be run at once`);
  const stdio = ['ignore', 'pipe', 'ignore'] as const;
  return endOf(loaded.execaSync(file, args, { ...PRINTING, env, stdio }));
}

function endOf({ exitCode, cause, stdout = '', stderr = '' }: Result): ProgramEnd {
  return { pid: undefined, exitCode, error: cause, stdout, stderr };
}
