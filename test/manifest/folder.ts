import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { DevctlError } from '../../src/errors.ts';

/**
 * Makes a folder with these files, by relative path, and removes it when the test is over. A content that
 * is neither text nor bytes is written as JSON.
 */
export function folderWith(files: Readonly<Record<string, unknown>>): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'devctl-manifest-')));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) write(join(folder, name), content);
  return folder;
}

export function write(file: string, content: unknown): void {
  mkdirSync(dirname(file), { recursive: true });
  const raw = typeof content === 'string' || content instanceof Uint8Array;
  writeFileSync(file, raw ? content : JSON.stringify(content, null, 2));
}

/** Returns the DevctlError that `action` throws; anything else fails the test. */
export function errorOf(action: () => unknown): DevctlError {
  try {
    action();
  } catch (error) {
    if (error instanceof DevctlError) return error;
    throw error;
  }
  throw new Error('expected a DevctlError, but nothing was thrown');
}
