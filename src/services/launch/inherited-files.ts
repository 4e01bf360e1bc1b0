import { closeSync, readdirSync, readFileSync } from 'node:fs';

const FOLDER = '/proc/self/fdinfo';
/** O_CLOEXEC as proc_pid_fdinfo(5) prints it: octal, the same on x86 and ARM. */
const CLOSE_ON_EXEC = 0o2000000;

/** True once they are closed: this process opens no descriptor without the flag itself. */
let closed = false;

/**
 * Closes every descriptor above 2 that a spawned process would inherit, at the first call.
 *
 * Node opens all files close-on-exec, and sets that flag on the descriptors that it was started with. But
 * libuv's uv_disable_stdio_inheritance stops at the first free number above 15. So a shell's `exec 63>file`,
 * or the pipe of a CI agent, would pass through us into every service and keep the caller waiting for an
 * end-of-file that never comes. A descriptor without the flag was inherited.
 *
 * It works only where there is /proc. On macOS libuv spawns with POSIX_SPAWN_CLOEXEC_DEFAULT, which lets
 * nothing through.
 */
export function closeInheritedFiles(): void {
  if (closed) return;
  closed = true;
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
