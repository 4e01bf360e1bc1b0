import { spawnSync } from 'node:child_process';
import type { SeenProcess } from './seen-process.ts';

/**
 * Every process as `ps` and `lsof` tell it: for macOS, and to check the /proc reader against.
 *
 * The environment is read off the tail of `ps -E` (macOS) or `ps e` (Linux), where words with spaces
 * fall apart; the marks of the oracle have none. A session id is not available.
 */
export function readProcessesPortably(): SeenProcess[] {
  const files = openFilesByPid();
  const environments = environmentsByPid();
  const ps = run('ps', ['-A', '-ww', '-o', 'pid=,ppid=,pgid=,rss=,stat=,lstart=,command=']);
  const row = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(\S+ +\S+ +\S+ +\S+ +\S+)\s*(.*)$/;
  return ps.split('\n').flatMap((line) => {
    const match = row.exec(line);
    if (!match) return [];
    const [, pid, ppid, pgid, rss, stat, started = '', command = ''] = match;
    const open = files.get(Number(pid));
    return {
      pid: Number(pid),
      started,
      ppid: Number(ppid),
      pgid: Number(pgid),
      sid: 0,
      zombie: stat?.startsWith('Z') ?? false,
      rssBytes: Number(rss) * 1024,
      argv: command.split(' '),
      cwd: open?.cwd ?? null,
      files: open?.files ?? [],
      environment: environments.get(Number(pid)) ?? [],
    };
  });
}

/** The start time of one pid, as `readProcessesPortably` has it. */
export function startOfPortably(pid: number): string {
  return run('ps', ['-o', 'lstart=', '-p', String(pid)]).trim();
}

/** The pid of the parent of a process; 0 for a process that does not exist. */
export function parentOfPortably(pid: number): number {
  return Number(run('ps', ['-o', 'ppid=', '-p', String(pid)]));
}

function openFilesByPid(): Map<number, { cwd: string | null; files: string[] }> {
  const byPid = new Map<number, { cwd: string | null; files: string[] }>();
  let current = { cwd: null as string | null, files: [] as string[] };
  let descriptor = '';
  // One field a line: p is a process, f a descriptor (cwd, txt, or a number), n its name (lsof(8)).
  for (const line of run('lsof', ['-n', '-P', '-w', '-F', 'pfn']).split('\n')) {
    const value = line.slice(1);
    if (line.startsWith('p')) {
      current = { cwd: null, files: [] };
      byPid.set(Number(value), current);
    } else if (line.startsWith('f')) {
      descriptor = value;
    } else if (line.startsWith('n')) {
      current.files.push(value);
      if (descriptor === 'cwd') current.cwd = value;
    }
  }
  return byPid;
}

function environmentsByPid(): Map<number, string[]> {
  const flags = process.platform === 'darwin' ? ['-A', '-E', '-ww'] : ['axeww'];
  const rows = run('ps', [...flags, '-o', 'pid=,command=']).split('\n');
  return new Map(
    rows.map((line) => {
      const [pid, ...words] = line.trim().split(' ');
      return [Number(pid), words.filter((word) => /^[A-Za-z_]\w*=/.test(word))];
    }),
  );
}

function run(command: string, args: readonly string[]): string {
  const options = { encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 } as const;
  return spawnSync(command, args, { ...options, stdio: ['ignore', 'pipe', 'ignore'] }).stdout;
}
