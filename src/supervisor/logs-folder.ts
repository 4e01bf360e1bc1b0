import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DevctlError } from '../errors.ts';
import type { ProjectFolder } from '../project/folder.ts';

/**
 * Makes the folders that services write to: logs (which the manifest may place anywhere) and FIFOs.
 *
 * @throws DevctlError 'records-unwritable'
 */
export function makeLogsFolder(folder: ProjectFolder, logsDir: string): void {
  for (const path of [logsDir, join(folder.pidsDir, 'stdin')]) {
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new DevctlError('records-unwritable', `${path} cannot be made: ${why}`, {
        hint: 'free the path, or set logs.dir and pidsDir in the manifest',
        cause: error,
      });
    }
  }
}
