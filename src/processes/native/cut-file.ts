import { randomBytes } from 'node:crypto';
import { closeSync, constants, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { inWords } from '../../errors.ts';
import { runTool } from '../system-tool.ts';
import { type FileCut, loadNative } from './native.ts';

/**
 * The way to remove the beginning of a file while others write to its end. The writers keep their descriptor, so
 * renaming does not help, and a truncation would lose what they write meanwhile.
 */
export type CutWay =
  | {
      /** `collapse` is better, because the file becomes shorter. A hole stays, and its readers see zeros. */
      readonly how: FileCut;
      /** The unit of the cut, in bytes: only whole multiples of it can be removed. */
      readonly block: number;
    }
  | { readonly how: null; readonly why: string };

/** Block sizes of file systems: nearly all have 4096, some (bigalloc, large pages) more. */
const BLOCKS = [4096, 65_536];

/**
 * Finds out how the files of a folder can be cut, with a file that it makes and removes again.
 * Collapsing works on ext4 and XFS, holes also on btrfs, tmpfs and others (fallocate(2)).
 */
export async function findCutWay(folder: string): Promise<CutWay> {
  const why = whyNever();
  if (why !== null) return { how: null, why };
  const path = join(folder, `.devctl-${randomBytes(8).toString('hex')}.tmp`);
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
    writeSync(fd, Buffer.alloc(4 * 65_536, 1));
    for (const block of BLOCKS) {
      if ((await cutFile(fd, 'collapse', 0, block)) === null) return { how: 'collapse', block };
    }
    const refusal = await cutFile(fd, 'punch', 0, 4096);
    if (refusal === null) return { how: 'punch', block: 4096 };
    return {
      how: null,
      why: `the file system of ${folder} cannot free a part of a file: ${refusal}`,
    };
  } catch (error) {
    return { how: null, why: `trying it in ${folder}: ${inWords(error)}` };
  } finally {
    if (fd !== undefined) {
      closeSync(fd);
      rmSync(path, { force: true });
    }
  }
}

function whyNever(): string | null {
  if (process.platform !== 'linux') return 'only Linux can free the beginning of a file';
  // So devctl behaves as on a system that is not Linux.
  return process.env.DEVCTL_PROCESS_TABLE === 'portable'
    ? 'turned off by DEVCTL_PROCESS_TABLE=portable'
    : null;
}

/**
 * Frees a part of an open file. Without native calls `fallocate` of util-linux does it.
 *
 * @returns null when it is done, else the reason
 */
export async function cutFile(
  fd: number,
  how: FileCut,
  offset: number,
  length: number,
): Promise<string | null> {
  const native = await loadNative();
  if (native.available) return native.cutFile(fd, how, offset, length);
  const way = how === 'collapse' ? '--collapse-range' : '--punch-hole';
  const range = ['--offset', String(offset), '--length', String(length)];
  // The very file that is open here, whatever has its name by now.
  const file = `/proc/${process.pid}/fd/${fd}`;
  try {
    const done = await runTool('fallocate', [way, ...range, file]);
    if (done === null) return 'fallocate is not installed';
    return done.exitCode === 0 ? null : done.stderr.trim();
  } catch (error) {
    return inWords(error);
  }
}
