import { closeSync, readdirSync, readFileSync } from 'node:fs';

const FOLDER = '/proc/self/fdinfo';
/** O_CLOEXEC as proc_pid_fdinfo(5) prints it: octal, the same on x86 and ARM. */
const CLOSE_ON_EXEC = 0o2000000;

/**
 * Closes every descriptor above 2 that would be inherited by the next process that is spawned.
 *
 * Node opens all files close-on-exec and marks those that it was started with, but only without a gap:
 * libuv's uv_disable_stdio_inheritance stops at the first free number above 15. A shell's
 * `exec 63>file`, or the pipe of a CI agent, would pass through us into every service and keep the
 * caller waiting for an end-of-file that never comes. Whatever lacks the mark was inherited.
 *
 * Only where there is /proc: on macOS libuv spawns with POSIX_SPAWN_CLOEXEC_DEFAULT, which lets
 * nothing through.
 */
export function closeInheritedFiles(): void {
  for (const name of listDescriptors()) {
    const fd = Number(name);
    if (fd <= 2) continue;
    try {
      const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`${FOLDER}/${name}`, 'latin1'))?.[1];
      if (flags === undefined) continue;
      if ((Number.parseInt(flags, 8) & CLOSE_ON_EXEC) === 0) closeSync(fd);
    } catch {
      // Closed since it was listed, as is the descriptor of the listing itself.
    }
  }
}

function listDescriptors(): readonly string[] {
  try {
    return readdirSync(FOLDER);
  } catch {
    return [];
  }
}
