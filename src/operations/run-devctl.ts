import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { inWords } from '../errors.ts';
import { definedOnly } from '../manifest/variables.ts';
import { packageRoot } from '../package-root.ts';

/** Another devctl command that this process has started. */
export interface OwnCommand {
  /** Never rejects. */
  readonly done: Promise<{
    /** Null: a signal ended the command, or it could not be run. */
    readonly code: number | null;
    /** The JSON that it has printed on stdout; undefined where it has printed none. */
    readonly document: unknown;
    /** The last line that it has printed on stderr. */
    readonly lastLine: string;
  }>;
  /** Sends SIGINT, as Ctrl-C does. */
  interrupt(): void;
  /** Lets the command go on by itself, so that this process may end before it. */
  release(): void;
}

/**
 * Runs another devctl command for the monitor, which must not hold the lock, block, or be ended by `stop --force`. The
 * command has a session of its own, so it finishes even if this process ends.
 *
 * @param words the command line, without `--json`
 * @param onLine called with every line that the command prints on stderr
 */
export function runOwnCommand(
  words: readonly string[],
  onLine: (line: string) => void,
): OwnCommand {
  let child: ChildProcessByStdio<null, Readable, Readable>;
  try {
    child = spawnDevctl(words);
  } catch (error) {
    // Node throws some errors of a spawn (ENOMEM), and emits others as an event (EAGAIN).
    const result = { code: null, document: undefined, lastLine: inWords(error) };
    return { done: Promise.resolve(result), interrupt: () => {}, release: () => {} };
  }
  let out = '';
  let rest = '';
  let lastLine = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    out += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines.filter((text) => text.trim() !== '')) {
      lastLine = line;
      onLine(line);
    }
  });
  const done: OwnCommand['done'] = new Promise((resolve) => {
    child.once('error', (error) => {
      resolve({ code: null, document: undefined, lastLine: error.message });
    });
    child.once('close', (code) => resolve({ code, document: parsed(out), lastLine }));
  });
  return {
    done,
    // Node has not reaped the child yet, so no other process can have its pid.
    interrupt: () => void child.kill('SIGINT'),
    release() {
      child.unref();
      child.stdout.destroy();
      child.stderr.destroy();
    },
  };
}

function spawnDevctl(words: readonly string[]): ChildProcessByStdio<null, Readable, Readable> {
  const program = join(packageRoot(), 'bin', 'devctl.js');
  return spawn(process.execPath, [program, ...words, '--json', '--no-color'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    env: definedOnly(process.env),
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
