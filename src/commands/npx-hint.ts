import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { StartedService } from '../client/started-service.ts';
import { foldersUpwards } from '../project/inside.ts';

/** The words of a shell that has not found a program, as dash and bash have them. */
const NOT_FOUND = /(?:^|: )([\w@.-]+): (?:command )?not found$/;

/**
 * Says how to start a program that a shell has not found, where it is installed with the project.
 *
 * @param cwd the working folder of the service
 * @returns null where it is not installed, and for other failures
 */
export function npxHint(
  { lastLines }: Pick<StartedService, 'lastLines'>,
  cwd: string,
): string | null {
  const program = lastLines.flatMap((line) => NOT_FOUND.exec(line.trim())?.[1] ?? []).at(-1);
  if (program === undefined) return null;
  const folder = foldersUpwards(cwd).find((one) => existsSync(join(one, BIN, program)));
  return folder === undefined
    ? null
    : `${program} is in ${join(folder, BIN)}: "command": "npx ${program} …" starts it`;
}

const BIN = join('node_modules', '.bin');
