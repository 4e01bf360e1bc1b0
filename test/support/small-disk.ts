import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** A file system that can be filled to the last byte. */
export interface SmallDisk extends Disposable {
  /** Leaves no room for a single byte. */
  fill(): void;
}

/** True where we may mount a file system: as root, on Linux, with a right that containers often lack. */
export const canMount: boolean =
  process.platform === 'linux' && process.getuid?.() === 0 && tryIt();

/** Mounts a tmpfs of 1 MiB at `folder`, which is made. Unmounted on disposal, even when it is in use. */
export function smallDisk(folder: string): SmallDisk {
  mkdirSync(folder, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m,mode=700', 'none', folder]);
  return {
    fill() {
      const fd = openSync(join(folder, 'fill'), 'a');
      try {
        for (;;) writeSync(fd, Buffer.alloc(4096));
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
      } finally {
        closeSync(fd);
      }
    },
    [Symbol.dispose]: () => void execFileSync('umount', ['--lazy', folder]),
  };
}

function tryIt(): boolean {
  try {
    // In a mount namespace of its own, where no other process sees it.
    execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'none', '/mnt'], {
      stdio: 'ignore',
    });
    return true;
  } catch {
    return false;
  }
}
