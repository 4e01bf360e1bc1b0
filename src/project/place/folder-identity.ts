import { statSync } from 'node:fs';

/** Device and inode number (stat(2)), as text: they name one folder for as long as it is there. */
export interface FolderIdentity {
  readonly device: string;
  readonly inode: string;
}

/** The identity of a folder; null where it cannot be looked at. */
export function identityOf(path: string): FolderIdentity | null {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return { device: String(dev), inode: String(ino) };
  } catch {
    return null;
  }
}
