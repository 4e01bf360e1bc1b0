import { type ChildProcess, spawn } from 'node:child_process';
import { errnoOf } from '../../errors.ts';
import { noteChild } from '../../processes/own-children.ts';
import type { Exit } from '../../project/service-record.ts';
import type { Contain } from './launch.ts';
import { spawnFailure } from './spawn-failure.ts';

/** Where and how a command is spawned that a person looks at. */
export interface AttachPlace {
  readonly cwd: string;
  /** The whole environment, exactly. */
  readonly env: Readonly<Record<string, string>>;
  /**
   * True: the command stays in our session and process group, so that the keys of the terminal (Ctrl-C,
   * Ctrl-Z, Ctrl-\\) and changes of its size reach it as they reach us. False: it gets a session of its own.
   */
  readonly terminal: boolean;
  readonly contain: Contain | null;
}

/** The result of `attach`. */
export type Attached =
  | {
      readonly kind: 'launched';
      readonly pid: number;
      /** Why it is not contained as `contain` was to do it; null when it is, or was not to be. */
      readonly uncontained: string | null;
      /** Resolves when it has ended, whatever it leaves behind. Never rejects. */
      readonly exited: Promise<Exit>;
    }
  | {
      readonly kind: 'failed';
      readonly reason: string;
      /** The exit code of a shell for it: 127 not found, 126 found but not executable; null for other reasons. */
      readonly shellCode: 126 | 127 | null;
    };

/**
 * Spawns a command with our own standard files: the counterpart of `launch` for a command that a person looks at.
 *
 * With Node's own spawn, because a person waits for `devctl run`, and execa takes 15 ms to load.
 */
export async function attach(argv: readonly string[], place: AttachPlace): Promise<Attached> {
  const { cwd, env, terminal } = place;
  const [file = '', ...args] = argv;
  const failed = (error: unknown): Attached => ({
    kind: 'failed',
    reason: spawnFailure(error, argv, place),
    shellCode: shellCodeOf(errnoOf(error)),
  });
  let child: ChildProcess;
  let uncontained: string | null = null;
  try {
    const spawnAttached = (): ChildProcess =>
      noteChild(spawn(file, args, { cwd, env, stdio: 'inherit', detached: !terminal }));
    if (place.contain) ({ child, why: uncontained } = place.contain(spawnAttached));
    else child = spawnAttached();
  } catch (error) {
    // Node throws some failures (E2BIG, ENOMEM), and emits the others as an event.
    return failed(error);
  }
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  const { pid } = child;
  if (pid !== undefined) return { kind: 'launched', pid, uncontained, exited };
  return new Promise((resolve) => child.once('error', (error) => resolve(failed(error))));
}

function shellCodeOf(errno: string | undefined): 126 | 127 | null {
  if (errno === 'ENOENT') return 127;
  return errno === 'EACCES' || errno === 'ENOEXEC' ? 126 : null;
}
