import { homedir } from 'node:os';
import { isAbsolute } from 'node:path';

/**
 * Finds the home folder of this user: HOME, otherwise the user database.
 *
 * @returns null where there is none: without HOME, os.homedir() throws for a user id that has no entry, as containers
 *   have it
 */
export function homeFolder(): string | null {
  try {
    const home = homedir();
    return isAbsolute(home) ? home : null;
  } catch {
    return null;
  }
}
