import { constants, existsSync } from 'node:fs';
import type { OpenFile, ProcessDetails, ProcessInfo } from '../snapshot.ts';
import { runTool, runToolSync } from '../system-tool.ts';
import { type PsRow, parseLsof, parsePidLines, parsePwdx, splitEnvironment } from './ps-output.ts';

/** The facts of one process that were read and stay true, as far as `ps` tells. */
interface Remembered {
  readonly startSeconds: number;
  /** An exec gives the process other arguments and, nearly always, another name. */
  readonly name: string;
  readonly argv: readonly string[] | null;
  readonly environ: string | null;
  readonly cwd: string | null;
  /** False while the process may still be between fork and exec, where it shows its parent's facts. */
  readonly settled: boolean;
}

export type DetailMemo = Map<number, Remembered>;

/** Age from which facts are kept. `ps` tells whole seconds only, so this is a second more than on Linux. */
const SETTLED_SECONDS = 3;

/** Pids in one call: a command line holds some thousand. */
const PIDS_A_CALL = 2_000;

/**
 * Reads arguments, environment and working directory of all processes that are not remembered yet. It reads
 * in bulk, because each tool takes tens of milliseconds, for one process or for a thousand.
 *
 * @param commandLines  called only when there is something new
 */
export async function prefetchDetails(
  memo: DetailMemo,
  rows: readonly PsRow[],
  nowSeconds: number,
  commandLines: () => Promise<ReadonlyMap<number, string>>,
): Promise<void> {
  const present = new Map(rows.map((row) => [row.pid, row]));
  for (const pid of memo.keys()) if (!isRemembered(memo, present.get(pid))) memo.delete(pid);
  const unknown = rows.filter((row) => row.state !== 'Z' && !memo.get(row.pid)?.settled);
  if (unknown.length === 0) return;
  const args = await commandLines();
  for (let index = 0; index < unknown.length; index += PIDS_A_CALL) {
    const part = unknown.slice(index, index + PIDS_A_CALL);
    const pids = part.map((row) => row.pid).join(',');
    const environments = await readEnvironments(pids);
    const folders = await readFolders(pids);
    for (const row of part) {
      const line = environments.get(row.pid);
      const known = args.get(row.pid);
      const split =
        line === undefined || known === undefined ? null : splitEnvironment(line, known);
      memo.set(row.pid, {
        startSeconds: row.startSeconds,
        name: row.name,
        argv: splitArguments(split?.args ?? known),
        environ: split?.environ ?? null,
        cwd: folders.get(row.pid) ?? null,
        settled: nowSeconds - row.startSeconds >= SETTLED_SECONDS && Boolean(split?.environ),
      });
    }
  }
}

/** Makes the details of one snapshot from the prefetched facts. Open files are read when they are first asked for. */
export function portableDetails(memo: DetailMemo, rows: readonly PsRow[]): ProcessDetails {
  const present = new Map(rows.map((row) => [row.pid, row]));
  const known = new Map([...memo].filter(([pid]) => present.has(pid)));
  const of = (process: ProcessInfo) => known.get(process.identity.pid);
  let files: Map<number, OpenFile[]> | null | undefined;
  return {
    uid: (process) => present.get(process.identity.pid)?.uid ?? null,
    argv(process) {
      if (process.kernelThread || process.state === 'Z') return [];
      return of(process)?.argv ?? null;
    },
    cwd: (process) => of(process)?.cwd ?? null,
    environ: (process) => of(process)?.environ ?? null,
    // Only Linux has control groups, and there this table is used to test other systems.
    controlGroup: () => null,
    openFiles(process) {
      files ??= readOpenFiles();
      return files?.get(process.identity.pid) ?? null;
    },
  };
}

function isRemembered(memo: DetailMemo, row: PsRow | undefined): boolean {
  const kept = row && memo.get(row.pid);
  return kept !== undefined && kept.startSeconds === row?.startSeconds && kept.name === row.name;
}

/** Reads arguments and environment in one line for each process: `-E` on macOS, the older `e` of BSD elsewhere. */
async function readEnvironments(pids: string): Promise<Map<number, string>> {
  const form = process.platform === 'darwin' ? ['-E', '-ww'] : ['eww'];
  const answer = await runTool('ps', [...form, '-o', 'pid=', '-o', 'args=', '-p', pids]);
  return parsePidLines(answer?.stdout ?? '');
}

async function readFolders(pids: string): Promise<Map<number, string>> {
  const lsof = await runTool('lsof', ['-w', '-nP', '-a', '-d', 'cwd', '-F', 'pfn', '-p', pids]);
  if (lsof !== null) {
    const files = parseLsof(lsof.stdout).filter((file) => file.fd === 'cwd');
    return new Map(files.flatMap((file) => cleanFolder(file.pid, file.name)));
  }
  if (process.platform !== 'linux') return new Map();
  const pwdx = parsePwdx((await runTool('pwdx', pids.split(',')))?.stdout ?? '');
  return new Map([...pwdx].flatMap(([pid, path]) => cleanFolder(pid, decode(path))));
}

/** Leaves out a path in whose place lsof prints its reason: `/proc/1/cwd (readlink: Permission denied)`. */
function cleanFolder(pid: number, path: string): [number, string][] {
  if (!path.startsWith('/') || / \((readlink|stat): [^)]*\)$/.test(path)) return [];
  // Linux puts it behind the path of a removed folder. A living folder may be called so too.
  return [[pid, existsSync(path) ? path : path.replace(/ \(deleted\)$/, '')]];
}

function readOpenFiles(): Map<number, OpenFile[]> | null {
  // Where lsof cannot tell the flags, it refuses the option and prints nothing.
  const withFlags = runToolSync('lsof', ['-w', '-nP', '+fg', '-F', 'pfaGn']);
  const output = withFlags || runToolSync('lsof', ['-w', '-nP', '-F', 'pfan']);
  if (output === null) return null;
  const files = new Map<number, OpenFile[]>();
  for (const { pid, fd, access, flags, name } of parseLsof(output)) {
    const list = files.get(pid) ?? [];
    files.set(pid, list);
    if (!/^\d+$/.test(fd)) continue;
    const readable = access === 'r' || access === 'u';
    const writable = access === 'w' || access === 'u';
    const appends = flags === null ? null : writable && (flags & constants.O_APPEND) !== 0;
    list.push({ fd: Number(fd), target: name, readable, writable, appends });
  }
  return files;
}

/** Splits the arguments at spaces, because `ps` has joined them with spaces. */
function splitArguments(text: string | undefined): readonly string[] | null {
  if (text === undefined) return null;
  const words = decode(text).trim();
  return words === '' ? [] : words.split(' ');
}

function decode(bytes: string): string {
  // ps-list has decoded its own output already; ours is one character a byte.
  return /[^\0-\xff]/.test(bytes) ? bytes : Buffer.from(bytes, 'latin1').toString('utf8');
}
