import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../../errors.ts';
import { readWorkingFolder } from '../../processes/working-folder.ts';
import type { ProjectFolder } from '../../project/folder.ts';
import type { FolderIdentity } from '../../project/place/folder-identity.ts';

/** The folder at the project's path, as one look finds it. */
export type FolderAtPath =
  | 'same'
  /** Another folder, on the same device: a new checkout, perhaps. */
  | 'another'
  /** Another device: something was mounted or unmounted there. */
  | 'another-device'
  | 'missing'
  /** The system does not say: ESTALE, EIO, EACCES, ENOTCONN. */
  | 'unknown';

/** The working directory of this process, which is the project folder: the kernel follows a move. */
export type OwnWorkingFolder =
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'removed' }
  | { readonly kind: 'unknown'; readonly why: string };

/** The findings of one look at the place of the project. */
export interface PlaceSeen {
  readonly root: string;
  readonly atPath: FolderAtPath;
  /** Asked only where the folder at the path is not the same. */
  readonly own: OwnWorkingFolder | null;
  /** True while the manifest or the records folder is there. */
  readonly hasFiles: boolean;
}

export type PlaceVerdict =
  | { readonly kind: 'here' }
  | { readonly kind: 'moved'; readonly to: string }
  | { readonly kind: 'removed'; readonly why: string }
  | { readonly kind: 'unknown'; readonly why: string };

/**
 * Decides what has become of the project folder.
 *
 * A new path of our own working directory is the kernel's word for a move, and "(deleted)" behind its path the word for
 * a removal. An unmount or a network failure is neither: then nothing is decided.
 */
export function judgePlace({ root, atPath, own, hasFiles }: PlaceSeen): PlaceVerdict {
  if (atPath === 'same') {
    if (hasFiles) return { kind: 'here' };
    return { kind: 'removed', why: 'the manifest and the records of the project were removed' };
  }
  if (own?.kind === 'folder' && own.path !== root) return { kind: 'moved', to: own.path };
  if (own?.kind === 'removed') return { kind: 'removed', why: 'the project folder was removed' };
  const why = own?.kind === 'unknown' ? own.why : 'another device is mounted at its path';
  return { kind: 'unknown', why: `the project folder ${root} cannot be looked at: ${why}` };
}

/** Looks at the place of the project. Costs one stat(2), 10 µs, while it has not moved. */
export function lookAtPlace(
  { root, pidsDir, manifestName }: ProjectFolder,
  identity: FolderIdentity,
): PlaceSeen {
  const atPath = folderAt(root, identity);
  const hasFiles = existsSync(join(root, manifestName)) || existsSync(pidsDir);
  return { root, atPath, hasFiles, own: atPath === 'same' ? null : ownFolder(identity) };
}

function folderAt(root: string, { device, inode }: FolderIdentity): FolderAtPath {
  try {
    const found = statSync(root, { bigint: true });
    if (String(found.dev) !== device) return 'another-device';
    return String(found.ino) === inode ? 'same' : 'another';
  } catch (error) {
    return ['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '') ? 'missing' : 'unknown';
  }
}

function ownFolder(identity: FolderIdentity): OwnWorkingFolder {
  try {
    // Node remembers its working directory until it is set again.
    process.chdir('.');
    const path = process.cwd();
    if (folderAt(path, identity) === 'same') return { kind: 'folder', path };
    return { kind: 'unknown', why: `its working directory is ${path}, another folder` };
  } catch (error) {
    const errno = errnoOf(error) ?? String(error);
    if (errno !== 'ENOENT') return { kind: 'unknown', why: errno };
    // getcwd(2) says the same of a folder whose file system was unmounted.
    const isRemoved =
      process.platform !== 'linux' || readWorkingFolder(process.pid).kind === 'removed';
    return isRemoved ? { kind: 'removed' } : { kind: 'unknown', why: 'it was unmounted' };
  }
}
