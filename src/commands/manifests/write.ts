import {
  closeSync,
  linkSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { DevctlError, errnoOf } from '../../errors.ts';
import { flush, temporaryPath } from '../../project/atomic-file.ts';

/**
 * Writes a manifest that is new. Everybody else sees no file or all of it, and a file that has come meanwhile stays.
 *
 * @throws DevctlError 'init-failed'
 */
export function writeManifest(file: string, text: string): void {
  try {
    const fresh = writeBeside(file, text, 0o666);
    try {
      // link(2) fails where a file is. rename(2) would replace it.
      linkSync(fresh, file);
    } catch (error) {
      if (!NO_LINKS.includes(errnoOf(error) ?? '')) throw error;
      writeFileSync(file, text, { flag: 'wx' });
    } finally {
      rmSync(fresh, { force: true });
    }
  } catch (error) {
    throw unchanged(
      file,
      errnoOf(error) === 'EEXIST' ? 'is there already' : `cannot be written: ${error}`,
    );
  }
}

/** The errors of file systems without hard links. */
const NO_LINKS: readonly string[] = ['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK'];

/** The text of a manifest before and after a change. */
export interface ChangedManifest {
  readonly before: string;
  readonly after: string;
}

/**
 * Changes a manifest that somebody may edit at the same time: where its text is another one by the time of the rename,
 * the change is made once more to that one. Everybody else sees the text before or after. A link stays a link.
 *
 * @param change throws where it cannot be made to this text; then the file stays as it is
 * @throws DevctlError 'init-failed'
 */
export function changeManifest(file: string, change: (before: string) => string): ChangedManifest {
  for (let turn = 0; turn < MOST_TURNS; turn += 1) {
    const before = readText(file);
    const after = change(before);
    if (replaceIfSame(file, before, after)) return { before, after };
  }
  throw unchanged(file, 'is written again and again by another program');
}

const MOST_TURNS = 10;

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw unchanged(file, `cannot be read: ${error}`);
  }
}

/** @returns false where the file has another text by now */
function replaceIfSame(file: string, before: string, after: string): boolean {
  let fresh: string | null = null;
  try {
    const target = realpathSync(file);
    fresh = writeBeside(target, after, statSync(target).mode & 0o777);
    if (readFileSync(target, 'utf8') !== before) return false;
    renameSync(fresh, target);
    return true;
  } catch (error) {
    throw unchanged(file, `cannot be written: ${error}`);
  } finally {
    if (fresh !== null) rmSync(fresh, { force: true });
  }
}

/** @returns the path of the file, whose text is on the disk */
function writeBeside(file: string, text: string, mode: number): string {
  const fresh = temporaryPath(file);
  const fd = openSync(fresh, 'wx', mode);
  try {
    writeFileSync(fd, text);
    flush(fd);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
  return fresh;
}

function unchanged(file: string, why: string): DevctlError {
  return new DevctlError('init-failed', `${file} ${why}`, { hint: 'nothing was changed' });
}
