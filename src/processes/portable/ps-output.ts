/** One row of `ps`, in the units of `ProcessInfo`. */
export interface PsRow {
  readonly pid: number;
  readonly ppid: number;
  readonly pgid: number;
  /** 0 where the platform has no such column, or prints a kernel pointer in it. */
  readonly sid: number;
  readonly uid: number;
  readonly state: string;
  /** 1 where the platform cannot tell. */
  readonly threads: number;
  readonly rssBytes: number;
  readonly cpuTicks: number;
  /** Whole seconds since the epoch. */
  readonly startSeconds: number;
  readonly name: string;
}

/** Columns of ps(1). `comm` may hold spaces, so it must be the last. */
export type PsColumn =
  | 'pid'
  | 'ppid'
  | 'pgid'
  | 'sess'
  | 'uid'
  | 'stat'
  | 'nlwp'
  | 'rss'
  | 'time'
  | 'lstart'
  | 'comm';

/** Parses the output of `ps -o pid=,ppid=,…` under LC_ALL=C and TZ=UTC. A line that is not whole is left out. */
export function parsePsRows(output: string, columns: readonly PsColumn[]): PsRow[] {
  const line = linePattern(columns);
  return output.split('\n').flatMap((text) => {
    const found = line.exec(text)?.groups;
    if (!found) return [];
    const state = (found.stat ?? '?').charAt(0);
    return {
      pid: Number(found.pid),
      ppid: Number(found.ppid),
      pgid: Number(found.pgid),
      sid: Number(found.sess ?? 0),
      uid: Number(found.uid),
      state,
      threads: Number(found.nlwp ?? 1),
      rssBytes: Number(found.rss) * 1024,
      cpuTicks: parseCpuTime(found.time ?? ''),
      startSeconds: Math.floor(Date.parse(`${found.lstart} UTC`) / 1000),
      name: plainName(found.comm ?? '', state),
    };
  });
}

function linePattern(columns: readonly PsColumn[]): RegExp {
  const parts = columns.map((column) => {
    if (column === 'lstart') return String.raw`(?<lstart>\w{3}\s+\w{3}\s+\d+\s+[\d:]+\s+\d{4})`;
    return column === 'comm' ? '(?<comm>.*)' : String.raw`(?<${column}>\S+)`;
  });
  return new RegExp(String.raw`^\s*${parts.join(String.raw`\s+`)}$`);
}

/** Finds the bare name: for a zombie Linux writes `node <defunct>` and BSD `(node)`, and macOS writes the whole path. */
function plainName(comm: string, state: string): string {
  const name = comm.trim();
  if (state === 'Z') return name.replace(/ ?<defunct>$/, '').replace(/^\((.*)\)$/, '$1');
  return name.startsWith('/') ? name.slice(name.lastIndexOf('/') + 1) : name;
}

/** Reads `[[DD-]HH:]MM:SS[.ss]` as clock ticks (1/100 s). */
export function parseCpuTime(time: string): number {
  const [days, clock] = time.includes('-') ? time.split('-', 2) : ['0', time];
  const seconds = (clock ?? '').split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
  const ticks = Math.round((Number(days) * 86_400 + seconds) * 100);
  return Number.isNaN(ticks) ? 0 : ticks;
}

/** Reads the output of `ps -o pid=,args=`: the text after each pid. */
export function parsePidLines(output: string): Map<number, string> {
  const texts = new Map<number, string>();
  for (const line of output.split('\n')) {
    const found = /^\s*(\d+)(?: (.*))?$/.exec(line);
    if (found) texts.set(Number(found[1]), found[2] ?? '');
  }
  return texts;
}

/**
 * Tells the arguments from the environment, which `ps eww` (or `ps -E`) prints in one line.
 *
 * @param line  both, joined by spaces, as latin1
 * @param args  the arguments alone, from a `ps` that may have printed `?` for what is not ASCII
 * @returns null for the environment when the arguments changed between the two calls. An entry
 *   begins where a word looks like `NAME=`. So a value that holds such a word is cut in two, because
 *   the text has lost its NULs.
 */
export function splitEnvironment(
  line: string,
  args: string,
): { readonly args: string; readonly environ: string | null } {
  const ascii = (text: string) => text.replace(/[^\x20-\x7e]/g, '?').trimEnd();
  const length = ascii(args).length;
  if (ascii(line.slice(0, length)) !== ascii(args)) return { args, environ: null };
  const entries = line
    .slice(length)
    .split(/ +(?=[A-Za-z_][A-Za-z0-9_]*=)/)
    .filter((entry) => /^[A-Za-z_][A-Za-z0-9_]*=/.test(entry));
  return { args: line.slice(0, length), environ: entries.map((entry) => `${entry}\0`).join('') };
}

/** One process of `lsof -F`: its fields by letter, repeated for each open file (lsof(8), OUTPUT). */
export interface LsofFile {
  readonly pid: number;
  readonly uid: number | null;
  /** A number, or `cwd`, `txt`, … */
  readonly fd: string;
  /** `r`, `w`, `u` (both) or empty. */
  readonly access: string;
  /** The flags of open(2), as a number; null where lsof was not asked or cannot tell. */
  readonly flags: number | null;
  readonly name: string;
}

/** @param output  as latin1, so that each character is a byte */
export function parseLsof(output: string): LsofFile[] {
  const files: LsofFile[] = [];
  let pid = 0;
  let uid: number | null = null;
  let fd = '';
  let access = '';
  let flags: number | null = null;
  for (const line of output.split('\n')) {
    const value = line.slice(1);
    if (line[0] === 'p') {
      pid = Number(value);
      uid = null;
    } else if (line[0] === 'u') uid = Number(value);
    else if (line[0] === 'f') {
      fd = value;
      access = '';
      flags = null;
    } else if (line[0] === 'a') access = value.trim();
    // The flags of the open file stand before a semicolon, those of the descriptor after it.
    else if (line[0] === 'G') flags = Number.parseInt(value, 16);
    else if (line[0] === 'n')
      files.push({ pid, uid, fd, access, flags, name: unescapeLsof(value) });
  }
  return files;
}

/** Reads a name, in which lsof prints a byte that its locale lacks as `\xe9`, and a backslash as `\\`; the bytes are UTF-8. */
function unescapeLsof(name: string): string {
  const bytes = name.replace(/\\(?:x([0-9a-f]{2})|(\\))/g, (_, hex?: string) =>
    hex === undefined ? '\\' : String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

/** Reads the output of `pwdx`: `PID: /path`, or a message for a process that we may not look at. */
export function parsePwdx(output: string): Map<number, string> {
  const folders = new Map<number, string>();
  for (const line of output.split('\n')) {
    const found = /^(\d+): (\/.*)$/.exec(line);
    if (found?.[2] !== undefined) folders.set(Number(found[1]), found[2]);
  }
  return folders;
}
