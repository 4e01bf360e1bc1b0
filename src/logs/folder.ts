import { statSync } from 'node:fs';
import { join } from 'node:path';
import { DevctlError } from '../errors.ts';
import type { ProjectFolder } from '../project/folder.ts';
import { writableFolder } from '../project/records-folder.ts';
import { ensureOwnFolder, makeFolders } from '../project/safe-folder.ts';

/**
 * Makes the folders for the output and the input of services: for logs, which the manifest may place
 * anywhere, and for stdin FIFOs.
 *
 * @throws DevctlError 'records-unwritable', 'unsafe', 'folder-moved'
 */
export function makeLogsFolder(folder: ProjectFolder, logsDir: string): void {
  ensureOwnFolder(join(writableFolder(folder, null), 'stdin'), true, { within: folder.root });
  try {
    makeFolders(logsDir, folder.root);
    if (!statSync(logsDir).isDirectory()) throw new Error('it is not a folder');
  } catch (error) {
    folder.requireHere?.();
    const why = error instanceof Error ? error.message : String(error);
    throw new DevctlError('records-unwritable', `${logsDir} cannot be made: ${why}`, {
      hint: 'free the path, or set logs.dir in the manifest',
      cause: error,
    });
  }
}
