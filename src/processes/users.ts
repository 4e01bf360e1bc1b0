import { readFileSync } from 'node:fs';

/** Tells whether a process runs as the user of this process. Null, an unreadable user, counts as our own. */
export function isOwnUser(uid: number | null): boolean {
  return uid === null || uid === (process.geteuid?.() ?? uid);
}

/**
 * Finds the name of a user, for people, in /etc/passwd (passwd(5)).
 *
 * @returns `user 1000` where the file has no such entry (LDAP, a container) or cannot be read
 */
export function userName(uid: number): string {
  try {
    for (const line of readFileSync('/etc/passwd', 'utf8').split('\n')) {
      const [name, , id] = line.split(':');
      if (name && id === String(uid)) return name;
    }
  } catch {
    // Without that file people see the number.
  }
  return `user ${uid}`;
}
