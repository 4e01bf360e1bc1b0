import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { readProcess } from '../read-processes.ts';
import type { SeenProcess } from '../seen-process.ts';

/** Finds the living processes of each behaviour by its mark alone, without the knowledge of devctl. */
export interface Tracks {
  /** Absolute path of the mark of a service. */
  mark(name: string): string;
  /** The living processes, by the name of their service. */
  living(): ReadonlyMap<string, readonly SeenProcess[]>;
  /** All living processes. */
  all(): SeenProcess[];
  /** The size of the mark of a service. It grows while a storm goes on that is too fast to be seen. */
  size(name: string): number;
  /** The lines that the processes of a service have left. */
  lines(name: string): readonly string[];
}

/**
 * Finds the processes of the zoo: those that hold a mark of this folder open, run a program of it, work in it,
 * or have the path of a mark among their arguments. A process that gets rid of one of these tracks keeps another.
 */
export function openTracks(folder: string): Tracks {
  const prefix = `${folder}/`;
  const nameIn = (text: string): string | null => {
    const at = text.indexOf(prefix);
    return at < 0 ? null : (/^[\w-]+/.exec(text.slice(at + prefix.length))?.[0] ?? null);
  };
  const nameOf = ({ files, argv }: SeenProcess): string | null => {
    for (const text of [...files, ...argv]) {
      const name = nameIn(text);
      if (name !== null) return name;
    }
    return null;
  };
  const all = () =>
    readdirSync('/proc')
      .filter((pid) => /^\d+$/.test(pid) && mayBeOf(prefix, pid))
      .flatMap((pid) => readProcess(Number(pid)) ?? [])
      // The `devctl run` of a one-off has its command, mark and all, among its arguments.
      .filter((one) => !one.zombie && nameOf(one) !== null && !isDevctl(one));
  return {
    mark: (name) => join(folder, name),
    all,
    living() {
      const found = new Map<string, SeenProcess[]>();
      for (const one of all()) {
        const name = nameOf(one) ?? basename(folder);
        found.set(name, [...(found.get(name) ?? []), one]);
      }
      return found;
    },
    size: (name) => statSync(join(folder, name)).size,
    lines(name) {
      try {
        return readFileSync(join(folder, name), 'utf8').split('\n').filter(Boolean);
      } catch {
        return [];
      }
    },
  };
}

function isDevctl({ argv }: SeenProcess): boolean {
  return argv[1]?.endsWith('/bin/devctl.js') ?? false;
}

/** Looks quickly, because a process that forks and exits every 30 ms is gone before the whole machine is read. */
function mayBeOf(prefix: string, pid: string): boolean {
  const about = (read: () => string): boolean => {
    try {
      return read().includes(prefix);
    } catch {
      return false;
    }
  };
  return (
    about(() => readlinkSync(`/proc/${pid}/fd/9`)) ||
    about(() => readFileSync(`/proc/${pid}/cmdline`, 'latin1')) ||
    about(() => `${readlinkSync(`/proc/${pid}/cwd`)}/`) ||
    about(() => readlinkSync(`/proc/${pid}/exe`)) ||
    hasLostItsFirstThread(pid)
  );
}

function hasLostItsFirstThread(pid: string): boolean {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}
