import { closeSync, constants, fstatSync, lstatSync, openSync, unlinkSync } from 'node:fs';
import { DevctlError, errnoOf } from '../../errors.ts';
import { runTool } from '../../processes/system-tool.ts';

/**
 * Makes a FIFO that only its owner may open, as mkfifo(3) does.
 *
 * @throws when it cannot be made, or when something is at `path` already
 */
export type MakeFifo = (path: string) => Promise<void> | void;

/**
 * Opens the FIFO that is a service's stdin, for reading and writing. While a process has it open so,
 * a reader never sees the end of the file, and watch tools that leave at end-of-file stay.
 *
 * A FIFO of ours is used again. Another file of ours with this name is removed first.
 *
 * @returns the descriptor, to be closed by the caller
 * @throws DevctlError 'start-failed' when the name is taken by a folder or by another user's file,
 *         or when no FIFO can be made
 */
export async function openFifo(path: string, makeFifo: MakeFifo = spawnMkfifo): Promise<number> {
  const before = lstatSync(path, { throwIfNoEntry: false });
  const user = process.geteuid?.();
  if (before && before.uid !== user) throw refused(path, `it belongs to user ${before.uid}`);
  if (before?.isDirectory()) throw refused(path, 'it is a folder');
  const usable = before?.isFIFO() && (before.mode & 0o077) === 0;
  // This removes a symbolic link, and not its target.
  if (before && !usable) unlinkSync(path);
  if (!usable) await make(path, makeFifo);

  // Opened for reading and writing, a FIFO does not wait for another process (fifo(7)).
  const fd = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW);
  const opened = fstatSync(fd);
  if (opened.isFIFO() && opened.uid === user) return fd;
  closeSync(fd);
  throw refused(path, 'it was replaced while it was being opened');
}

/**
 * Makes the FIFO, or words the failure: a seccomp filter may refuse it (EPERM, ENOSYS), and not every file system has
 * FIFOs (EPERM, ENOTSUP).
 */
async function make(path: string, makeFifo: MakeFifo): Promise<void> {
  try {
    await makeFifo(path);
  } catch (cause) {
    const why = errnoOf(cause) ?? (cause instanceof Error ? cause.message : String(cause));
    const wayOut = 'set "stdin": "null" for the service, if it can do without';
    throw new DevctlError(
      'start-failed',
      `no stdin FIFO can be made at ${path}: ${why}; ${wayOut}`,
      {
        cause,
      },
    );
  }
}

async function spawnMkfifo(path: string): Promise<void> {
  const made = await runTool('mkfifo', ['-m', '600', '--', path]);
  if (made === null) throw new Error('there is no command "mkfifo"');
  if (made.exitCode !== 0) throw new Error(made.stderr.trim());
}

function refused(path: string, why: string): DevctlError {
  return new DevctlError('start-failed', `${path} cannot be used for stdin: ${why}`, {
    hint: 'remove it, then start again',
  });
}
