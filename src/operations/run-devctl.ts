import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { inWords } from '../errors.ts';
import { definedOnly } from '../manifest/variables.ts';
import { packageRoot } from '../package-root.ts';

export interface OwnCommand {
  /** Never rejects. */
  readonly done: Promise<{
    /** Null: it was ended by a signal, or could not be run. */
    readonly code: number | null;
    /** What it has printed on stdout, as JSON; undefined where that is none. */
    readonly document: unknown;
    /** The last line on stderr. */
    readonly lastLine: string;
  }>;
  /** Ctrl-C. */
  interrupt(): void;
  /** It goes on by itself, and need not be waited for. */
  release(): void;
}

/**
 * Runs another devctl beside this one, for a screen that must not hold the lock, stand still or be ended by
 * `stop --force`. In a session of its own: it finishes, whatever becomes of us.
 *
 * @param words without `--json`
 * @param hear every line that it prints on stderr
 */
export function runOwnCommand(words: readonly string[], hear: (line: string) => void): OwnCommand {
  let child: ChildProcessByStdio<null, Readable, Readable>;
  try {
    child = spawnOwn(words);
  } catch (error) {
    // Some refusals are thrown (ENOMEM), others (EAGAIN) come as an event.
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
    for (const line of lines.filter((one) => one.trim() !== '')) {
      lastLine = line;
      hear(line);
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
    // A child of ours that has not been reaped: its number is its own.
    interrupt: () => void child.kill('SIGINT'),
    release() {
      child.unref();
      child.stdout.destroy();
      child.stderr.destroy();
    },
  };
}

function spawnOwn(words: readonly string[]): ChildProcessByStdio<null, Readable, Readable> {
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
