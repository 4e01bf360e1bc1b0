import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CONTAINERS_RECORD } from '../project/names.ts';

/** Absolute path of the record of a project's containers. */
export function containersRecordPath(pidsDir: string): string {
  return join(pidsDir, CONTAINERS_RECORD);
}

/**
 * Tells whether a start of this project has made containers, or was about to. It costs one look, so that a project that
 * never had containers loads nothing and asks nobody.
 */
export function hasContainersRecord(pidsDir: string): boolean {
  return existsSync(containersRecordPath(pidsDir));
}
