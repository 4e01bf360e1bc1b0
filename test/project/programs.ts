import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { onTestFinished } from 'vitest';
import { temporaryFolder } from './records-folder.ts';

/**
 * Bundles one of `programs/` into a file that a bare Node can run, also as another user.
 *
 * @param pace 'slow' to widen the gaps between its reads and writes of the file system
 */
export function bundle(program: string, pace: 'full' | 'slow' = 'full'): string {
  const directory = temporaryFolder();
  chmodSync(directory, 0o755);
  const outfile = join(directory, `${program}.mjs`);
  buildSync({
    entryPoints: [pathOf(program)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    alias: pace === 'slow' ? { 'node:fs': pathOf('slow-fs') } : {},
  });
  return outfile;
}

function pathOf(program: string): string {
  return fileURLToPath(new URL(`./programs/${program}.ts`, import.meta.url));
}

export interface Program {
  readonly child: ChildProcess;
  readonly ended: Promise<{
    readonly code: number | null;
    readonly signal: NodeJS.Signals | null;
    readonly stdout: string;
    readonly stderr: string;
  }>;
}

/** Runs a command that does not outlive the test. */
export function run(command: string, argv: readonly string[]): Program {
  const child = spawn(command, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
  // It is our own child, and not reaped yet, so no other process can have its pid.
  onTestFinished(() => void child.kill('SIGKILL'));
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, ...output }));
  return { child, ended };
}
