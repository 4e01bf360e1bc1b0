import { existsSync } from 'node:fs';
import { DevctlError } from '../errors.ts';
import type { OpenProject } from '../project/open-project.ts';

/**
 * A folder without manifest, records or processes is no project: the person is in the wrong place.
 *
 * @param foundSomething were there services or processes all the same?
 * @throws DevctlError 'manifest-not-found'
 */
export function requireProject({ folder, outline }: OpenProject, foundSomething: boolean): void {
  if (outline.kind !== 'absent' || foundSomething || existsSync(folder.pidsDir)) return;
  throw new DevctlError('manifest-not-found', `no manifest found: ${outline.looked}`, {
    hint: 'go to the folder of your project, or name its manifest with --config FILE; if the manifest is lost: devctl stop --force',
  });
}
